/**
 * Gives a stream its watermarks: one generator per split of the source in this task, combined to their minimum
 * (`flink-reference` §2, §2.2). Upstream watermarks are ignored, except the last one.
 *
 * `on-event` watermarks travel as a column of the batch: `watermarks[k]` is the one in force before row k, so a row is never late against
 * a watermark it caused itself, and a batch is not cut to pieces.
 */

import { BATCH_ROWS, NEVER_INGESTED, RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { BoundedOutOfOrderness, IdlenessTimer, type WatermarkStrategy } from '../time/watermark-strategy.ts';
import { MAX_WATERMARK, NO_WATERMARK, Operator, type OperatorContext } from './operator.ts';

/** How often idleness is checked where watermarks are not periodic, ms (Flink's `pipeline.auto-watermark-interval`). */
const CHECK_INTERVAL_MS = 200;

interface SplitState {
  readonly generator: BoundedOutOfOrderness;
  readonly idleness: IdlenessTimer | null;
  idle: boolean;
}

export class WatermarksOperator extends Operator {
  readonly #strategy: WatermarkStrategy;
  #view!: RecordBatch;
  readonly #splits = new Map<number, SplitState>();
  #trackedVersion = -1;
  readonly #column = new Float64Array(BATCH_ROWS);
  /** Combined watermark; never decreases. */
  #combined = NO_WATERMARK;
  #emitted = NO_WATERMARK;
  #idle = false;
  /** Of a task that reads no split at all. */
  readonly #unoccupied: IdlenessTimer | null;
  /** Time in which timers could not run, ms: the task was held up, so that nobody could have read the splits. It counts for no timeout. */
  #heldUpMs = 0;
  /** Periodic only: ingestion of the first batch since the last check that had a new largest timestamp. */
  #raisedBy = NEVER_INGESTED;
  /** A watermark that found no credits. */
  #held = false;

  constructor(strategy: WatermarkStrategy) {
    super();
    this.#strategy = strategy;
    this.#unoccupied = strategy.idleTimeoutMs === null ? null : new IdlenessTimer(strategy.idleTimeoutMs);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    this.#view = RecordBatch.view(context.inputSchema as Schema);
    const { emit, idleTimeoutMs } = this.#strategy;
    if (emit !== 'on-event' || idleTimeoutMs !== null) this.nextTimer = context.clock.now() + this.#interval;
  }

  get #interval(): number {
    return this.#strategy.emit === 'on-event' ? CHECK_INTERVAL_MS : this.#strategy.emit;
  }

  processBatch(batch: RecordBatch): void {
    this.#track();
    const split = this.#split(batch.split);
    split.idle = false;
    split.idleness?.activity();
    if (this.#idle) this.#setIdle(false);
    const bound = this.#strategy.outOfOrdernessMs;
    if (this.#strategy.emit === 'on-event') {
      const others = this.#minimumOfOthers(split);
      // Splits that ended or went idle since may have freed it before the first row.
      const before = Math.max(this.#combined, Math.min(split.generator.watermark, others));
      const max = advance(batch, this.#column, split.generator.maxTimestamp, before, others, bound);
      split.generator.maxTimestamp = max;
      this.#combined = Math.max(before, Math.min(max - bound - 1, others));
      // Where it is the one known downstream before every row, no column has to travel.
      const last = batch.row(batch.count - 1);
      const view = this.#view.show(batch);
      view.watermarks = (this.#column[last] as number) > this.#emitted ? this.#column : null;
      this.output.emit(view);
      this.#emit();
    } else {
      const max = maxTimestamp(batch, split.generator.maxTimestamp);
      if (max > split.generator.maxTimestamp) this.#raisedBy = Math.min(this.#raisedBy, batch.ingestedAt);
      split.generator.maxTimestamp = max;
      const view = this.#view.show(batch);
      view.watermarks = null;
      this.output.emit(view);
    }
  }

  /** Upstream watermarks end here; the last one does not. */
  override processWatermark(watermark: number): void {
    if (watermark === MAX_WATERMARK) {
      this.#combined = MAX_WATERMARK;
      this.#emit();
    }
  }

  override processIdle(_idle: boolean): void {}

  override onTimer(now: number): void {
    this.#heldUpMs += now - this.nextTimer;
    this.nextTimer = now + this.#interval;
    this.#track();
    const allIdle = this.#strategy.idleTimeoutMs !== null && this.#checkIdleness(now - this.#heldUpMs);
    this.#combine();
    this.#emit();
    this.#raisedBy = NEVER_INGESTED;
    if (allIdle && !this.#idle && !this.pending && this.output.ready()) this.#setIdle(true);
  }

  override resume(): void {
    this.#held = false;
    this.pending = false;
    this.#emit();
  }

  /** Whether nothing is read: every split is idle, or there has been none for the timeout. */
  #checkIdleness(now: number): boolean {
    let all = true;
    for (const split of this.#splits.values()) {
      split.idle = split.idleness?.isIdle(now) ?? false;
      if (!split.idle) all = false;
    }
    if (this.#splits.size > 0) this.#unoccupied?.activity();
    const unoccupied = this.#unoccupied?.isIdle(now) ?? false;
    return this.#splits.size > 0 ? all : unoccupied;
  }

  #setIdle(idle: boolean): void {
    this.#idle = idle;
    this.output.idle(idle);
  }

  #emit(): void {
    if (this.#combined <= this.#emitted || this.#held) return;
    // The change of status may take the last credit.
    if (this.#idle && this.output.ready()) this.#setIdle(false);
    if (!this.output.ready()) {
      this.#held = true;
      this.pending = true;
      return;
    }
    this.#emitted = this.#combined;
    this.output.watermark(this.#combined, Math.min(this.#raisedBy, this.output.ingestedAt));
  }

  #combine(): void {
    let minimum = Number.POSITIVE_INFINITY;
    for (const split of this.#splits.values()) if (!split.idle) minimum = Math.min(minimum, split.generator.watermark);
    if (minimum !== Number.POSITIVE_INFINITY && minimum > this.#combined) this.#combined = minimum;
  }

  /** What the splits other than this one allow; Infinity: nothing holds back. */
  #minimumOfOthers(split: SplitState): number {
    let minimum = Number.POSITIVE_INFINITY;
    for (const other of this.#splits.values()) {
      if (other !== split && !other.idle) minimum = Math.min(minimum, other.generator.watermark);
    }
    return minimum;
  }

  #split(index: number): SplitState {
    let split = this.#splits.get(index);
    if (split === undefined) {
      const { idleTimeoutMs, outOfOrdernessMs } = this.#strategy;
      split = {
        generator: new BoundedOutOfOrderness(outOfOrdernessMs),
        idleness: idleTimeoutMs === null ? null : new IdlenessTimer(idleTimeoutMs),
        idle: false,
      };
      this.#splits.set(index, split);
    }
    return split;
  }

  /** New splits hold the watermark back before their first row, finished ones do not any more. */
  #track(): void {
    const { active, version } = this.context.splits;
    if (version === this.#trackedVersion) return;
    this.#trackedVersion = version;
    for (const index of active) this.#split(index);
    for (const index of this.#splits.keys()) if (index >= 0 && !active.has(index)) this.#splits.delete(index);
  }
}

/** Fills `column` with the watermark before each row that counts; returns the largest timestamp seen. NaN timestamps change nothing. */
function advance(
  batch: RecordBatch,
  column: Float64Array,
  max: number,
  combined: number,
  others: number,
  bound: number,
): number {
  const rows = batch.selection;
  const time = batch.time;
  const count = batch.count;
  let largest = max;
  let current = combined;
  for (let i = 0; i < count; i++) {
    const k = rows === null ? i : (rows[i] as number);
    column[k] = current;
    const t = time[k] as number;
    if (t > largest) {
      largest = t;
      let w = t - bound - 1;
      if (w > others) w = others;
      if (w > current) current = w;
    }
  }
  return largest;
}

function maxTimestamp(batch: RecordBatch, max: number): number {
  const rows = batch.selection;
  const time = batch.time;
  const count = batch.count;
  let largest = max;
  for (let i = 0; i < count; i++) {
    const t = time[rows === null ? i : (rows[i] as number)] as number;
    if (t > largest) largest = t;
  }
  return largest;
}
