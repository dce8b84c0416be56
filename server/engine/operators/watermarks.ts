/**
 * Gives a stream its watermarks: one generator per split of the source in this task, combined to their minimum
 * (`flink-reference` §2, §2.2). Upstream watermarks are ignored, except the last one.
 *
 * Watermarks that move with rows travel as a column of the batch: `watermarks[k]` is the one in force before row k, so a row is never late
 * against a watermark it caused itself, and a batch is not cut to pieces.
 *
 * When the job goes on from a snapshot every split finds its own state by its id, in whichever subtask it is read now; and what had been
 * emitted is emitted again before the first row, because the channels downstream begin at none.
 */

import { BATCH_ROWS, NEVER_INGESTED, RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Schema } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { ByteReader, ByteWriter } from '../state/value-codec.ts';
import { IdlenessTimer } from '../time/idleness.ts';
import { DEFAULT_INTERVAL_MS, type TimestampAssigner, type WatermarkStrategy } from '../time/watermark-strategy.ts';
import { MAX_WATERMARK, NO_WATERMARK, Operator, type OperatorContext } from './operator.ts';
import { originColumn, originOf, rowOfTime } from './row-origin.ts';
import { type SplitState, SplitWatermark } from './split-watermark.ts';
import {
  type AssignTimestamps,
  advance,
  type Generate,
  makeAssignTimestamps,
  makeGenerate,
  maxTimestamp,
} from './watermark-loops.ts';
import type { WatermarkReport } from './watermark-report.ts';

/** Name of the state. */
const WATERMARKS = 'watermarks';

/** What one subtask puts into a snapshot: an item of a union list. */
interface SubtaskState {
  readonly combined: number;
  readonly idle: boolean;
  readonly splits: readonly SplitState[];
}

export class WatermarksOperator extends Operator {
  readonly #strategy: WatermarkStrategy;
  #view!: RecordBatch;
  readonly #splits = new Map<number, SplitWatermark>();
  #trackedVersion = -1;
  readonly #column = new Float64Array(BATCH_ROWS);
  /** Timestamps that are assigned here. */
  #time = new Float64Array(0);
  #assign: AssignTimestamps | null = null;
  #generate: Generate | null = null;
  /** Column that says who a row is from; -1: nobody asks. */
  #origin = -1;
  /** Combined watermark; never decreases. */
  #combined = NO_WATERMARK;
  #emitted = NO_WATERMARK;
  #idle = false;
  /** Of a task that reads no split at all. */
  readonly #unoccupied: IdlenessTimer | null;
  /** Time of `#unoccupied` in which timers could not run, ms. */
  #heldUpMs = 0;
  /** Periodic only: ingestion of the first batch since the last check that had a new largest timestamp. */
  #raisedBy = NEVER_INGESTED;
  /** A watermark that found no credits. */
  #held = false;
  /** What splits that are not there yet go on with, by id. */
  readonly #restored = new Map<string | null, SplitState>();
  /** Nothing was said since the restore, and whether the stream was idle. */
  #announces: { readonly idle: boolean } | null = null;
  /** `Clock.nanos()` when it was opened. */
  #since = 0;

