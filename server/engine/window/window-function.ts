/** Functions that make results of a window's contents, with all they may ask and remember (`flink-reference` §1.9). */

import type { Fields, Row, Schema } from '../batch/schema.ts';
import type { OutputTag } from '../operators/process.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { KeyedState } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import type { TimeWindow } from './contents.ts';

export interface WindowContext {
  readonly window: TimeWindow;
  /** ms; -Infinity: none yet. */
  readonly currentWatermark: number;
  readonly currentProcessingTime: number;
  /** State of this key and window; refused where windows merge. `clear` is called when the window goes. */
  windowState<S extends KeyedState>(descriptor: StateDescriptor<S>): S;
  /** State of this key, whatever the window. */
  globalState<S extends KeyedState>(descriptor: StateDescriptor<S>): S;
  /** A row for a side output, with the timestamp of the window's results. */
  output<F extends Fields>(tag: OutputTag<F>, row: Row<F>): void;
}

/** `E`: a row of the input, or the one result of the aggregate in front. */
export interface WindowFunction<E, Out extends Fields> {
  /** Called whenever the window fires; makes any number of rows. */
  process(key: Key, ctx: WindowContext, elements: readonly E[], out: { collect(row: Row<Out>): void }): void;
  /** The window is cleaned up: the place to clear its `windowState`. */
  clear?(ctx: WindowContext): void;
}

export interface WindowProcess<E, Out extends Fields> {
  readonly output: Schema<Out>;
  readonly sideOutputs?: readonly OutputTag[];
  /** Called once per subtask. */
  readonly create: (subtask: number) => WindowFunction<E, Out>;
}
