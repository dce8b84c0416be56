/** One connection to PostgreSQL: where the password comes from, rows by COPY, and errors that say where and what to do. */

import type { Client, Connection, QueryResult, QueryResultRow, Submittable } from 'pg';
import { messageOf, WeirError } from '#base/errors.ts';

const CONNECT_MS = 10_000;

/** Something that PostgreSQL refused, or that kept us from asking it. */
export class PostgresError extends WeirError {
  /** SQLSTATE; null: it was not the server that said so. */
  readonly state: string | null;
  /** The connection is lost, or there was none: the same may succeed later. */
  readonly disconnected: boolean;

  constructor(where: string, what: string, cause: unknown) {
    super('POSTGRES', `PostgreSQL at ${where}: ${what}: ${messageOf(cause) || 'no reason given'}${hintOf(cause)}.`, {
      cause,
    });
    const state = cause instanceof Error && 'code' in cause ? String(cause.code) : null;
    this.state = state !== null && /^[0-9A-Z]{5}$/.test(state) ? state : null;
    this.disconnected = this.state === null || /^(08|57P|53300)/.test(this.state);
  }
}

/** What to do, where the server says so or we know better. */
function hintOf(cause: unknown): string {
  const { code, detail, hint } = (cause ?? {}) as { code?: unknown; detail?: unknown; hint?: unknown };
  if (code === '28P01' || code === '28000')
    return '. Give the password in the URL, in PGPASSWORD or in ~/.pgpass, and the user in the URL';
  const said = [detail, hint].filter((text): text is string => typeof text === 'string');
  return said.map((text) => ` (${text.replace(/\.$/, '')})`).join('');
}

/** A URL without its secrets, which therefore may be kept and shown; and the password it had. */
export function withoutPassword(text: string): { readonly url: string; readonly password: string | null } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // What was given may hold a password: it is not repeated.
    throw new TypeError('is no URL: give postgres://user@host:5432/database');
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw new TypeError(`must begin with postgres://, not with ${url.protocol}//`);
  const named = url.searchParams.get('password');
  const password = url.password === '' ? named : decodeURIComponent(url.password);
  url.password = '';
  for (const name of [...url.searchParams.keys()]) if (/passw/i.test(name)) url.searchParams.delete(name);
  return { url: url.toString(), password };
}

/** `host:port/database`, for people. */
export function placeOf(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url);
  const host = decodeURIComponent(hostname) || searchParams.get('host') || process.env.PGHOST || 'localhost';
  const database = decodeURIComponent(pathname.slice(1)) || process.env.PGDATABASE || '';
  return `${host}:${port || process.env.PGPORT || '5432'}${database === '' ? '' : `/${database}`}`;
}

export class Session {
  readonly where: string;
  readonly #client: Client;
  #closed = false;

  private constructor(client: Client, where: string) {
    this.#client = client;
    this.where = where;
  }

  /** `application`: by which the server tells our connections from others, at most 63 bytes. `lost`: called when it breaks while nobody asks. */
  static async open(
    url: string,
    application: string,
    lost: (error: PostgresError) => void = () => {},
  ): Promise<Session> {
    // Loaded when it is needed: jobs that write elsewhere start faster.
    const { Client } = await import('pg');
    const where = placeOf(url);
    const client = new Client({
      connectionString: url,
      application_name: application,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
    });
    const session = new Session(client, where);
    client.on('error', (error) => {
      if (!session.#closed) lost(new PostgresError(where, 'the connection is lost', error));
    });
    try {
      client.password ??= await passwordFor(client);
      await client.connect();
      // A transaction is open from the first row of a checkpoint to its last, however long that is.
      await client.query('SET idle_in_transaction_session_timeout = 0');
    } catch (error) {
      session.close();
      throw new PostgresError(where, 'cannot connect', error);
    }
    return session;
  }

  /** `what`: is done, for the error. */
  async query<R extends QueryResultRow>(
    what: string,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<QueryResult<R>> {
    try {
      return await this.#client.query<R>(text, [...values]);
    } catch (error) {
      throw new PostgresError(this.where, what, error);
    }
  }

  /** In one transaction, which is taken back when `work` fails. */
  async transaction<T>(what: string, work: () => Promise<T>): Promise<T> {
    await this.query(what, 'BEGIN');
    try {
      const result = await work();
      await this.query(what, 'COMMIT');
      return result;
    } catch (error) {
      await this.query(what, 'ROLLBACK').catch(() => {});
      throw error;
    }
  }

  /** Rows in the text format of COPY. `text`: a `COPY … FROM STDIN`. */
  copy(what: string, text: string, rows: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null): void => {
        if (error === null) resolve();
        else reject(new PostgresError(this.where, what, error));
      };
      this.#client.query(new CopyIn(text, rows, done));
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.end().catch(() => {});
  }
}

async function passwordFor({ host, port, database, user }: Client): Promise<string | undefined> {
  const { default: pgpass } = await import('pgpass');
  return new Promise((resolve) => pgpass({ host, port, database, user }, resolve));
}

/** What the library tells a query of its own kind while it runs. */
class CopyIn implements Submittable {
  readonly #text: string;
  readonly #rows: Uint8Array;
  readonly #done: (error: Error | null) => void;

  constructor(text: string, rows: Uint8Array, done: (error: Error | null) => void) {
    this.#text = text;
    this.#rows = rows;
    this.#done = done;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: Connection & { sendCopyFromChunk(chunk: Uint8Array): void; endCopyFrom(): void }) {
    connection.sendCopyFromChunk(this.#rows);
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#done(null);
  }

  handleError(error: Error): void {
    this.#done(error);
  }
}
