/**
 * The head of a source task: polls a reader into batches, one split at a time. It has no input, so the task calls `poll` instead of
 * `processBatch` whenever its outputs are ready.
 *
 * A snapshot holds the splits as they go on behind the last row that was emitted, and whether the input has ended.
 */

import type { Clock } from '#base/clock.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Fields } from '../batch/schema.ts';
import { Poll, type Source, type SourceReader, type Split } from '../io/source.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { shareOf } from '../state/operator-lists.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { ByteReader, ByteWriter } from '../state/value-codec.ts';
import { ReadingLimits } from '../time/reading-limits.ts';
import { MAX_WATERMARK, Operator, type OperatorContext, type SplitTracker } from './operator.ts';

/** What the reader says to the enumerator, by way of the task. */
export interface EnumeratorLink {
  requestSplit(): void;
  send(event: unknown): void;
}

/** Splits of one source task. */
export class Splits implements SplitTracker {
  readonly active = new Set<number>();
  readonly limits = new ReadingLimits();
  version = 0;
  readonly #names = new Map<number, string>();
  #next = 0;

  /** Without `name` it is called by its index. */
  add(name?: string): number {
    const index = this.#next++;
    this.active.add(index);
    this.#names.set(index, name ?? `${index}`);
    this.version++;
    return index;
  }

  finish(index: number): void {
    if (!this.active.delete(index)) return;
    this.#names.delete(index);
    this.version++;
  }

  nameOf(index: number): string | null {
    return this.#names.get(index) ?? null;
  }
}

/** Names of the state. */
const SPLITS = 'splits';
const ENDED = 'ended';

function bytesOf(value: unknown): Uint8Array {
  const to = new ByteWriter();
  to.value(value);
  return to.take();
}

export class SourceOperator extends Operator {
  readonly #source: Source<Fields, Split>;
  readonly #splits: Splits;
  readonly #link: EnumeratorLink;
  readonly dictionary: Dictionary;
  #reader!: SourceReader;
  #batch!: RecordBatch;
  /** Read to their end, while their last rows may still wait on their way through the chain. */
  readonly #finished: number[] = [];
  /** From a snapshot, until the reader can take them. */
  #restored: readonly Split[] = [];
  #stopped = false;
  #ended = false;

  constructor(source: Source<Fields, Split>, splits: Splits, link: EnumeratorLink, dictionary = new Dictionary()) {
    super();
    this.#source = source;
    this.#splits = splits;
    this.#link = link;
    this.dictionary = dictionary;
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const clock: Clock = context.clock;
    this.#batch = RecordBatch.allocate(this.#source.schema, this.dictionary);
    this.#reader = this.#source.createReader({
      subtask: context.subtask,
      parallelism: context.parallelism,
      clock,
      dictionary: this.dictionary,
      requestSplit: () => this.#link.requestSplit(),
      splitFinished: (index) => this.#finished.push(index),
      paused: this.#splits.limits.paused,
      wake: () => context.wake(),
      send: (event) => this.#link.send(event),
    });
  }

  override start(): void {
    for (const split of this.#restored) this.addSplit(split);
    this.#restored = [];
  }

  override snapshot(): OperatorSnapshot {
    this.#finishSplits();
    const ended = this.#ended || this.#stopped;
    return {
      watermark: this.inputWatermark,
      keyed: [],
      operator: {
        [SPLITS]: { redistribute: 'split', items: ended ? [] : this.#reader.snapshot().map(bytesOf) },
        [ENDED]: { redistribute: 'union', items: ended ? [bytesOf(true)] : [] },
      },
    };
  }

  /** Splits go back to where they were at the same parallelism. An input that had ended, or was stopped, ends again at once. */
  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    const { subtask, parallelism } = this.context;
    const before = snapshots.length === parallelism ? snapshots.slice(subtask, subtask + 1) : snapshots;
    this.#stopped = before.length > 0 && before.every(({ operator }) => (operator[ENDED]?.items.length ?? 0) > 0);
    const items = shareOf(snapshots, this.context).get(SPLITS)?.items ?? [];
    this.#restored = items.map((bytes) => new ByteReader(bytes).value() as Split);
  }

  /** `SourceReader.given` of its reader; null: it does not count. */
  get given(): ReadonlyMap<string, number> | null {
    return this.#reader.given?.() ?? null;
  }

  /** No row will come any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Processing time at which there may be something again, ms. */
  get wakeAt(): number {
    return this.#splits.limits.held ? Number.POSITIVE_INFINITY : this.#reader.wakeAt;
  }

  /** Reads and emits one batch. Only while the outputs are ready; returns what the reader said. */
  poll(): Poll {
    this.#finishSplits();
    if (this.#mustWait()) return Poll.WAIT;
    const batch = this.#batch;
    batch.size = 0;
    batch.selection = null;
    batch.watermarks = null;
    for (const column of batch.columns) if ('reset' in column) column.reset();
    this.output.ingestedAt = this.context.clock.nanos();
    const result = this.#stopped ? Poll.END : this.#reader.poll(batch);
    if (batch.size > 0) {
      const cells = this.context.cells;
      cells[OperatorCell.RECORDS_IN] = (cells[OperatorCell.RECORDS_IN] as number) + batch.size;
      this.output.emit(batch);
    }
    // Rows that wait for credits on their way through the chain still belong to their split.
    const finished = this.output.ready() && this.#finishSplits();
    if (result === Poll.END) this.#ended = true;
    // A split that has ended may have been what others waited for.
    return result === Poll.WAIT && finished && this.#splits.limits.paused.size > 0 ? Poll.MORE : result;
  }

  /** Whether it is further in event time than others that it is aligned with. Splits that are have to wait by themselves. */
  #mustWait(): boolean {
    const { limits, active } = this.#splits;
    if (!limits.any) return false;
    const now = this.context.clock.now();
    if (this.#stopped) limits.release(active, now);
    else limits.update(active, now);
    const all = active.size;
    this.context.cells[OperatorCell.WAITING] = all === 0 ? Number(limits.held) : limits.paused.size / all;
    return limits.held;
  }

  /** Whether there were any. */
  #finishSplits(): boolean {
    if (this.#finished.length === 0) return false;
    while (this.#finished.length > 0) this.#splits.finish(this.#finished.pop() as number);
    return true;
  }

  /** Others of this group are so far that watermarks may come to `watermark` here. */
  allow(group: string, watermark: number): void {
    this.#splits.limits.allow(group, watermark);
  }

  /** Ends the input where it is. */
  stop(): void {
    this.#stopped = true;
  }

  /** Codes this reader knows may be gone. */
  onSwept(): void {
    this.#reader.onDictionarySwept?.();
  }

  addSplit(split: Split): void {
    this.#reader.addSplit(split, this.#splits.add(split.id));
  }

  noMoreSplits(): void {
    this.#reader.noMoreSplits();
  }

  onEvent(event: unknown): void {
    this.#reader.onEvent?.(event);
  }

  processBatch(): void {
    throw new TypeError('A source has no input.');
  }

  override endInput(): void {
    this.output.watermark(MAX_WATERMARK);
  }

  override close(): void {
    this.#reader.close();
  }
}
