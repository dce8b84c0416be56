/**
 * The operator contract. One method is required; every other life event is a hook with a harmless default.
 *
 *   open ─> [restore ─> load*] ─> start ─> (processBatch | processWatermark | processIdle | onTimer)* ─> endInput ─> close
 *
 * Credits. An operator emits only while `output.ready()`. It is called only when all its outputs are ready, so whoever emits at most one
 * batch (or one watermark) per call need not ask. Whoever may emit more asks before each one; when the answer is no it remembers where it
 * stopped, sets `pending` and goes on in `resume`. A batch it was given stays valid until it is no longer pending.
 *
 * Thread contract: one thread, never re-entered.
 */

import type { Clock } from '#base/clock.ts';
import type { Swept } from '../batch/dictionary.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { KeyedBlock } from '../state/keyed-blocks.ts';
import { restoredWatermark } from '../state/keyed-snapshot.ts';
import type { Eventually, KeyedStateBackend } from '../state/keyed-state.ts';
import { EMPTY_SNAPSHOT, type OwnSnapshot, type TakenSnapshot } from '../state/snapshot.ts';
import type { StateKeys } from '../state/state-keys.ts';
import type { ReadingLimits } from '../time/reading-limits.ts';
import type { Output } from './output.ts';

/** The first watermark of every operator: none yet (Java's Long.MIN_VALUE). */
export const NO_WATERMARK = Number.NEGATIVE_INFINITY;
/** The last one, at the end of the input (Java's Long.MAX_VALUE). */
export const MAX_WATERMARK = Number.POSITIVE_INFINITY;

export interface OperatorContext {
  /** Name of the operator, for errors. */
  readonly name: string;
  readonly subtask: number;
  readonly parallelism: number;
  /** Number of key groups; those of this subtask are `keyGroupRange(subtask, parallelism, maxParallelism)`. */
  readonly maxParallelism: number;
  readonly clock: Clock;
  /** Schema of the batches that come; null for sources. */
  readonly inputSchema: Schema | null;
  /** Schema of the second input, of operators that have two. */
  readonly secondSchema: Schema | null;
  /** Cells of this operator (`metrics/cells.ts`). */
  readonly cells: Float64Array;
  /** Main output. */
  readonly output: Output;
  /** Side output by tag; one without consumers if nobody reads it. */
  sideOutput(tag: string): Output;
  /** Splits of the source in this task, for watermarks per split. */
  readonly splits: SplitTracker;
  /** A backend for keyed state, of the kind the job asked for; the operator closes it. */
  stateBackend(keys: StateKeys): KeyedStateBackend;
  /** A dictionary, or keys, that this operator fills: swept between batches when it grows past its bound. */
  own(dictionary: Swept): void;
  /** Plain data to the main thread. */
  report(message: unknown): void;
  /** The job takes checkpoints: what sinks stage becomes visible with them. */
  readonly checkpointing: boolean;
  /** Something failed outside of any call: the job fails. Callable from I/O callbacks. */
  fail(error: Error): void;
  /** The operator has something to do again (`resume`, a timer that moved); callable from I/O callbacks. */
  wake(): void;
}

/** Which splits of the task's source are being read: a split that has given no row yet holds the watermark back, a finished one does not. */
export interface SplitTracker {
  /** Indexes of splits assigned and not finished. */
  readonly active: ReadonlySet<number>;
  /** `Split.id` of an active one; null: there is none with this index. */
  nameOf(index: number): string | null;
  /** How far the source may read. */
  readonly limits: ReadingLimits;
  /** Changes whenever `active` does. */
  readonly version: number;
}

export abstract class Operator {
  protected context!: OperatorContext;
  protected output!: Output;
  /** Stopped for want of credits; call `resume` when the outputs are ready. */
  pending = false;
  /** Processing time in ms at which `onTimer` wants to be called; Infinity: not at all. */
  nextTimer = Number.POSITIVE_INFINITY;

  open(context: OperatorContext): void {
    this.context = context;
    this.output = context.output;
  }

  /** Last watermark of the input, ms. */
  protected get inputWatermark(): number {
    return this.context.cells[OperatorCell.INPUT_WATERMARK] as number;
  }

  /** Once, before the first element: restored state is there, and what the user wrote is opened. */
  start(): void {}

  /** `input`: 0, and 1 for the second input of operators that have two. */
  abstract processBatch(batch: RecordBatch, input: number): void;

  processWatermark(watermark: number): void {
    this.output.watermark(watermark);
  }

  /** The input's watermark status: idle inputs hold no watermark back. With two inputs, watermark and status are those of both together. */
  processIdle(idle: boolean): void {
    this.output.idle(idle);
  }

  /** Only called while not pending and outputs ready. */
  onTimer(_now: number): void {}

  resume(): void {}

  /**
   * A barrier overtakes rows. Until `overdraw(false)` all outputs take more than there are credits for, and whoever waits for something outside
   * takes what is given, too, as copies that belong to its state; `pending` is then only what cannot be copied. Nothing lent is held behind it.
   */
  overdraw(_on: boolean): void {}

  /** Bytes of the copies that it has taken so and has not passed on; an estimate. */
  get heldBytes(): number {
    return 0;
  }

  /** The input has ended, or both have; the MAX watermark came before. */
  endInput(): void {}

  /** The task has nothing else to do just now, or 100 ms have passed. */
  onQuiet(): void {}

  /**
   * All state, as of now; only called between elements, while not pending. What is emitted already is not part of it. Only the moment is fixed
   * at once where there is much of it: key groups that are taken later show that moment, though the operator goes on meanwhile. Of an
   * operator without state of its own: the last watermark of its input.
   * `checkpoint`: its number; they rise.
   */
  snapshot(_checkpoint: number): Eventually<TakenSnapshot> {
    return { ...EMPTY_SNAPSHOT, watermark: this.inputWatermark };
  }

  /**
   * Takes over state that belongs to no key: called once, between `open` and `start`, with the snapshots that all subtasks of this operator gave at
   * one point of the stream, in the order of subtasks, at whatever parallelism. Here it takes its watermark
   * (`inputWatermark`), which no later one of the input is below; downstream knows it again with the first that comes.
   */
  restore(snapshots: readonly OwnSnapshot[]): void {
    this.context.cells[OperatorCell.INPUT_WATERMARK] = restoredWatermark(snapshots, this.context);
  }

  /**
   * Takes over keyed state, block by block behind `restore`: those of its own key groups, in the order of the subtasks that gave them. Later: it is
   * not where it belongs yet, and the next block has to wait if memory is to be bounded.
   */
  load(_block: KeyedBlock): Eventually<void> {}

  /** That checkpoint is complete, and so is whatever belongs to the ones before: the news of some may have been lost (`flink-reference` §4.2). */
  notifyComplete(_checkpoint: number): void {}

  /** That checkpoint will never be complete. What was taken out for it belongs to the next one. */
  notifyAborted(_checkpoint: number): void {}

  /** Something outside owes an answer, and will call `wake`: there is no use in moving a manual clock before. */
  get awaiting(): boolean {
    return false;
  }

  /** Bytes of state held, of keys and of the subtask; an estimate. */
  get stateBytes(): number {
    return 0;
  }

  /** Answers a question asked from outside; plain data in and out. */
  inspect(_query: unknown): unknown {
    return null;
  }

  close(): void {}
}
