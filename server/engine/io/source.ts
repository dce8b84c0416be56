/**
 * What a connector implements to bring data in (Flink's FLIP-27 in our words).
 *
 *   main thread                          task manager thread, one per source subtask
 *   ┌────────────┐  assign(split)        ┌──────────────┐  poll(batch)   ┌─────────────────┐
 *   │ Enumerator │ ────────────────────> │ SourceReader │ <───────────── │ source operator │ ──> chain
 *   │            │ <──────────────────── │              │ ─────────────> │                 │
 *   └────────────┘  requestSplit()       └──────────────┘  rows          └─────────────────┘
 *
 * The number of splits has nothing to do with the parallelism. Splits and events cross threads: plain data only (structured clone).
 */

import type { Clock } from '#base/clock.ts';
import type { Dictionary } from '../batch/dictionary.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Schema } from '../batch/schema.ts';

/** A part of the input that one reader reads in order. `id` is unique within the source and names it to people. */
export interface Split {
  readonly id: string;
}

export interface Source<F extends Fields = Fields, S extends Split = Split> {
  readonly schema: Schema<F>;
  /** Whether the input ends by itself. */
  readonly bounded: boolean;
  /** Runs on the main thread, once per job attempt. */
  createEnumerator(context: EnumeratorContext<S>): Enumerator;
  /** Runs in the subtask's thread. */
  createReader(context: ReaderContext): SourceReader<S>;
}

export interface EnumeratorContext<S extends Split> {
  readonly parallelism: number;
  readonly clock: Clock;
  /**
   * What `Enumerator.snapshot` gave at the checkpoint from which the job goes on; null: the job begins. Splits that readers had then come back
   * to readers by themselves, to the same subtask if the parallelism is the same; the enumerator deals the others, and tells readers
   * again that there are no more.
   */
  readonly restored: unknown;
  assign(subtask: number, split: S): void;
  /** That reader will get no more splits; it ends when it has read what it has. */
  noMoreSplits(subtask: number): void;
  /** Event to one reader's `onEvent`. */
  send(subtask: number, event: unknown): void;
  /** Fails the job. */
  fail(error: unknown): void;
}

export interface Enumerator {
  /** Every reader has started. */
  start(): void;
  /** A reader wants (another) split. */
  onSplitRequest(subtask: number): void;
  /** Control from outside the job (settings changed while it runs, injections). */
  onControl?(event: unknown): void;
  /** From a reader's `ReaderContext.send`. */
  onReaderEvent?(subtask: number, event: unknown): void;
  /**
   * That reader, one of several, had failed and runs again from the last checkpoint, while the others went on: `splits` were assigned to it since, and
   * are nobody's again; there may be none. What else it was told since, that there are no more splits above all, it has forgotten. Absent: where
   * one of several readers fails the whole job restarts. (Flink's `addSplitsBack` and `addReader`.)
   */
  addSplitsBack?(splits: readonly Split[], subtask: number): void;
  /** Plain data: what is not assigned yet, and whatever `onControl` has changed. What it assigned before belongs to the readers. */
  snapshot(): unknown;
  close(): void;
}

export interface ReaderContext {
  readonly subtask: number;
  readonly parallelism: number;
  readonly clock: Clock;
  /**
   * The one dictionary of all string columns of the batches this reader fills. Between polls it may be swept: see `onDictionarySwept`. Codes a
   * reader keeps for ever (a fixed set of devices) it holds with `Dictionary.hold`. */
  readonly dictionary: Dictionary;
  /** Asks the enumerator; the answer comes as `addSplit` or `noMoreSplits`. */
  requestSplit(): void;
  /** The split with this index (`SourceReader.addSplit`) is read to its end: it holds back no watermark any more. */
  splitFinished(index: number): void;
  /**
   * Indexes of splits that are too far ahead in event time (watermark alignment): as long as one is in here `poll` gives no rows of it, but
   * of others. Looked at in every poll; `poll` is called again when something has changed. Where it holds all of them `poll` is not called.
   */
  readonly paused: ReadonlySet<number>;
  /** There may be something to read again. Callable from I/O callbacks. */
  wake(): void;
  /** Event to the enumerator's `onReaderEvent`. */
  send(event: unknown): void;
}

/** What `poll` found. */
export const Poll = {
  /** Rows were written, or may be at once: ask again. */
  MORE: 0,
  /** Nothing now: ask again after `ReaderContext.wake` or at `SourceReader.wakeAt`. */
  WAIT: 1,
  /** No row will ever come again. */
  END: 2,
} as const;
export type Poll = (typeof Poll)[keyof typeof Poll];

export interface SourceReader<S extends Split = Split> {
  /** `index` names the split in `RecordBatch.split`; 0, 1, 2 … per reader, never used again. */
  addSplit(split: S, index: number): void;
  noMoreSplits(): void;
  /**
   * Writes up to `batch.capacity` rows of ONE split: columns, `time` (event timestamp, NaN where a row has none), `size`, `split`.
   * The batch comes with size 0 and no selection; bytes columns are reset. Must not block and should return within about a millisecond.
   */
  poll(batch: RecordBatch): Poll;
  /** Processing time in ms at which `poll` will have something after it said WAIT; Infinity: only `wake` knows. */
  readonly wakeAt: number;
  /**
   * Every split that is not read to its end, as it goes on behind the last row that was polled: plain data with the split's own `id`. Given to
   * `addSplit` of any reader, in another process too, it gives the very rows that were still to come. Called between polls.
   */
  snapshot(): readonly S[];
  /**
   * Rows given so far of each split, since its very beginning, by the source's own count: of those being read, and of those that this reader has
   * read to the end. What the engine has counted is compared with it (`runtime/job/row-accounts.ts`).
   */
  given?(): ReadonlyMap<string, number>;
  /** The dictionary was swept: forget every code that you did not hold. */
  onDictionarySwept?(): void;
  /** From the enumerator's `EnumeratorContext.send`. */
  onEvent?(event: unknown): void;
  close(): void;
}