  constructor(strategy: WatermarkStrategy) {
    super();
    this.#strategy = strategy;
    this.#unoccupied = strategy.idleTimeoutMs === null ? null : new IdlenessTimer(strategy.idleTimeoutMs);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    this.#since = context.clock.nanos();
    const input = context.inputSchema as Schema;
    this.#view = RecordBatch.view(input);
    const { watermarks, emit, idleTimeoutMs, timestampAssigner, origin } = this.#strategy;
    if (timestampAssigner !== null) {
      this.#time = new Float64Array(BATCH_ROWS);
      this.#assign = makeAssignTimestamps(input, timestampAssigner as TimestampAssigner<Fields>, context.name);
    }
    if (origin !== null) this.#origin = originColumn(input, origin, context.name);
    if (watermarks.kind === 'custom') {
      const raisedBy = (batch: RecordBatch, split: SplitWatermark, row: number): void => {
        split.origin = originOf(batch, this.#origin, row);
      };
      this.#generate = makeGenerate(input, emit === 'on-event', origin === null ? null : raisedBy);
    }
    this.#align();
    if (emit !== 'on-event' || idleTimeoutMs !== null || watermarks.kind === 'custom')
      this.nextTimer = context.clock.now() + this.#interval;
  }

  override snapshot(): OperatorSnapshot {
    this.#track();
    const { splits } = this.context;
    const state: SubtaskState = {
      combined: this.#combined,
      idle: this.#idle,
      splits: [...this.#splits.values()].map((split) => split.snapshot(splits.nameOf(split.index))),
    };
    const to = new ByteWriter();
    to.value(state);
    return {
      watermark: this.inputWatermark,
      keyed: [],
      operator: { [WATERMARKS]: { redistribute: 'union', items: [to.take()] } },
    };
  }

  /** A subtask goes on from its own watermark; at another parallelism from the lowest, as the operators behind it do. */
  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    const { subtask, parallelism } = this.context;
    const statesOf = (some: readonly OperatorSnapshot[]): SubtaskState[] =>
      some
        .flatMap(({ operator }) => operator[WATERMARKS]?.items ?? [])
        .map((bytes) => new ByteReader(bytes).value() as SubtaskState);
    const states = statesOf(snapshots);
    const before = snapshots.length === parallelism ? statesOf(snapshots.slice(subtask, subtask + 1)) : states;
    if (before.length === 0) return;
    this.#combined = Math.min(...before.map(({ combined }) => combined));
    this.#announces = { idle: before.every(({ idle }) => idle) };
    this.pending = true;
    for (const state of states.flatMap((each) => each.splits)) {
      if (state.split !== null) this.#restored.set(state.split, state);
    }
    const fromChannels = before.flatMap(({ splits }) => splits.filter(({ split }) => split === null));
    if (fromChannels.length === 0) return;
    this.#restored.set(null, lowest(fromChannels));
    this.#split(-1);
  }

  /** Idleness is checked even where watermarks are not periodic. */
  get #interval(): number {
    return this.#strategy.emit === 'on-event' ? DEFAULT_INTERVAL_MS : this.#strategy.emit;
  }

