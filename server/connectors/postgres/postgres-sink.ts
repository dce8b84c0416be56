/**
 * Rows to a table of PostgreSQL.
 *
 *   exactly-once   a transaction per subtask and checkpoint, prepared with the snapshot and committed when the checkpoint is complete: each row
 *                  is there once, and none before its checkpoint. The server must allow prepared transactions (max_prepared_transactions).
 *   upsert         INSERT … ON CONFLICT DO UPDATE by key columns, at once: the last row of a key is there, also where rows come again.
 *
 * In either one who has been taken over by a later attempt, or by another process, can write nothing more (`ledger.ts`).
 */

import { UsageError } from '#base/errors.ts';
import type { Schema } from '#engine/batch/schema.ts';
import {
  type Committer,
  type FailedWriters,
  NO_OBSTACLES,
  type Obstacles,
  type Sink,
  type SinkRecovery,
  type SinkWriter,
  type WriterContext,
} from '#engine/io/sink.ts';
import type { PieceNumbers } from '../piece-numbers.ts';
import { applicationOf, Ledger, ledgerName, type Transaction, thisProcess } from './ledger.ts';
import { Session } from './session.ts';
import { checkTable, makeTable, parseTable, type TableName } from './table.ts';
import { obstaclesOf, recoverFailed, recoverTransactions, TransactionCommitter } from './transaction-committer.ts';
import { TransactionWriter } from './transaction-writer.ts';
import { UpsertWriter } from './upsert-writer.ts';

export type PostgresMode = 'exactly-once' | 'upsert';

export interface PostgresSinkOptions {
  /** Without a password (`withoutPassword`): it comes from PGPASSWORD or ~/.pgpass, so that it is written down nowhere. */
  readonly url: string;
  /** `table` or `schema.table`; made if it is not there. */
  readonly table: string;
  readonly mode: PostgresMode;
  /** Of the rows that will come. */
  readonly schema: Schema;
  /** Columns that tell rows apart; wanted by `upsert`. */
  readonly keys: readonly string[];
  /** Of the sink in this database: what has the same name is an earlier attempt of it, and is taken over. */
  readonly name: string;
  /** Whose it is; default: this process. */
  readonly owner?: string;
}

/** What writers and committers need to know. */
export interface PostgresTarget {
  readonly url: string;
  readonly table: TableName;
  readonly schema: Schema;
  readonly keys: readonly string[];
  readonly sink: string;
  readonly owner: string;
}

/** By sink and owner: the epoch in which this process has it. Once somebody else does, it has lost it for good. */
const epochs = new Map<string, number>();

/** One key for everybody who makes tables. */
const TABLES_LOCK = 0x77656972;

export class PostgresSink implements Sink<Transaction, PieceNumbers> {
  readonly #mode: PostgresMode;
  readonly #target: PostgresTarget;

  constructor({ url, table, mode, schema, keys, name, owner = thisProcess() }: PostgresSinkOptions) {
    const sink = ledgerName(name);
    this.#mode = mode;
    this.#target = {
      url,
      table: parseTable(table),
      schema,
      keys: mode === 'upsert' ? keys : [],
      sink,
      owner,
    };
  }

  createWriter(context: WriterContext<PieceNumbers>): SinkWriter<Transaction, PieceNumbers> {
    return this.#mode === 'upsert'
      ? new UpsertWriter(this.#target, context as WriterContext<never>)
      : new TransactionWriter(this.#target, context);
  }

  createCommitter(subtask: number): Committer<Transaction> | null {
    return this.#mode === 'upsert' ? null : new TransactionCommitter(this.#target, subtask);
  }

  /** Main thread, before a job starts: makes what is missing, takes the sink over, and refuses (`UsageError`) what can never work. */
  prepare(): Promise<void> {
    return this.#asOwner(async () => {});
  }

  /** Takes the sink over: nobody commits anything between this and `recover`. */
  async check(restored: SinkRecovery<Transaction, PieceNumbers>): Promise<Obstacles> {
    if (this.#mode === 'upsert') return NO_OBSTACLES;
    return this.#asOwner((session, ledger) => obstaclesOf(session, ledger, this.#target, restored));
  }

  recover(restored: SinkRecovery<Transaction, PieceNumbers> | null): Promise<string[]> {
    return this.#asOwner((session, ledger) =>
      this.#mode === 'upsert' ? Promise.resolve([]) : recoverTransactions(session, ledger, this.#target, restored),
    );
  }

  /** Of those that have failed nobody writes any more; the sink stays in the hands that it is in. */
  async recoverWriters(
    restored: SinkRecovery<Transaction, PieceNumbers> | null,
    failed: FailedWriters<Transaction>,
  ): Promise<string[]> {
    const { url, table, sink, owner } = this.#target;
    const session = await Session.open(url, applicationOf(sink));
    try {
      const ledger = new Ledger(session, sink, table);
      await ledger.epochOf(owner);
      await ledger.endWriters(failed.subtasks);
      if (this.#mode === 'exactly-once') await recoverFailed(session, ledger, this.#target, restored, failed);
      return [];
    } finally {
      session.close();
    }
  }

  async #asOwner<T>(work: (session: Session, ledger: Ledger) => Promise<T>): Promise<T> {
    const { url, table, schema, keys, sink, owner } = this.#target;
    const session = await Session.open(url, applicationOf(sink));
    try {
      if (this.#mode === 'exactly-once') await mayPrepare(session);
      const ledger = new Ledger(session, sink, table);
      await session.transaction('tables cannot be made', async () => {
        await session.query('tables cannot be made', 'SELECT pg_advisory_xact_lock($1)', [TABLES_LOCK]);
        await makeTable(session, table, schema, keys);
        await ledger.makeTables();
      });
      await checkTable(session, table, schema, keys);
      const mine = [url, sink, owner].join(' ');
      epochs.set(mine, await ledger.takeOver(owner, epochs.get(mine) ?? null));
      return await work(session, ledger);
    } finally {
      session.close();
    }
  }
}

async function mayPrepare(session: Session): Promise<void> {
  const { rows } = await session.query<{ most: number }>(
    'settings cannot be read',
    "SELECT current_setting('max_prepared_transactions')::int AS most",
  );
  if (rows[0]?.most !== 0) return;
  throw new UsageError(
    `PostgreSQL at ${session.where} prepares no transactions, which exactly-once output needs: set max_prepared_transactions in postgresql.conf to at least twice the parallelism and restart it, or choose --postgres-mode upsert.`,
  );
}
