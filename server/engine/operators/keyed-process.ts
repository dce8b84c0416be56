/**
 * Functions with state and timers of their own per key (`flink-reference` §1.5, §3.1): rows of a key, and the instants it asked to be called at.
 *
 *   class Silence implements KeyedProcessFunction<Reading, Alert> {
 *     open(ctx) { this.lastSeen = ctx.getState(valueState<number>('last-seen')); }
 *     processElement(row, ctx, out) { … ctx.timerService.registerEventTimeTimer(ctx.timestamp + 60_000); }
 *     onTimer(time, ctx, out) { … out.collect({ … }); }
 *   }
 *
 * Event-time timers run when the watermark has reached them, in the order of their instants, before it is forwarded; inside a batch before the
 * first row that finds the watermark there. What they make has their instant as timestamp. Processing-time timers run when the clock shows their
 * millisecond; what they make has no timestamp, and those left at the end of the input never run.
 */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row } from '../batch/schema.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { KeyedState } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import type { TimerService } from '../state/timers.ts';
import type { Collector, OpenContext, ProcessContext } from './process.ts';

/** What a keyed function may ask when it is opened. */
export interface KeyedOpenContext extends OpenContext {
  /** State of the key that a call is for; to be asked for here, and kept. */
  getState<S extends KeyedState>(descriptor: StateDescriptor<S>): S;
}

export interface KeyedContext extends ProcessContext {
  readonly currentKey: Key;
  readonly timerService: TimerService;
}

export interface OnTimerContext extends KeyedContext {
  /** Which kind of timer it is. */
  readonly timeDomain: 'event' | 'processing';
}

export interface KeyedProcessFunction<In extends Fields, Out extends Fields> {
  open?(ctx: KeyedOpenContext): void;
  /** Called once per row; `row` is valid only during the call. */
  processElement(row: Row<In>, ctx: KeyedContext, out: Collector<Out>): void;
  /** A timer of `ctx.currentKey` has come; there is no current row. */
  onTimer?(time: number, ctx: OnTimerContext, out: Collector<Out>): void;
  close?(): void;
}

/** Rows between which no timer is due, one loop per operator: a shared one that has seen six functions is three times slower. */
export type KeyedDriver = (
  batch: RecordBatch,
  ids: Int32Array,
  from: number,
  cursor: { $k: number },
  call: KeyedCall,
  scope: { key: number },
  fn: KeyedProcessFunction<Fields, Fields>,
) => number;

/** What the loop keeps of the row it is at. */
export interface KeyedCall extends KeyedContext, Collector<Fields> {
  k: number;
  watermark: number;
  /** The watermark has risen to `watermark`: timers up to there are to run, then it goes on. */
  rising: boolean;
  /** Instant of the first event-time timer. */
  due: number;
  /** A batch of results is full. */
  full: boolean;
}

/** Returns the row it stopped at: a timer is due before it, or results fill a batch. */
export function makeKeyedDriver(): KeyedDriver {
  return new Function(`return function drive(batch, ids, from, cursor, call, scope, fn) {
    const rows = batch.selection, watermarks = batch.watermarks, to = batch.count;
    for (let i = from; i < to; i++) {
      const k = rows === null ? i : rows[i];
      if (watermarks !== null && watermarks[k] > call.watermark) {
        call.watermark = watermarks[k];
        if (call.due <= call.watermark) { call.rising = true; return i; }
      }
      cursor.$k = k;
      call.k = k;
      scope.key = ids[k];
      fn.processElement(cursor, call, call);
      if (call.full) return i + 1;
    }
    return to;
  }`)() as KeyedDriver;
}
