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
