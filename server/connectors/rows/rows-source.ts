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

export class RowsSource<F extends Fields> implements Source<F, Split> {
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

  createEnumerator(context: EnumeratorContext<Split>): Enumerator {
    return {
      start: () => {
        context.assign(0, { id: 'rows' });
        for (let subtask = 0; subtask < context.parallelism; subtask++) context.noMoreSplits(subtask);
      },
      onSplitRequest: () => {},
      close: () => {},
    };
  }

  createReader(context: ReaderContext): SourceReader<Split> {
    return new RowsReader(context, makeRowWriter(this.schema, 'rows'), this.#rows, this.#timeOf);
  }
}

class RowsReader<F extends Fields> implements SourceReader<Split> {
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly #context: ReaderContext;
  readonly #write: RowWriter;
  readonly #rows: readonly Row<F>[];
  readonly #timeOf: (row: Row<F>) => number;
  #split = -1;
  #next = 0;
  #complete = false;

  constructor(context: ReaderContext, write: RowWriter, rows: readonly Row<F>[], timeOf: (row: Row<F>) => number) {
    this.#context = context;
    this.#write = write;
    this.#rows = rows;
    this.#timeOf = timeOf;
  }

  addSplit(_split: Split, index: number): void {
    this.#split = index;
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#complete = true;
    this.#context.wake();
  }

  poll(batch: RecordBatch): Poll {
    if (this.#split < 0) return this.#complete ? Poll.END : Poll.WAIT;
    const size = Math.min(batch.capacity, this.#rows.length - this.#next);
    for (let k = 0; k < size; k++) {
      const row = this.#rows[this.#next + k] as Row<F>;
      this.#write(batch, k, row as Readonly<Record<string, unknown>>);
      batch.time[k] = this.#timeOf(row);
    }
    batch.size = size;
    batch.split = this.#split;
    this.#next += size;
    if (this.#next === this.#rows.length) {
      this.#context.splitFinished(this.#split);
      this.#split = -1;
    }
    return Poll.MORE;
  }

  close(): void {}
}
