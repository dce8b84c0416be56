/** Which windows a row belongs to, for windows of any kind: what the general operator asks row by row (`flink-reference` §1.2). */

import { WeirError } from '#base/errors.ts';
import { type AlignedWindows, windowStart, windowsOf } from './assigners.ts';
import type { TimeWindow } from './contents.ts';
import type { DynamicSessionWindows, SessionWindows } from './session-windows.ts';

/** One window for all time: whatever comes out of it is a trigger's doing. Its last instant is Infinity. */
export interface GlobalWindow {
  readonly kind: 'global';
}

export const GlobalWindows = {
  create: (): GlobalWindow => ({ kind: 'global' }),
};

/** The only window of `GlobalWindows`. */
export const GLOBAL_WINDOW: TimeWindow = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

/** Windows of one's own. `E`: a row, or one of either stream (`co-group.ts`). */
export interface CustomWindows<E> {
  readonly kind: 'custom';
  readonly time: 'event' | 'processing';
  /** Windows of a key that overlap or touch become one. */
  readonly merging: boolean;
  /** `timestamp`: of the row, or the clock in processing time; ms. Any number of windows of whole milliseconds, `start < end`. */
  assign(row: E, timestamp: number): readonly TimeWindow[];
}

/** Windows that begin and end. */
export type TimedWindows<E> = AlignedWindows | SessionWindows | DynamicSessionWindows<E> | CustomWindows<E>;

export type Windows<E> = TimedWindows<E> | GlobalWindow;

export type Assign = (row: unknown, timestamp: number) => readonly TimeWindow[];

export function isMerging(windows: Windows<never>): boolean {
  return (
    windows.kind === 'session' || windows.kind === 'dynamic-session' || (windows.kind === 'custom' && windows.merging)
  );
}

/** Rows come close to each other: between two borders of any windows they belong to the same ones. */
function aligned(windows: AlignedWindows): Assign {
  const { kind, sizeMs, offsetMs } = windows;
  const borders = kind === 'tumbling' ? sizeMs : kind === 'sliding' ? windows.slideMs : windows.stepMs;
  if (sizeMs % borders !== 0) return (_row, timestamp) => windowsOf(windows, timestamp);
  let from = Number.NaN;
  let found: readonly TimeWindow[] = [];
  return (_row, timestamp) => {
    if (!(timestamp >= from && timestamp < from + borders)) {
      from = windowStart(timestamp, offsetMs, borders);
      found = windowsOf(windows, timestamp);
    }
    return found;
  };
}

export function assignOf(windows: Windows<unknown>): Assign {
  switch (windows.kind) {
    case 'tumbling':
    case 'sliding':
    case 'cumulative':
      return aligned(windows);
    case 'session':
      return (_row, timestamp) => [{ start: timestamp, end: timestamp + windows.gapMs }];
    case 'dynamic-session':
      return (row, timestamp) => {
        const gap = windows.gapOf(row);
        if (!(gap > 0)) throw new WeirError('SESSION_GAP', `The gap of a session must be more than 0 ms, not ${gap}.`);
        return [{ start: timestamp, end: timestamp + gap }];
      };
    case 'global':
      return () => [GLOBAL_WINDOW];
    case 'custom':
      return (row, timestamp) => windows.assign(row, timestamp);
  }
}
