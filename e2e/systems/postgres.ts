/**
 * A PostgreSQL server of a test's own: on loopback, in a temporary directory, gone when the test is over. As root it runs as another user,
 * because it refuses to be root.
 *
 *   const server = await PostgresServer.start();
 *   await server.count('windows');     // rows; 0 if there is no such table
 *   await server.stop();
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { findPostgres } from './find-postgres.mjs';

export const POSTGRES = findPostgres();

export interface PostgresOptions {
  /** Default 64; 0: none, as PostgreSQL has it by default. */
  readonly maxPreparedTransactions?: number;
}

const USER = 'weir';
const DATABASE = 'postgres';
const START_MS = 60_000;

/**
 * Becomes the server. Where whoever started it ends without a word, however that comes, standard input ends too: then the server is stopped, and
 * its directory removed.
 */
const STOPPED_WITH_US = `
exec 3<&0
( read -r word <&3 || { kill -QUIT $$; while kill -0 $$ 2>/dev/null; do sleep 0.1; done; rm -rf "$0"; } ) &
exec "$@" </dev/null 3<&-
`;

export class PostgresServer {
  readonly port: number;
  readonly password: string;
  readonly #directory: string;
  readonly #settings: readonly string[];
  readonly #identity: { uid: number; gid: number } | undefined;
  #process: ChildProcess | null = null;
  #log = '';

  private constructor(port: number, { maxPreparedTransactions = 64 }: PostgresOptions) {
    this.port = port;
    this.password = randomBytes(12).toString('hex');
    this.#directory = mkdtempSync(join(tmpdir(), 'weir-postgres-'));
    this.#identity = process.getuid?.() === 0 ? unprivileged() : undefined;
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_prepared_transactions: maxPreparedTransactions,
      // The machine does not crash in these tests, only programs do.
      fsync: 'off',
    };
    this.#settings = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const server = new PostgresServer(await freePort(), options);
    try {
      server.#create();
      await server.run();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Without the password. */
  get url(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/${DATABASE}`;
  }

  get urlWithPassword(): string {
    return `postgres://${USER}:${this.password}@127.0.0.1:${this.port}/${DATABASE}`;
  }

  #create(): void {
    const { uid, gid } = this.#identity ?? {};
    const passwordFile = join(this.#directory, 'password');
    writeFileSync(passwordFile, this.password, { mode: 0o600 });
    if (uid !== undefined && gid !== undefined)
      for (const path of [this.#directory, passwordFile]) chownSync(path, uid, gid);
    execFileSync(
      join(POSTGRES as string, 'initdb'),
      [
        '-D',
        this.#data,
        '-U',
        USER,
        '-A',
        'scram-sha-256',
        `--pwfile=${passwordFile}`,
        '-E',
        'UTF8',
        '--locale=C',
        '-N',
      ],
      { ...this.#identity, cwd: this.#directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
  }

  get #data(): string {
    return join(this.#directory, 'data');
  }

  /** Starts it, again where it was stopped before; returns when it answers. */
  async run(): Promise<void> {
    const command = [join(POSTGRES as string, 'postgres'), '-D', this.#data, ...this.#settings];
    const child = spawn('sh', ['-c', STOPPED_WITH_US, this.#directory, ...command], {
      ...this.#identity,
      cwd: tmpdir(),
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    child.stdin?.on('error', () => {});
    this.#process = child;
    child.stderr?.on('data', (text: Buffer) => {
      this.#log = (this.#log + text.toString()).slice(-10_000);
    });
    const deadline = Date.now() + START_MS;
    for (;;) {
      try {
        await this.query('SELECT 1');
        return;
      } catch (error) {
        if (child.exitCode !== null || Date.now() > deadline)
          throw new Error(`PostgreSQL does not start:\n${this.#log}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Ends it at once, as a crash of the program does; what was committed or prepared stays. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end('stopped\n');
    child.kill('SIGQUIT');
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const client = new Client({ connectionString: this.urlWithPassword, application_name: 'test' });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<R>(text, [...values])).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Rows of a table; 0 if there is none. */
  async count(table: string): Promise<number> {
    const [there] = await this.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [`"${table}"`]);
    if (there?.found !== true) return 0;
    const [found] = await this.query<{ count: string }>(`SELECT count(*) FROM "${table}"`);
    return Number(found?.count);
  }

  /** Names of prepared transactions. */
  async prepared(): Promise<string[]> {
    const rows = await this.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts ORDER BY gid');
    return rows.map(({ gid }) => gid);
  }
}

/** `postgres`, which Debian's package makes, or whoever is nobody. */
function unprivileged(): { uid: number; gid: number } {
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // There is no such user.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
