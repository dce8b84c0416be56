/** A bounded source whose n-th row is worked out from n, and a sink that forgets what it is given: ends for the warm-up jobs. */

import { makeRowWriter, type RowWriter } from '#engine/batch/cursor.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Fields, Row, Schema } from '#engine/batch/schema.ts';
import type { Sink, SinkWriter } from '#engine/io/sink.ts';
import {
  type Enumerator,
  type EnumeratorContext,
  Poll,
  type ReaderContext,
  type Source,
  type SourceReader,
  type Split,
} from '#engine/io/source.ts';

interface FormulaSplit extends Split {
  readonly from: number;
  readonly to: number;
}

export interface FormulaOptions<F extends Fields> {
  readonly rows: number;
  readonly splits: number;
  readonly row: (n: number) => Row<F>;
  /** Event timestamp of row n, ms. */
  readonly time: (n: number) => number;
}

export class FormulaSource<F extends Fields> implements Source<F, FormulaSplit> {
  readonly schema: Schema<F>;
  readonly bounded = true;
  readonly #options: FormulaOptions<F>;

  constructor(schema: Schema<F>, options: FormulaOptions<F>) {
    this.schema = schema;
    this.#options = options;
  }

  createEnumerator(context: EnumeratorContext<FormulaSplit>): Enumerator {
    const { rows, splits } = this.#options;
    return {
      start: () => {
        for (let s = 0; context.restored === null && s < splits; s++) {
          const from = Math.floor((rows * s) / splits);
          const to = Math.floor((rows * (s + 1)) / splits);
          context.assign(s % context.parallelism, { id: `formula-${s}`, from, to });
        }
        for (let subtask = 0; subtask < context.parallelism; subtask++) context.noMoreSplits(subtask);
      },
      onSplitRequest: () => {},
      snapshot: () => 'dealt',
      close: () => {},
    };
  }

  createReader(context: ReaderContext): FormulaReader<F> {
    return new FormulaReader(context, this.schema, this.#options);
  }
}

/** Splits take turns, a batch each. */
class FormulaReader<F extends Fields> implements SourceReader<FormulaSplit> {
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly #context: ReaderContext;
  readonly #options: FormulaOptions<F>;
  readonly #write: RowWriter;
  readonly #open: { id: string; index: number; next: number; to: number }[] = [];
  #noMore = false;

  constructor(context: ReaderContext, schema: Schema<F>, options: FormulaOptions<F>) {
    this.#context = context;
    this.#options = options;
    this.#write = makeRowWriter(schema, 'formula');
  }

  addSplit({ id, from, to }: FormulaSplit, index: number): void {
    this.#open.push({ id, index, next: from, to });
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(batch: RecordBatch): Poll {
    const turn = this.#open.findIndex(({ index }) => !this.#context.paused.has(index));
    const split = turn < 0 ? undefined : this.#open.splice(turn, 1)[0];
    if (split === undefined) return this.#noMore && this.#open.length === 0 ? Poll.END : Poll.WAIT;
    const { row, time } = this.#options;
    const size = Math.min(batch.capacity, split.to - split.next);
    for (let k = 0; k < size; k++) {
      const n = split.next + k;
      this.#write(batch, k, row(n));
      batch.time[k] = time(n);
    }
    batch.size = size;
    batch.split = split.index;
    split.next += size;
    if (split.next < split.to) this.#open.push(split);
    else this.#context.splitFinished(split.index);
    return Poll.MORE;
  }

  snapshot(): readonly FormulaSplit[] {
    return this.#open.map(({ id, next, to }) => ({ id, from: next, to }));
  }

  close(): void {}
}

/** Its cells count what came (`RECORDS_IN`). */
export class ForgetfulSink implements Sink<never> {
  createWriter(): SinkWriter<never> {
    return { write: () => {}, prepareCommit: () => [], close: () => {} };
  }

  createCommitter(): null {
    return null;
  }
}