  processBatch(batch: RecordBatch): void {
    this.#track();
    const split = this.#split(batch.split);
    split.hasRows(batch.ingestedAt);
    if (this.#idle) this.#setIdle(false);
    const view = this.#view.show(batch);
    if (this.#assign !== null) {
      this.#assign(batch, this.#time);
      view.time = this.#time;
    }
    const moves = this.#advance(view, split);
    // Where the watermark is the one known downstream before every row, no column has to travel.
    view.watermarks =
      moves && (this.#column[batch.row(batch.count - 1)] as number) > this.#emitted ? this.#column : null;
    this.output.emit(view);
    if (moves) this.#emit(this.output.ingestedAt);
  }

  /** What is too far ahead stops behind the batch that took it there, even where its watermark comes out later. */
  #align(): void {
    const { cells, splits } = this.context;
    cells[OperatorCell.ALIGNMENT_DRIFT] = Number.NaN;
    const { alignment } = this.#strategy;
    if (alignment === null) return;
    splits.limits.join(alignment.group, {
      maxDriftMs: alignment.maxDriftMs,
      reached: () => {
        this.#track();
        return this.#possible();
      },
      splits: () => this.#splits.values(),
      drifts: (ms) => {
        cells[OperatorCell.ALIGNMENT_DRIFT] = ms ?? Number.NaN;
      },
    });
  }

  /** Takes in the rows of a split. Returns whether the watermark may have moved among or behind them, as `#column` says. */
  #advance(batch: RecordBatch, split: SplitWatermark): boolean {
    const { watermarks, emit } = this.#strategy;
    const largest = split.maxTimestamp;
    const watermark = split.watermark;
    let moves = true;
    if (watermarks.kind === 'custom') {
      const others = this.#minimumOfOthers(split);
      const before = this.#before(split, others);
      this.#combined = (this.#generate as Generate)(batch, split, this.#column, before, others);
    } else if (emit === 'on-event') {
      const others = this.#minimumOfOthers(split);
      const before = this.#before(split, others);
      const bound = watermarks.outOfOrdernessMs;
      split.maxTimestamp = advance(batch, this.#column, split.maxTimestamp, before, others, bound);
      split.watermark = split.maxTimestamp - bound - 1;
      this.#combined = Math.max(before, Math.min(split.watermark, others));
    } else {
      split.maxTimestamp = maxTimestamp(batch, split.maxTimestamp);
      split.watermark = split.maxTimestamp - watermarks.outOfOrdernessMs - 1;
      moves = false;
    }
    if (split.watermark > watermark) split.roseAt = batch.ingestedAt;
    if (this.#origin >= 0 && split.maxTimestamp > largest) {
      split.newest = originOf(batch, this.#origin, rowOfTime(batch, split.maxTimestamp));
      if (watermarks.kind === 'bounded') split.origin = split.newest;
    }
    if (emit !== 'on-event' && split.maxTimestamp > largest)
      this.#raisedBy = Math.min(this.#raisedBy, batch.ingestedAt);
    return moves;
  }

  /** In force before the first row: splits that ended or went idle since may have freed it. */
  #before(split: SplitWatermark, others: number): number {
    const now = Math.min(split.watermark, others);
    return Math.max(now, this.#combined);
  }

  /** Upstream watermarks end here; the last one does not. */
  override processWatermark(watermark: number): void {
    if (watermark === MAX_WATERMARK) {
      this.#combined = MAX_WATERMARK;
      this.#emit(this.output.ingestedAt);
    }
  }

  override processIdle(_idle: boolean): void {}

  override onTimer(now: number): void {
    this.#track();
    const allIdle = this.#check(now, now - this.nextTimer);
    this.nextTimer = now + this.#interval;
    this.#combined = this.#possible();
    this.#emit(Math.min(this.#raisedBy, this.output.ingestedAt));
    this.#raisedBy = NEVER_INGESTED;
    if (allIdle && !this.#idle && !this.pending && this.output.ready()) this.#setIdle(true);
  }

  override resume(): void {
    this.#held = false;
    this.pending = false;
    if (this.#announces === null) this.#emit(Math.min(this.#raisedBy, this.output.ingestedAt));
    else this.#announce(this.#announces.idle);
  }

  /** The source has its splits, no row has come yet. */
  #announce(idle: boolean): void {
    this.#track();
    this.#emit(NEVER_INGESTED);
    // The watermark may have taken the last credit.
    this.pending ||= idle && !this.output.ready();
    if (this.pending) return;
    this.#announces = null;
    if (idle) this.#setIdle(true);
  }

  /**
   * Asks the generators of all splits that are not idle by their timeout. Returns whether nothing is read: every split is idle, or there has
   * been none for the timeout.
   *
   * Timers ran `heldUpMs` too late: the task was held up, so that nobody could have read the splits. That counts for no timeout, nor does time
   * in which alignment kept a split from being read. What waits now has waited all the while: it changes only where timers run as well.
   */
  #check(now: number, heldUpMs: number): boolean {
    const { limits } = this.context.splits;
    let all = true;
    for (const split of this.#splits.values()) {
      if (!limits.paused.has(split.index)) split.heldUpMs += heldUpMs;
      if (split.idleness?.isIdle(now - split.heldUpMs - limits.waitedMs(split.index, now))) split.idle = true;
      else this.#askGenerator(split);
      if (!split.idle) all = false;
    }
    if (!limits.held) this.#heldUpMs += heldUpMs;
    if (this.#splits.size > 0) this.#unoccupied?.activity();
    const unoccupied = this.#unoccupied?.isIdle(now - this.#heldUpMs - limits.waitedMs(null, now)) ?? false;
    return this.#splits.size > 0 ? all : unoccupied;
  }

  #askGenerator(split: SplitWatermark): void {
    if (split.generator === null) return;
    const before = split.watermark;
    split.generator.onPeriodicEmit(split);
    if (split.watermark <= before) return;
    split.roseAt = Math.min(this.#raisedBy, this.output.ingestedAt);
    split.origin = split.newest;
  }

  /** A `WatermarkReport`, whatever the question. */
  override inspect(): WatermarkReport {
    this.#track();
    const { clock, splits, subtask } = this.context;
    const [now, nanos] = [clock.now(), clock.nanos()];
    const instant = (at: number): number => now - (nanos - at) / 1e6;
    const { limits } = splits;
    const { alignment } = this.#strategy;
    return {
      subtask,
      watermark: this.#combined,
      idle: this.#idle,
      since: instant(this.#since),
      splits: [...this.#splits.values()].map((split) => ({
        name: splits.nameOf(split.index),
        watermark: split.watermark,
        idle: split.idle,
        since: instant(split.roseAt === NEVER_INGESTED ? split.since : split.roseAt),
        rowsAt: split.rowsAt === NEVER_INGESTED ? null : instant(split.rowsAt),
        origin: split.origin,
        waits: limits.paused.has(split.index),
      })),
      alignment:
        alignment === null ? null : { group: alignment.group, maxDriftMs: alignment.maxDriftMs, waits: limits.held },
    };
  }

  #setIdle(idle: boolean): void {
    this.#idle = idle;
    this.output.idle(idle);
  }

  /** `ingestedAt`: of what raised the watermark. */
  #emit(ingestedAt: number): void {
    if (this.#combined <= this.#emitted || this.#held) return;
    // The change of status may take the last credit.
    if (this.#idle && this.output.ready()) this.#setIdle(false);
    if (!this.output.ready()) {
      this.#held = true;
      this.pending = true;
      return;
    }
    this.#emitted = this.#combined;
    this.output.watermark(this.#combined, ingestedAt);
  }

  /** The watermark that the splits allow as of now, which does not go back. */
  #possible(): number {
    let minimum = Number.POSITIVE_INFINITY;
    for (const split of this.#splits.values()) if (!split.idle) minimum = Math.min(minimum, split.watermark);
    return minimum === Number.POSITIVE_INFINITY ? this.#combined : Math.max(this.#combined, minimum);
  }

  /** What the splits other than this one allow; Infinity: nothing holds back. */
  #minimumOfOthers(split: SplitWatermark): number {
    let minimum = Number.POSITIVE_INFINITY;
    for (const other of this.#splits.values()) {
      if (other !== split && !other.idle) minimum = Math.min(minimum, other.watermark);
    }
    return minimum;
  }

  #split(index: number): SplitWatermark {
    let split = this.#splits.get(index);
    if (split === undefined) {
      const { watermarks, idleTimeoutMs } = this.#strategy;
      const generator = watermarks.kind === 'custom' ? watermarks.create() : null;
      split = new SplitWatermark(index, generator, idleTimeoutMs, this.context.clock.nanos());
      const id = index < 0 ? null : (this.context.splits.nameOf(index) ?? undefined);
      const restored = id === undefined ? undefined : this.#restored.get(id);
      if (restored !== undefined) {
        split.restore(restored);
        this.#restored.delete(restored.split);
      }
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

/** Rows of channels may come from any of those that had them before; a generator goes on only where it was. */
function lowest(states: readonly SplitState[]): SplitState {
  const [only] = states;
  if (only !== undefined && states.length === 1) return only;
  return {
    split: null,
    maxTimestamp: Math.min(...states.map(({ maxTimestamp }) => maxTimestamp)),
    watermark: Math.min(...states.map(({ watermark }) => watermark)),
    idle: states.every(({ idle }) => idle),
    generator: null,
    origin: null,
  };
}
