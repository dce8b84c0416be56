/** A bounded source of few rows that are known when the job is built: rules, thresholds, tables to look up. One split, in the order given. */

import { makeRowWriter, type RowWriter } from '#engine/batch/cursor.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Fields, Row, Schema } from '#engine/batch/schema.ts';
import {
  type Enumerator,
  type EnumeratorContext,
  Poll,
  type ReaderContext,
  type Source,
  type SourceReader,
  type Split,
} from '#engine/io/source.ts';

interface RowsSplit extends Split {
  /** Number of the next row. */
  readonly next: number;
}

export class RowsSource<F extends Fields> implements Source<F, RowsSplit> {
  readonly schema: Schema<F>;
  readonly bounded = true;
  readonly #rows: readonly Row<F>[];
  readonly #timeOf: (row: Row<F>) => number;

  /** `timeOf`: event timestamp of a row, ms. */
  constructor(schema: Schema<F>, rows: readonly Row<F>[], timeOf: (row: Row<F>) => number) {
    this.schema = schema;
    this.#rows = rows;
    this.#timeOf = timeOf;
  }

  createEnumerator(context: EnumeratorContext<RowsSplit>): Enumerator {
    return {
      start: () => {
        if (context.restored === null) context.assign(0, { id: 'rows', next: 0 });
        for (let subtask = 0; subtask < context.parallelism; subtask++) context.noMoreSplits(subtask);
      },
      onSplitRequest: () => {},
      addSplitsBack: (splits, subtask) => {
        for (const split of splits) context.assign(subtask, split as RowsSplit);
        context.noMoreSplits(subtask);
      },
      snapshot: () => 'dealt',
      close: () => {},
    };
  }

  createReader(context: ReaderContext): SourceReader<RowsSplit> {
    return new RowsReader(context, makeRowWriter(this.schema, 'rows'), this.#rows, this.#timeOf);
  }
}

class RowsReader<F extends Fields> implements SourceReader<RowsSplit> {
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly #context: ReaderContext;
  readonly #write: RowWriter;
  readonly #rows: readonly Row<F>[];
  readonly #timeOf: (row: Row<F>) => number;
  #split: RowsSplit | null = null;
  #index = -1;
  #next = 0;
  #complete = false;

  constructor(context: ReaderContext, write: RowWriter, rows: readonly Row<F>[], timeOf: (row: Row<F>) => number) {
    this.#context = context;
    this.#write = write;
    this.#rows = rows;
    this.#timeOf = timeOf;
  }

  addSplit(split: RowsSplit, index: number): void {
    this.#split = split;
    this.#index = index;
    this.#next = split.next;
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#complete = true;
    this.#context.wake();
  }

  poll(batch: RecordBatch): Poll {
    if (this.#split === null) return this.#complete ? Poll.END : Poll.WAIT;
    const size = Math.min(batch.capacity, this.#rows.length - this.#next);
    for (let k = 0; k < size; k++) {
      const row = this.#rows[this.#next + k] as Row<F>;
      this.#write(batch, k, row as Readonly<Record<string, unknown>>);
      batch.time[k] = this.#timeOf(row);
    }
    batch.size = size;
    batch.split = this.#index;
    this.#next += size;
    if (this.#next === this.#rows.length) {
      this.#context.splitFinished(this.#index);
      this.#split = null;
    }
    return Poll.MORE;
  }

  snapshot(): readonly RowsSplit[] {
    return this.#split === null ? [] : [{ ...this.#split, next: this.#next }];
  }

  close(): void {}
}
