/**
 * The broadcast state pattern: one stream is worked on, the other one, of few rows, goes to every subtask and says how (rules, thresholds).
 *
 *   const limits = mapState<string, number>('limits');
 *   readings.keyBy('device').connect(rules.broadcast(limits)).process('alerts', { output: Alert, create: () => ({
 *     processElement: (row, ctx, out) => { … ctx.getBroadcastState(limits).get(row.kind) … },
 *     processBroadcastElement: (rule, ctx) => ctx.getBroadcastState(limits).put(rule.kind, rule.limit),
 *   })});
 *
 * Every subtask gets all broadcast rows, but not at the same moment: what a subtask holds depends on nothing but those rows, so that all come
 * to hold the same. Rows of the other stream only read it.
 */

import type { Fields, Row } from '../batch/schema.ts';
import type { ReadOnlyMapState } from '../state/broadcast-states.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { KeyedState, MapKey, MapState } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import type { KeyedContext, KeyedOpenContext, OnTimerContext } from './keyed-process.ts';
import type { Collector, ProcessContext } from './process.ts';

/** Beside rows that are not broadcast. */
export interface ReadsBroadcast {
  getBroadcastState<K extends MapKey, V>(descriptor: StateDescriptor<MapState<K, V>>): ReadOnlyMapState<K, V>;
}

/** Beside broadcast rows. */
export interface BroadcastContext extends ProcessContext {
  getBroadcastState<K extends MapKey, V>(descriptor: StateDescriptor<MapState<K, V>>): MapState<K, V>;
}

export interface KeyedBroadcastContext extends BroadcastContext {
  /**
   * Calls `apply` for every key of this subtask that has the state, in the order of the keys' text; behind the current call, before the next
   * row.
   */
  applyToKeyedState<S extends KeyedState>(descriptor: StateDescriptor<S>, apply: (key: Key, state: S) => void): void;
}

export interface BroadcastProcessFunction<In extends Fields, B extends Fields, Out extends Fields> {
  /** Called once per row that is not broadcast; `row` is valid only during the call. */
  processElement(row: Row<In>, ctx: ProcessContext & ReadsBroadcast, out: Collector<Out>): void;
  /** Called in every subtask for every broadcast row. */
  processBroadcastElement(row: Row<B>, ctx: BroadcastContext, out: Collector<Out>): void;
  close?(): void;
}

export interface KeyedBroadcastProcessFunction<In extends Fields, B extends Fields, Out extends Fields> {
  open?(ctx: KeyedOpenContext): void;
  /** Called once per row that is not broadcast; `row` is valid only during the call. */
  processElement(row: Row<In>, ctx: KeyedContext & ReadsBroadcast, out: Collector<Out>): void;
  /** Called in every subtask for every broadcast row; there is no current key. */
  processBroadcastElement(row: Row<B>, ctx: KeyedBroadcastContext, out: Collector<Out>): void;
  /** A timer of `ctx.currentKey` has come; there is no current row. */
  onTimer?(time: number, ctx: OnTimerContext & ReadsBroadcast, out: Collector<Out>): void;
  close?(): void;
}
