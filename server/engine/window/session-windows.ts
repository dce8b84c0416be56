/** Session windows: rows of a key that follow each other within a gap belong together (`flink-reference` §1.2, §1.7). */

import { UsageError } from '#base/errors.ts';
import type { TimeWindow } from './contents.ts';

/** A row's own window is `[t, t + gap)`; windows that overlap or touch are one. */
export interface SessionWindows {
  readonly kind: 'session';
  readonly time: 'event' | 'processing';
  readonly gapMs: number;
}

/** Sessions whose rows say themselves how long they keep one open. `E`: a row, or one of either stream (`co-group.ts`). */
export interface DynamicSessionWindows<E> {
  readonly kind: 'dynamic-session';
  readonly time: 'event' | 'processing';
  readonly gapOf: (row: E) => number;
}

function session(time: 'event' | 'processing', gapMs: number): SessionWindows {
  if (!Number.isInteger(gapMs) || gapMs <= 0) {
    throw new UsageError(`Session windows need a gap of whole milliseconds with 0 < size; got ${gapMs} ms.`);
  }
  return { kind: 'session', time, gapMs };
}

export const EventTimeSessionWindows = {
  withGap: (gapMs: number): SessionWindows => session('event', gapMs),
  /** `gapOf`: how long a row keeps its session open, ms, more than 0. */
  withDynamicGap: <E>(gapOf: (row: E) => number): DynamicSessionWindows<E> => ({
    kind: 'dynamic-session',
    time: 'event',
    gapOf,
  }),
};

export const ProcessingTimeSessionWindows = {
  withGap: (gapMs: number): SessionWindows => session('processing', gapMs),
  withDynamicGap: <E>(gapOf: (row: E) => number): DynamicSessionWindows<E> => ({
    kind: 'dynamic-session',
    time: 'processing',
    gapOf,
  }),
};

/** Windows that touch are one session: `[0, 1)` and `[1, 2)`. */
export function touches(a: TimeWindow, b: TimeWindow): boolean {
  return a.start <= b.end && a.end >= b.start;
}

/** The groups of windows that touch, each with its cover, by start; a group of one is left out. */
export function mergeWindows(
  windows: readonly TimeWindow[],
): { readonly cover: TimeWindow; readonly members: readonly TimeWindow[] }[] {
  const groups: { cover: TimeWindow; members: TimeWindow[] }[] = [];
  for (const window of [...windows].sort((a, b) => a.start - b.start)) {
    const group = groups.at(-1);
    if (group !== undefined && touches(group.cover, window)) {
      group.cover = { start: group.cover.start, end: Math.max(group.cover.end, window.end) };
      group.members.push(window);
    } else {
      groups.push({ cover: window, members: [window] });
    }
  }
  return groups.filter((group) => group.members.length > 1);
}
