/**
 * How event time advances: which watermarks a stream gets, and when.
 *
 *   boundedOutOfOrderness(5000, { idleTimeoutMs: 30_000 })
 *   monotonousTimestamps().withTimestampAssigner((row: Row<typeof Reading.fields>) => row.measured_at)
 *   forGenerator(() => new EndOfBatchMarks()).withIdleness(30_000).withWatermarkAlignment('machines', 10_000).withOrigin('machine')
 */

import { UsageError } from '#base/errors.ts';
import type { FieldOf, Fields, Row } from '../batch/schema.ts';
import type { WatermarkGenerator } from './watermark-generators.ts';

/** Event timestamp of a row, ms; NaN: it has none. `timestamp` is the one the source gave, or NaN. */
export type TimestampAssigner<F extends Fields> = (row: Row<F>, timestamp: number) => number;

/** `on-event`: after every row that raises it; a number: every so many ms of processing time. */
export type EmitWatermarks = 'on-event' | number;

/** Flink's `pipeline.auto-watermark-interval`, ms. */
export const DEFAULT_INTERVAL_MS = 200;

/** How a strategy makes the watermarks of one split. */
export type WatermarkKind<F extends Fields> =
  /** Rows come at most this much behind the largest timestamp before them, ms; 0: in order. */
  | { readonly kind: 'bounded'; readonly outOfOrdernessMs: number }
  | { readonly kind: 'custom'; readonly create: () => WatermarkGenerator<F> };

/** Sources in one group wait for each other (`flink-reference` §2.4). */
export interface WatermarkAlignment {
  readonly group: string;
  /** A source subtask stops reading while its watermark is further than this ahead of the smallest in the group, ms. */
  readonly maxDriftMs: number;
  /** How often the group is compared, ms of processing time; in a group the shortest counts. */
  readonly updateIntervalMs: number;
}

interface Settings<F extends Fields> {
  readonly watermarks: WatermarkKind<F>;
  readonly emit: EmitWatermarks;
  readonly idleTimeoutMs: number | null;
  readonly timestampAssigner: TimestampAssigner<F> | null;
  readonly alignment: WatermarkAlignment | null;
  readonly origin: string | null;
}

/** Immutable: `with…` gives another one. Errors name the setting. */
export class WatermarkStrategy<F extends Fields = Fields> {
  readonly watermarks: WatermarkKind<F>;
  readonly emit: EmitWatermarks;
  /** A split without rows for this long holds the watermark back no more, ms; null: it always does. */
  readonly idleTimeoutMs: number | null;
  /** Null: rows keep the timestamps that the source gave. */
  readonly timestampAssigner: TimestampAssigner<F> | null;
  readonly alignment: WatermarkAlignment | null;
  /** Column that says who a row is from, for people: whoever holds the watermark back is told with it. Null: nobody is named. */
  readonly origin: string | null;

  /** @internal See the functions below. */
  constructor({ watermarks, emit, idleTimeoutMs, timestampAssigner, alignment, origin }: Settings<F>) {
    if (watermarks.kind === 'bounded' && !(watermarks.outOfOrdernessMs >= 0))
      throw new UsageError(`Out-of-orderness must be 0 or more, not ${watermarks.outOfOrdernessMs} ms.`);
    if (emit !== 'on-event' && !(emit > 0))
      throw new UsageError(`The watermark interval must be more than 0, not ${emit} ms.`);
    if (idleTimeoutMs !== null && !(idleTimeoutMs > 0))
      throw new UsageError(`The idle timeout must be more than 0, not ${idleTimeoutMs} ms.`);
    if (alignment !== null && !(alignment.maxDriftMs >= 0))
      throw new UsageError(`The alignment drift must be 0 or more, not ${alignment.maxDriftMs} ms.`);
    if (alignment !== null && !(alignment.updateIntervalMs > 0))
      throw new UsageError(`The alignment interval must be more than 0, not ${alignment.updateIntervalMs} ms.`);
    this.watermarks = watermarks;
    this.emit = emit;
    this.idleTimeoutMs = idleTimeoutMs;
    this.timestampAssigner = timestampAssigner;
    this.alignment = alignment;
    this.origin = origin;
  }

  withIdleness(idleTimeoutMs: number): WatermarkStrategy<F> {
    return new WatermarkStrategy<F>({ ...this, idleTimeoutMs });
  }

  /** Sources of a job with the same group stay within `maxDriftMs` of event time. Only where watermarks are made in the source's task. */
  withWatermarkAlignment(group: string, maxDriftMs: number, updateIntervalMs = 1000): WatermarkStrategy<F> {
    return new WatermarkStrategy<F>({ ...this, alignment: { group, maxDriftMs, updateIntervalMs } });
  }

  /**
   * Names the column, of strings or whole numbers, that says who a row is from (a device, a machine). It is read once for a batch that raises
   * a split's watermark, so it costs nothing per row.
   */
  withOrigin<G extends F = F>(column: FieldOf<G, 'string' | 'i32'>): WatermarkStrategy<G> {
    return new WatermarkStrategy<G>({ ...(this as unknown as Settings<G>), origin: column });
  }

  /** Rows get their timestamps here, before the generator sees them. */
  withTimestampAssigner<G extends F>(timestampAssigner: TimestampAssigner<G>): WatermarkStrategy<G> {
    return new WatermarkStrategy<G>({ ...(this as unknown as Settings<G>), timestampAssigner });
  }
}

interface Timing {
  readonly emit?: EmitWatermarks;
  readonly idleTimeoutMs?: number | null;
}

/** Bounded out-of-orderness (`flink-reference` §2). */
export function boundedOutOfOrderness(outOfOrdernessMs: number, timing: Timing = {}): WatermarkStrategy {
  return strategy({ kind: 'bounded', outOfOrdernessMs }, timing);
}

/** Timestamps that never go back within a split: a bound of 0. */
export function monotonousTimestamps(timing: Timing = {}): WatermarkStrategy {
  return boundedOutOfOrderness(0, timing);
}

/** Watermarks from a generator of one's own; `create` is called once for every split. */
export function forGenerator<F extends Fields = Fields>(
  create: () => WatermarkGenerator<F>,
  timing: Timing = {},
): WatermarkStrategy<F> {
  return strategy({ kind: 'custom', create }, timing);
}

function strategy<F extends Fields>(watermarks: WatermarkKind<F>, timing: Timing): WatermarkStrategy<F> {
  const { emit = DEFAULT_INTERVAL_MS, idleTimeoutMs = null } = timing;
  return new WatermarkStrategy<F>({
    watermarks,
    emit,
    idleTimeoutMs,
    timestampAssigner: null,
    alignment: null,
    origin: null,
  });
}
