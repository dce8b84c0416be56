/** The server that people meet: pages and health over HTTP, everything that moves over the live socket. */

import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Clock } from '#base/clock.ts';
import { messageOf, WeirError } from '#base/errors.ts';
import { Access } from './access.ts';
import { registerFaults } from './http/faults.ts';
import { registerGuard } from './http/guard.ts';
import { registerHealth } from './http/health.ts';
import { registerJobs } from './http/jobs.ts';
import { registerPages } from './http/pages.ts';
import { registerSavepoints, type ServedSavepoints } from './http/savepoints.ts';
import { registerUpgrade, type ServedUpgrade } from './http/upgrade.ts';
import type { LiveJob } from './live/job-handle.ts';
import { LiveServer } from './live/live-server.ts';

export interface ApiOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  token: string | null;
  tokenRead: boolean;
  /** Directory of the built dashboard. */
  pages: string;
  job: LiveJob | null;
  /** Null: none are kept. */
  savepoints: ServedSavepoints | null;
  upgrade: ServedUpgrade;
  clock: Clock;
  /** One line of news for who reads the server's log. */
  log: (message: string) => void;
}

/** No request needs more. */
const BODY_LIMIT = 16 * 1024;

export class ApiServer {
  readonly #app: FastifyInstance;
  readonly #options: ApiOptions;
  readonly live: LiveServer;

  private constructor(app: FastifyInstance, options: ApiOptions, live: LiveServer) {
    this.#app = app;
    this.#options = options;
    this.live = live;
  }

  static async create(options: ApiOptions): Promise<ApiServer> {
    const app = Fastify({ logger: false, bodyLimit: BODY_LIMIT, requestTimeout: 10_000, forceCloseConnections: true });
    const access = new Access(options);
    registerGuard(app, access);
    registerHealth(app, options.job?.handle ?? null);
    registerJobs(app, options.job?.control ?? null, () => options.clock.now());
    registerFaults(app, options.job?.faults ?? null);
    registerSavepoints(app, options.savepoints);
    registerUpgrade(app, options.upgrade);
    await registerPages(app, options.pages);
    const { job, clock, log } = options;
    const live = new LiveServer({ http: app.server, job, clock, access, log });
    app.addHook('preClose', async () => live.close());
    return new ApiServer(app, options, live);
  }

  /** Starts to listen; the address for people. Throws a `WeirError` when the port cannot be had. */
  async listen(): Promise<string> {
    const { host, port } = this.#options;
    try {
      // Of the two addresses of `localhost` only one would get the live socket.
      await this.#app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      const why =
        code === 'EADDRINUSE'
          ? 'another program uses it; stop that one or choose another with --port'
          : code === 'EACCES'
            ? 'no permission; choose one above 1023 with --port'
            : messageOf(error);
      throw new WeirError('LISTEN', `Port ${port} on ${host} cannot be had: ${why}.`, { cause: error });
    }
    const address = this.#app.server.address() as AddressInfo;
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}/`;
  }

  close(): Promise<void> {
    return this.#app.close();
  }
}
