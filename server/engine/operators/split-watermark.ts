import { WeirError } from '#base/errors.ts';
import { NEVER_INGESTED } from '../batch/record-batch.ts';
import { IdlenessTimer } from '../time/idleness.ts';
import type { WatermarkGenerator, WatermarkOutput } from '../time/watermark-generators.ts';
import { NO_WATERMARK } from './operator.ts';

/** Plain data. */
export interface SplitState {
  /** `Split.id`; null: rows that came through a channel. */
  readonly split: string | null;
  readonly maxTimestamp: number;
  readonly watermark: number;
  readonly idle: boolean;
  /** Of a generator that keeps some. */
  readonly generator: unknown;
  readonly origin: string | null;
}

/** How far event time has come in one split. It is also what the split's generator writes to. */
export class SplitWatermark implements WatermarkOutput {
  readonly index: number;
  /** Null: the operator's own loops. */
  readonly generator: WatermarkGenerator | null;
  readonly idleness: IdlenessTimer | null;
  /** Largest timestamp seen. */
  maxTimestamp = Number.NEGATIVE_INFINITY;
  watermark = NO_WATERMARK;
  idle = false;
  /** Time of `idleness` in which timers could not run, ms. */
  heldUpMs = 0;
  /** `Clock.nanos()` at which the source read what last raised the watermark, and its last rows; NEVER_INGESTED before. */
  roseAt = NEVER_INGESTED;
  rowsAt = NEVER_INGESTED;
  /** Who the row was from that raised the watermark to where it is; null: unknown, or nobody asks. */
  origin: string | null = null;
  /** Who the row with the largest timestamp was from. */
  newest: string | null = null;
  /** `Clock.nanos()` at which it was assigned. */
  readonly since: number;

  constructor(index: number, generator: WatermarkGenerator | null, idleTimeoutMs: number | null, since: number) {
    this.index = index;
    this.generator = generator;
    this.idleness = idleTimeoutMs === null ? null : new IdlenessTimer(idleTimeoutMs);
    this.since = since;
  }

  /** For `restore` of the one that goes on with this split, or with these rows of a channel (`split` null). */
  snapshot(split: string | null): SplitState {
    const { maxTimestamp, watermark, idle, origin } = this;
    return { split, maxTimestamp, watermark, idle, generator: this.generator?.snapshot?.() ?? null, origin };
  }

  restore({ maxTimestamp, watermark, idle, generator, origin }: SplitState): void {
    this.maxTimestamp = maxTimestamp;
    this.watermark = watermark;
    this.idle = idle;
    // Checkpoints of before there were origins have none.
    this.origin = origin ?? null;
    if (generator !== null) this.generator?.restore?.(generator);
  }

  /** Rows that the source read at `at`: the split counts again. */
  hasRows(at: number): void {
    this.idle = false;
    this.idleness?.activity();
    this.rowsAt = at;
  }

  emitWatermark(watermark: number): void {
    if (!Number.isFinite(watermark))
      throw new WeirError('WATERMARK_VALUE', `A watermark is a finite number of milliseconds, not ${watermark}.`);
    this.idle = false;
    if (watermark > this.watermark) this.watermark = watermark;
  }

  markIdle(): void {
    this.idle = true;
  }

  markActive(): void {
    this.idle = false;
  }
}
