/**
 * A whole job over rows in memory: a bounded source that cuts its splits into batches as it is told, and a sink that keeps everything, for
 * `LocalExecutor`.
 *
 *   const results = new CollectSink();
 *   const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 2 });
 *   env.fromSource(fromRows(Reading, rows, { splits: 3, cut: () => 7 }), 'rows').keyBy('device')….sinkTo(results, 'results');
 *   new LocalExecutor(env.jobGraph(), { seed, channels: 'mixed' }).run();
 */

import { makeRowWriter, type RowWriter } from '#engine/batch/cursor.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Fields, Row, Schema } from '#engine/batch/schema.ts';
import type { Committer, Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import {
  type Enumerator,
  type EnumeratorContext,
  Poll,
  type ReaderContext,
  type Source,
  type SourceReader,
  type Split,
} from '#engine/io/source.ts';
import { type PlainRow, rowsOf } from './harness.ts';

export interface TimedRow<F extends Fields> {
  readonly row: Row<F>;
  /** Event timestamp, ms; null: none. */
  readonly time: number | null;
}

export interface RowsOptions {
  /** 1 if not given. */
  readonly splits?: number;
  /** Split of row i; `i % splits` if not given. */
  readonly splitOf?: (i: number) => number;
  /** Rows of the next batch; 2,048 if not given. */
  readonly cut?: () => number;
  /**
   * `together` (default): every reader gets its share of the splits at once and reads them in turns. `one-by-one`: a reader asks for the next
   * split when it has read the one before.
   */
  readonly deal?: 'together' | 'one-by-one';
  /** A reader gives one batch every so many ms, the first at once; without it all that are wanted. */
  readonly everyMs?: number;
  /** Called for every reader when it is made. */
  readonly onReader?: (context: ReaderContext) => void;
}

export interface RowsSplit extends Split {
  readonly index: number;
  /** Number of its next row. */
  readonly at: number;
}

/** A bounded source of rows in memory. */
export function fromRows<F extends Fields>(
  schema: Schema<F>,
  rows: readonly TimedRow<F>[],
  options: RowsOptions = {},
): Source<F, RowsSplit> {
  const splits = options.splits ?? 1;
  const splitOf = options.splitOf ?? ((i) => i % splits);
  return {
    schema,
    bounded: true,
    createEnumerator: (context) => new RowsEnumerator(context, splits, options.deal ?? 'together'),
    createReader: (context) => {
      options.onReader?.(context);
      return new RowsReader(
        context,
        schema,
        (split) => rows.filter((_, i) => splitOf(i) === split),
        options.cut ?? (() => 2048),
        options.deal ?? 'together',
        options.everyMs ?? 0,
      );
    },
  };
}

interface RowsUndealt {
  /** The first split that was never dealt. */
  readonly next: number;
  readonly back: readonly RowsSplit[];
}

class RowsEnumerator implements Enumerator {
  readonly #context: EnumeratorContext<RowsSplit>;
  readonly #splits: number;
  readonly #deal: 'together' | 'one-by-one';
  #next: number;
  /** Of readers that had failed. */
  readonly #back: RowsSplit[];

  constructor(context: EnumeratorContext<RowsSplit>, splits: number, deal: 'together' | 'one-by-one') {
    this.#context = context;
    this.#splits = splits;
    this.#deal = deal;
    const { next, back } = (context.restored as RowsUndealt | null) ?? { next: 0, back: [] };
    this.#next = next;
    this.#back = [...back];
  }

  start(): void {
    if (this.#deal === 'one-by-one') return;
    const { parallelism } = this.#context;
    for (; this.#next < this.#splits; this.#next++) this.#assign(this.#next % parallelism, this.#next);
    for (let subtask = 0; subtask < parallelism; subtask++) this.#context.noMoreSplits(subtask);
  }

  onSplitRequest(subtask: number): void {
    const back = this.#back.shift();
    if (back !== undefined) this.#context.assign(subtask, back);
    else if (this.#next < this.#splits) this.#assign(subtask, this.#next++);
    else this.#context.noMoreSplits(subtask);
  }

  addSplitsBack(splits: readonly RowsSplit[], subtask: number): void {
    if (this.#deal === 'one-by-one') {
      this.#back.push(...splits);
      return;
    }
    for (const split of splits) this.#context.assign(subtask, split);
    this.#context.noMoreSplits(subtask);
  }

  snapshot(): RowsUndealt {
    return { next: this.#next, back: [...this.#back] };
  }

  close(): void {}

  #assign(subtask: number, index: number): void {
    this.#context.assign(subtask, { id: `rows-${index}`, index, at: 0 });
  }
}

interface OpenSplit<F extends Fields> {
  readonly split: RowsSplit;
  readonly index: number;
  readonly rows: readonly TimedRow<F>[];
  at: number;
}

class RowsReader<F extends Fields> implements SourceReader<RowsSplit> {
  readonly #context: ReaderContext;
  readonly #write: RowWriter;
  readonly #rowsOf: (split: number) => readonly TimedRow<F>[];
  readonly #cut: () => number;
  readonly #asks: boolean;
  #asked = false;
  readonly #open: OpenSplit<F>[] = [];
  #complete = false;
  readonly #everyMs: number;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(
    context: ReaderContext,
    schema: Schema<F>,
    rows: (split: number) => readonly TimedRow<F>[],
    cut: () => number,
    deal: 'together' | 'one-by-one',
    everyMs: number,
  ) {
    this.#context = context;
    this.#everyMs = everyMs;
    this.#write = makeRowWriter(schema, 'rows');
    this.#rowsOf = rows;
    this.#cut = cut;
    this.#asks = deal === 'one-by-one';
  }

  addSplit(split: RowsSplit, index: number): void {
    this.#open.push({ split, index, rows: this.#rowsOf(split.index), at: split.at });
    this.#asked = false;
  }

  noMoreSplits(): void {
    this.#complete = true;
  }

  get wakeAt(): number {
    const { paused } = this.#context;
    return this.#open.some(({ index }) => !paused.has(index)) ? this.#nextAt : Number.POSITIVE_INFINITY;
  }

  poll(batch: RecordBatch): Poll {
    const now = this.#context.clock.now();
    if (now < this.#nextAt && this.#open.length > 0) return Poll.WAIT;
    const turn = this.#open.findIndex(({ index }) => !this.#context.paused.has(index));
    if (turn < 0) {
      if (this.#open.length > 0) return Poll.WAIT;
      if (!this.#complete) this.#ask();
      return this.#complete ? Poll.END : Poll.WAIT;
    }
    if (this.#everyMs > 0) this.#nextAt = now + this.#everyMs;
    const split = this.#open.splice(turn, 1)[0] as OpenSplit<F>;
    const rows = split.rows.slice(split.at, split.at + Math.min(this.#cut(), batch.capacity));
    for (const [k, { row, time }] of rows.entries()) {
      this.#write(batch, k, row);
      batch.time[k] = time ?? Number.NaN;
    }
    batch.size = rows.length;
    batch.split = split.index;
    split.at += rows.length;
    if (split.at < split.rows.length) {
      this.#open.push(split);
    } else {
      this.#context.splitFinished(split.index);
      this.#ask();
    }
    return Poll.MORE;
  }

  #ask(): void {
    if (!this.#asks || this.#asked) return;
    this.#asked = true;
    this.#context.requestSplit();
  }

  snapshot(): readonly RowsSplit[] {
    return this.#open.map(({ split, at }) => ({ ...split, at }));
  }

  close(): void {}
}

export interface CollectedRow {
  readonly row: PlainRow;
  readonly time: number | null;
  readonly subtask: number;
}

/** Keeps what is written, in order of arrival; what is committed as well. */
export class CollectSink implements Sink<CollectedRow[]> {
  readonly rows: CollectedRow[] = [];
  readonly committed: CollectedRow[] = [];
  /** Writers made, closed, and commits. */
  opened = 0;
  closed = 0;
  commits = 0;

  createWriter(context: WriterContext): SinkWriter<CollectedRow[]> {
    this.opened++;
    let staged: CollectedRow[] = [];
    return {
      write: (batch) => {
        for (const [i, row] of rowsOf(batch).entries()) {
          const time = batch.time[batch.row(i)] as number;
          const collected = { row, time: Number.isNaN(time) ? null : time, subtask: context.subtask };
          this.rows.push(collected);
          staged.push(collected);
        }
      },
      prepareCommit: () => {
        const handed = staged;
        staged = [];
        return handed.length === 0 ? [] : [handed];
      },
      close: () => {
        this.closed++;
      },
    };
  }

  createCommitter(): Committer<CollectedRow[]> {
    return {
      commit: (committables) => {
        this.commits++;
        for (const rows of committables) this.committed.push(...rows);
        return [];
      },
    };
  }
}
