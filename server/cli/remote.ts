/** A running server, asked over HTTP as Flink's command line does (`api/http/jobs.ts`). */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UsageError, WeirError } from '#base/errors.ts';

export interface RemoteFlags {
  url: string;
  tokenFile?: string;
}

export interface RemoteJob {
  readonly jid: string;
  readonly name: string;
  readonly state: string;
  readonly duration: number;
}

/** Between two questions whether something is done, ms. */
const POLL_MS = [20, 30, 50, 100, 200, 400] as const;

export class Remote {
  readonly #url: string;
  readonly #token: string | null;

  constructor({ url, tokenFile }: RemoteFlags) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new UsageError(`--url ${url}: give the address that the server says, such as http://127.0.0.1:8080.`);
    this.#url = url.replace(/\/+$/, '');
    try {
      this.#token = tokenFile === undefined ? null : readFileSync(tokenFile, 'utf8').trim();
    } catch (error) {
      throw new UsageError(`--token-file ${tokenFile}: ${messageOf(error)}.`, { cause: error });
    }
  }

  async jobs(): Promise<readonly RemoteJob[]> {
    return ((await this.ask('GET', '/v1/jobs/overview')) as { jobs: RemoteJob[] }).jobs;
  }

  /** The one job that runs there. */
  async job(): Promise<RemoteJob> {
    const [job] = await this.jobs();
    if (job === undefined) throw new WeirError('NO_JOB', `${this.#url}: no job runs there.`);
    return job;
  }

  /** Begins something and waits until it is done. */
  async finish(path: string, body: unknown, statusPath: string): Promise<Readonly<Record<string, unknown>>> {
    const { 'request-id': id } = (await this.ask('POST', path, body)) as { 'request-id': string };
    for (let poll = 0; ; poll++) {
      const answer = (await this.ask('GET', `${statusPath}/${id}`)) as {
        status: { id: string };
        operation: Readonly<Record<string, unknown>>;
      };
      if (answer.status.id === 'COMPLETED') return answer.operation;
      await sleep(POLL_MS[Math.min(poll, POLL_MS.length - 1)]);
    }
  }

  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(this.#url + path, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new WeirError(
        'NO_SERVER',
        `${this.#url}: no server answers (${messageOf(cause)}); is \`weir serve\` running? Give its address with --url.`,
        { cause: error },
      );
    }
    const answer = (await response.json().catch(() => ({}))) as { errors?: readonly string[]; error?: string };
    if (response.ok) return answer;
    throw new WeirError('REFUSED', answer.errors?.join(' ') ?? answer.error ?? `${path}: status ${response.status}.`);
  }
}
