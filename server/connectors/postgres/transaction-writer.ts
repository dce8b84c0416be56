/**
 * Writes the rows of each checkpoint in a transaction of their own. Handed over, it is prepared: PostgreSQL keeps it over any crash until
 * somebody commits it or takes it back (`PREPARE TRANSACTION`), and shows none of it before.
 */

import { WeirError } from '#base/errors.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { SinkWriter, WriterContext } from '#engine/io/sink.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import { PieceCounter, type PieceNumbers } from '../piece-numbers.ts';
import { CopyRows } from './copy-rows.ts';
import { applicationOf, gidOf, Ledger, type Transaction } from './ledger.ts';
import type { PostgresTarget } from './postgres-sink.ts';
import { RowSender } from './row-sender.ts';
import { Session } from './session.ts';
import { checkTable, columnList, sqlName } from './table.ts';

export class TransactionWriter implements SinkWriter<Transaction, PieceNumbers> {
  readonly #target: PostgresTarget;
  readonly #subtask: number;
  readonly #numbers: PieceCounter;
  readonly #sender: RowSender;
  #ledger: Ledger | null = null;
  #epoch = 0;
  /** Written since the last hand-over. */
  #rows = 0;
  /** The server has begun a transaction. */
  #begun = false;

  constructor(target: PostgresTarget, context: WriterContext<PieceNumbers>) {
    this.#target = target;
    this.#subtask = context.subtask;
    this.#numbers = new PieceCounter(context);
    const copy = `COPY ${sqlName(target.table)} (${columnList(target.schema)}) FROM STDIN`;
    this.#sender = new RowSender(
      context,
      async () => {
        const session = await Session.open(target.url, applicationOf(target.sink, context.subtask), (error) =>
          context.fail(error),
        );
        this.#ledger = new Ledger(session, target.sink, target.table);
        this.#epoch = await this.#ledger.epochOf(target.owner);
        const instants = await checkTable(session, target.table, target.schema, []);
        return { session, encoder: new CopyRows(target.schema, instants) };
      },
      async (session, rows) => {
        if (!this.#begun) await session.query('no transaction can be begun', 'BEGIN');
        this.#begun = true;
        await session.copy(`rows cannot be written to ${sqlName(target.table)}`, copy, rows);
      },
    );
  }

  ready(): boolean {
    return this.#sender.ready;
  }

  write(batch: RecordBatch): void {
    this.#rows += batch.count;
    this.#sender.write(batch);
  }

  prepareCommit(): Eventually<Transaction[]> {
    if (this.#rows === 0) return [];
    this.#sender.send();
    const transaction = { epoch: 0, subtask: this.#subtask, n: this.#numbers.take(), rows: this.#rows };
    this.#rows = 0;
    return this.#sender.inTurn(async (session) => [
      await this.#prepare(session, { ...transaction, epoch: this.#epoch }),
    ]);
  }

  async #prepare(session: Session, transaction: Transaction): Promise<Transaction> {
    const gid = gidOf(this.#target.sink, transaction);
    await this.#ledger?.record(transaction);
    const { command } = await session.query(`transaction ${gid} cannot be prepared`, `PREPARE TRANSACTION '${gid}'`);
    // A transaction that has failed is taken back by this very command, which does not call that an error.
    if (command !== 'PREPARE')
      throw new WeirError(
        'POSTGRES',
        `PostgreSQL at ${session.where}: transaction ${gid} was taken back (${command}).`,
      );
    this.#begun = false;
    return transaction;
  }

  snapshot(): PieceNumbers {
    return this.#numbers.snapshot();
  }

  close(): void {
    this.#sender.close();
  }
}
