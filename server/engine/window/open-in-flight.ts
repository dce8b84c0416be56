/** The same look as `open-windows.ts` for the general operator. */

import type { StateKeys } from '../state/state-keys.ts';
import type { TimeWindow } from './contents.ts';
import type { OpenWindowsAnswer, OpenWindowsQuery } from './open-windows.ts';
import type { WindowMachine } from './window-machine.ts';

/** The global window reaches from -Infinity to Infinity. `values` are empty where they cannot be had: of functions, and of keys not in memory. */
export function openInFlight(
  { keys, limit, perKey = Number.POSITIVE_INFINITY }: OpenWindowsQuery,
  machine: WindowMachine,
  codes: StateKeys,
): OpenWindowsAnswer {
  const asked = keys === null ? null : new Set(keys.map((key) => codes.find(key)));
  const all = machine.open();
  const waiting = all.filter(({ key }) => asked?.has(key) ?? true);
  waiting.sort((a, b) => byTime(a.window, b.window) || a.key - b.key);
  const given = new Map<number, number>();
  const open: OpenWindowsAnswer['open'][number][] = [];
  for (const { key, window } of waiting) {
    const before = given.get(key) ?? 0;
    if (before >= perKey) continue;
    if (open.length >= limit) break;
    given.set(key, before + 1);
    open.push({ key: codes.textOf(key), start: window.start, end: window.end, values: machine.peek(key, window) });
  }
  return { open, count: all.length };
}

function byTime(a: TimeWindow, b: TimeWindow): number {
  // Of two global windows the difference is no number.
  return a === b ? 0 : a.end - b.end || a.start - b.start;
}
