/**
 * When a window gives its result, and whether it keeps what it has (`flink-reference` §1.3). The default of a kind of windows is what everybody
 * expects; another one replaces it: with `CountTrigger` an event-time window no longer fires at its end.
 */

import type { StateDescriptor } from '../state/descriptors.ts';
import type { KeyedState } from '../state/keyed-state.ts';
import type { TimerService } from '../state/timers.ts';
import type { TimeWindow } from './contents.ts';

/** Purging drops the contents only: trigger state, timers and per-window state stay, and a late row can make the window fire again. */
export type TriggerResult = 'CONTINUE' | 'FIRE' | 'PURGE' | 'FIRE_AND_PURGE';

/** For the current key and window. Timers fire once; the last instant of the global window is Infinity. */
export interface TriggerContext extends TimerService {
  /** State of the key and window; what is to be merged with windows is a list, reducing or aggregating state. */
  getState<S extends KeyedState>(descriptor: StateDescriptor<S>): S;
}

export interface MergeContext extends TriggerContext {
  /** Brings what the merged windows had in this state into the window that takes their place. */
  mergeState(descriptor: StateDescriptor): void;
}

/**
 * One trigger serves all keys and windows of a subtask: whatever it has to remember is state. `E`: a row, or one of either stream
 * (`co-group.ts`).
 */
export interface Trigger<E = unknown> {
  /** `timestamp`: of the row, or the clock for windows in processing time; ms. The row is valid only during the call. */
  onElement(row: E, timestamp: number, window: TimeWindow, ctx: TriggerContext): TriggerResult;
  onEventTime(time: number, window: TimeWindow, ctx: TriggerContext): TriggerResult;
  onProcessingTime(time: number, window: TimeWindow, ctx: TriggerContext): TriggerResult;
  /** `window` has taken the place of others, which are cleared behind this call. A trigger without it does not go with merging windows. */
  onMerge?(window: TimeWindow, ctx: MergeContext): void;
  /** The window is gone: deletes timers and state. */
  clear(window: TimeWindow, ctx: TriggerContext): void;
}

/** Timestamp of a window's results, and when it fires by default. */
export function maxTimestamp(window: TimeWindow): number {
  return window.end - 1;
}
