/** Commits prepared transactions, and takes back those that the restored checkpoint does not know (`ledger.ts`). */

import { WeirError } from '#base/errors.ts';
import {
  COMMIT_RETRIES,
  type Committer,
  type FailedWriters,
  type Obstacles,
  type SinkRecovery,
} from '#engine/io/sink.ts';
import { numbersOf, type PieceNumbers, someOf } from '../piece-numbers.ts';
import { applicationOf, gidOf, Ledger, type Transaction } from './ledger.ts';
import type { PostgresTarget } from './postgres-sink.ts';
import { PostgresError, Session } from './session.ts';

/** SQLSTATE of a transaction that nobody has prepared, or that is no longer. */
const UNKNOWN = '42704';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** Commits after which old ones are forgotten. */
const FORGET_EVERY = 100;

export class TransactionCommitter implements Committer<Transaction> {
  readonly #target: PostgresTarget;
  readonly #subtask: number;
  #session: Session | null = null;
  /** In a row. */
  #failures = 0;
  #commits = 0;
  #closed = false;

  constructor(target: PostgresTarget, subtask: number) {
    this.#target = target;
    this.#subtask = subtask;
  }

  /** When the connection is lost, what is left is tried again, after a pause that grows. */
  async commit(transactions: readonly Transaction[]): Promise<readonly Transaction[]> {
    let done = 0;
    try {
      for (const transaction of transactions) {
        await this.#commit(await this.#connected(), transaction);
        done++;
        this.#failures = 0;
      }
      return [];
    } catch (error) {
      this.#session?.close();
      this.#session = null;
      if (!(error instanceof PostgresError) || !error.disconnected || this.#failures++ === COMMIT_RETRIES) throw error;
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
      if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, pause));
      return transactions.slice(done);
    }
  }

  async #connected(): Promise<Session> {
    this.#session ??= await Session.open(this.#target.url, applicationOf(this.#target.sink, this.#subtask));
    return this.#session;
  }

  async #commit(session: Session, transaction: Transaction): Promise<void> {
    const { sink, table } = this.#target;
    const ledger = new Ledger(session, sink, table);
    await settle(session, ledger, sink, transaction);
    if (++this.#commits % FORGET_EVERY === 0) await ledger.forget(transaction);
  }

  close(): void {
    this.#closed = true;
    this.#session?.close();
  }
}

/** Whether it was committed before or not. */
async function settle(session: Session, ledger: Ledger, sink: string, transaction: Transaction): Promise<void> {
  const gid = gidOf(sink, transaction);
  if (await finish(session, 'COMMIT', gid)) return;
  if (await ledger.isCommitted(transaction)) return;
  throw lost(session, gid, transaction);
}

function lost(session: Session, gid: string, { rows }: Transaction): WeirError {
  return new WeirError(
    'TRANSACTION_LOST',
    `PostgreSQL at ${session.where}: transaction ${gid} is neither prepared nor committed, so its ${rows} rows are lost: somebody has taken it back, or the database is an older copy. An older checkpoint writes them again.`,
  );
}

/** False: there is no such transaction. */
async function finish(session: Session, how: 'COMMIT' | 'ROLLBACK', gid: string): Promise<boolean> {
  const what = how === 'COMMIT' ? 'committed' : 'taken back';
  try {
    await session.query(`transaction ${gid} cannot be ${what}`, `${how} PREPARED '${gid}'`);
    return true;
  } catch (error) {
    if (error instanceof PostgresError && error.state === UNKNOWN) return false;
    throw error;
  }
}

/**
 * Brings the transactions of a sink, that nobody else writes any more, to what the restored checkpoint knows: what it holds is committed, and
 * what else is prepared is taken back. Gives a sentence about those committed that it does not know.
 */
export async function recoverTransactions(
  session: Session,
  ledger: Ledger,
  { sink, table }: PostgresTarget,
  restored: SinkRecovery<Transaction, PieceNumbers> | null,
): Promise<string[]> {
  const held = restored?.committables ?? [];
  // All of them first: if one is lost, an older checkpoint has to do, and nothing of this one may be seen.
  const missing = await firstLost(session, ledger, sink, held);
  if (missing !== null) throw missing;
  const prepared = await ledger.prepared();
  for (const transaction of held) await settle(session, ledger, sink, transaction);
  const kept = new Set(held.map((transaction) => gidOf(sink, transaction)));
  for (const gid of prepared) if (!kept.has(gid)) await finish(session, 'ROLLBACK', gid);
  const unknown = await ledger.giveUpUnknown(numbersOf(restored?.states ?? []));
  if (unknown.length === 0) return [];
  const why = restored === null ? 'the job begins anew' : 'the checkpoint that it goes on from is older';
  const { what, names } = described(sink, unknown);
  return [
    `PostgreSQL at ${session.where}: ${what} in table ${table.table} cannot be taken back, although ${why}: ${names}. What comes again is there twice.`,
  ];
}

/**
 * The same for some writers that have failed, while others write, prepare and commit: what these are to commit again is committed, and what else
 * they have prepared is taken back.
 */
export async function recoverFailed(
  session: Session,
  ledger: Ledger,
  { sink }: PostgresTarget,
  restored: SinkRecovery<Transaction, PieceNumbers> | null,
  { subtasks, committables }: FailedWriters<Transaction>,
): Promise<void> {
  const missing = await firstLost(session, ledger, sink, committables);
  if (missing !== null) throw missing;
  const prepared = await ledger.prepared(subtasks);
  for (const transaction of committables) await settle(session, ledger, sink, transaction);
  // Others may hold what a subtask of that number has prepared before the job was rescaled.
  const kept = new Set((restored?.committables ?? []).map((transaction) => gidOf(sink, transaction)));
  for (const gid of prepared) if (!kept.has(gid)) await finish(session, 'ROLLBACK', gid);
}

/** What keeps a job from going on from a checkpoint, before anything is changed. */
export async function obstaclesOf(
  session: Session,
  ledger: Ledger,
  { sink, table }: PostgresTarget,
  { committables, states }: SinkRecovery<Transaction, PieceNumbers>,
): Promise<Obstacles> {
  const missing = await firstLost(session, ledger, sink, committables);
  const unknown = await ledger.unknown(numbersOf(states));
  const { what, names } = described(sink, unknown);
  const doubled =
    unknown.length === 0
      ? null
      : `PostgreSQL at ${session.where}: ${what} in table ${table.table} were committed later and cannot be taken back: ${names}.`;
  return { damage: missing?.message ?? null, doubled };
}

/** Of those that a checkpoint holds, one that is neither prepared nor committed. */
async function firstLost(
  session: Session,
  ledger: Ledger,
  sink: string,
  held: readonly Transaction[],
): Promise<WeirError | null> {
  const prepared = new Set(await ledger.prepared());
  for (const transaction of held) {
    const gid = gidOf(sink, transaction);
    if (!prepared.has(gid) && !(await ledger.isCommitted(transaction))) return lost(session, gid, transaction);
  }
  return null;
}

function described(
  sink: string,
  transactions: readonly Transaction[],
): { readonly what: string; readonly names: string } {
  const rows = transactions.reduce((sum, transaction) => sum + transaction.rows, 0);
  const count = transactions.length === 1 ? '1 transaction' : `${transactions.length} transactions`;
  return { what: `${count} with ${rows} rows`, names: someOf(transactions.map((one) => gidOf(sink, one))) };
}
