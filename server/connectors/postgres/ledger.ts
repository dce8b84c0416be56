/**
 * What a sink keeps in the database beside its rows, in two small tables:
 *
 *   weir_sinks         who writes: each attempt of a job takes the sink over, and has a number of its own (epoch)
 *   weir_transactions  a row for each transaction, written by the transaction itself: it is there if, and only if, that was committed
 *
 * Whoever has been taken over can do nothing any more. The one that takes over raises the epoch first, then ends the connections of all others,
 * and looks for what they have prepared when the last one is gone; a connection made later finds an epoch that is not its own.
 */

import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { WeirError } from '#base/errors.ts';
import type { Session } from './session.ts';
import { sqlName, type TableName } from './table.ts';

/** Transactions of a subtask that are remembered: as many checkpoints as one may go back and still be sure of each. */
const REMEMBERED = 1000;
const GONE_MS = 10_000;
const LOOK_MS = 20;

/** A transaction that is prepared and waits for its checkpoint. Plain data. */
export interface Transaction {
  readonly epoch: number;
  readonly subtask: number;
  readonly n: number;
  readonly rows: number;
}

/** Whose process this is. Threads of one process are the same owner: its master sees to it that only one attempt of a job lives. */
export const thisProcess = (): string => `${hostname()}:${process.pid}`;

/** The name of a sink as PostgreSQL can take it everywhere, at most 50 bytes: long or odd ones are shortened, and stay different. */
export function ledgerName(text: string): string {
  if (/^[\x21-\x7e]{1,50}$/.test(text) && !/['"\\]/.test(text)) return text;
  const readable = text.replace(/[^a-zA-Z0-9_.:-]/g, '_').slice(0, 36);
  return `${readable}~${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/** How the server names our connections, those of a subtask apart from others (a sink's name has no blank), and the transactions they prepare. */
export const applicationOf = (sink: string, subtask?: number): string =>
  subtask === undefined ? `weir ${sink}` : `weir ${sink} ${subtask}`;
export const gidOf = (sink: string, { epoch, subtask, n }: Transaction): string =>
  `weir:${sink}:${epoch}:${subtask}:${n}`;
const GID = /^weir:(.+):\d+:(\d+):\d+$/;

export class Ledger {
  readonly #session: Session;
  readonly #sink: string;
  readonly #sinks: string;
  readonly #transactions: string;

  /** `beside`: the table of the results. */
  constructor(session: Session, sink: string, beside: TableName) {
    this.#session = session;
    this.#sink = sink;
    this.#sinks = sqlName(beside, 'weir_sinks');
    this.#transactions = sqlName(beside, 'weir_transactions');
  }

  async makeTables(): Promise<void> {
    const make = (table: string, columns: string): Promise<unknown> =>
      this.#session.query(`table ${table} cannot be created`, `CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
    await make(
      this.#sinks,
      'name text PRIMARY KEY, epoch bigint NOT NULL, owner text NOT NULL, since timestamptz NOT NULL DEFAULT now()',
    );
    await make(
      this.#transactions,
      `sink text, subtask integer, n bigint, epoch bigint, rows bigint NOT NULL, given_up boolean NOT NULL DEFAULT false,
       PRIMARY KEY (sink, subtask, n, epoch)`,
    );
  }

  /**
   * Keeps out all who wrote here before; returns when the last of their connections is gone. `epoch`: in which this process has it already, or
   * thinks so; null: not yet. Gives the new one.
   */
  async takeOver(owner: string, epoch: number | null): Promise<number> {
    const { rows } = await this.#session.query<{ epoch: string }>(
      'the sink cannot be taken over',
      `INSERT INTO ${this.#sinks} AS s (name, epoch, owner) VALUES ($1, 1, $2)
       ON CONFLICT (name) DO UPDATE SET epoch = s.epoch + 1, owner = $2, since = now() WHERE $3::bigint IS NULL OR s.epoch = $3
       RETURNING epoch`,
      [this.#sink, owner, epoch],
    );
    const [taken] = rows;
    if (taken === undefined) throw await this.#fenced(owner);
    await this.#endConnections(null);
    return Number(taken.epoch);
  }

  /** Keeps out some subtasks that have failed, and no others; returns when the last of their connections is gone. */
  async endWriters(subtasks: ReadonlySet<number>): Promise<void> {
    await this.#endConnections([...subtasks].map((subtask) => applicationOf(this.#sink, subtask)));
  }

  /** Null: of everybody else. */
  async #endConnections(applications: readonly string[] | null): Promise<void> {
    const whose =
      applications === null
        ? `(application_name = $1 OR left(application_name, length($1) + 1) = $1 || ' ')`
        : 'application_name = ANY ($1)';
    const deadline = Date.now() + GONE_MS;
    for (;;) {
      const { rows } = await this.#session.query<{ pid: number }>(
        'connections of earlier attempts cannot be ended',
        `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND ${whose} AND pid <> pg_backend_pid()`,
        [applications ?? applicationOf(this.#sink)],
      );
      if (rows.length === 0) return;
      if (Date.now() > deadline) {
        const pids = rows.map(({ pid }) => pid).join(', ');
        throw new WeirError(
          'POSTGRES_FENCE',
          `PostgreSQL at ${this.#session.where}: connections of an earlier attempt of this job do not end (pid ${pids}), so it might still write. End them with pg_terminate_backend.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** The epoch in which this owner writes. */
  async epochOf(owner: string): Promise<number> {
    const found = await this.#owner();
    if (found?.owner !== owner) throw await this.#fenced(owner);
    return Number(found.epoch);
  }

  async #owner(): Promise<{ epoch: string; owner: string } | undefined> {
    const { rows } = await this.#session.query<{ epoch: string; owner: string }>(
      'the sink cannot be looked up',
      `SELECT epoch, owner FROM ${this.#sinks} WHERE name = $1`,
      [this.#sink],
    );
    return rows[0];
  }

  async #fenced(owner: string): Promise<WeirError> {
    const { owner: other = 'nobody' } = (await this.#owner()) ?? {};
    return new WeirError(
      'POSTGRES_FENCED',
      `PostgreSQL at ${this.#session.where}: the output "${this.#sink}" is written by ${other} now, not by this process (${owner}) any more: another run of the job has taken it over.`,
    );
  }

  /** Inside of the transaction. */
  async record({ subtask, n, epoch, rows }: Transaction): Promise<void> {
    await this.#session.query(
      'the transaction cannot be recorded',
      `INSERT INTO ${this.#transactions} (sink, subtask, n, epoch, rows) VALUES ($1, $2, $3, $4, $5)`,
      [this.#sink, subtask, n, epoch, rows],
    );
  }

  /** Whether it was committed; those too long ago to be remembered were, if so many have been since. */
  async isCommitted({ subtask, n, epoch }: Transaction): Promise<boolean> {
    const { rows } = await this.#session.query<{ committed: boolean }>(
      'transactions cannot be looked up',
      `SELECT EXISTS (SELECT FROM ${this.#transactions} WHERE sink = $1 AND subtask = $2 AND n = $3 AND epoch = $4)
           OR COALESCE((SELECT max(n) FROM ${this.#transactions} WHERE sink = $1 AND subtask = $2), 0) >= $3 + ${REMEMBERED}
           AS committed`,
      [this.#sink, subtask, n, epoch],
    );
    return rows[0]?.committed === true;
  }

  /** Forgets what was committed long before this one. */
  async forget({ subtask, n }: Transaction): Promise<void> {
    await this.#session.query(
      'old transactions cannot be forgotten',
      `DELETE FROM ${this.#transactions} WHERE sink = $1 AND subtask = $2 AND n <= $3`,
      [this.#sink, subtask, n - REMEMBERED],
    );
  }

  /** Those of this sink, or of some subtasks of it, that are prepared, by the names PostgreSQL knows them by. */
  async prepared(subtasks: ReadonlySet<number> | null = null): Promise<string[]> {
    const { rows } = await this.#session.query<{ gid: string }>(
      'prepared transactions cannot be listed',
      'SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared',
    );
    return rows
      .map(({ gid }) => gid)
      .filter((gid) => {
        const [, sink, subtask] = GID.exec(gid) ?? [];
        return sink === this.#sink && (subtasks === null || subtasks.has(Number(subtask)));
      });
  }

  /** Committed ones that a checkpoint does not know: by subtask, `known` says up to which number it does. Each is told once. */
  giveUpUnknown(known: ReadonlyMap<number, number>): Promise<Transaction[]> {
    return this.#lookUp(
      known,
      (unknown) =>
        `UPDATE ${this.#transactions} AS t SET given_up = true WHERE ${unknown} RETURNING subtask, n, epoch, rows`,
    );
  }

  /** The same ones, left as they are. */
  unknown(known: ReadonlyMap<number, number>): Promise<Transaction[]> {
    return this.#lookUp(
      known,
      (unknown) => `SELECT subtask, n, epoch, rows FROM ${this.#transactions} AS t WHERE ${unknown}`,
    );
  }

  async #lookUp(known: ReadonlyMap<number, number>, query: (unknown: string) => string): Promise<Transaction[]> {
    const unknown = `sink = $1 AND NOT given_up
          AND n >= COALESCE((SELECT next FROM unnest($2::int[], $3::bigint[]) AS k (subtask, next) WHERE k.subtask = t.subtask), 0)`;
    const { rows } = await this.#session.query<Record<keyof Transaction, string>>(
      'transactions cannot be looked up',
      query(unknown),
      [this.#sink, [...known.keys()], [...known.values()]],
    );
    return rows
      .map(({ subtask, n, epoch, rows: count }) => ({
        subtask: Number(subtask),
        n: Number(n),
        epoch: Number(epoch),
        rows: Number(count),
      }))
      .sort((a, b) => a.subtask - b.subtask || a.n - b.n);
  }
}
