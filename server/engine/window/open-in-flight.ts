/** The same look as `open-windows.ts` for the general operator: windows that are in flight are those with a timer for their cleanup. */

import type { StateKeys } from '../state/state-keys.ts';
import type { TimeWindow } from './contents.ts';
import type { OpenWindowsAnswer, OpenWindowsQuery } from './open-windows.ts';
import type { WindowMachine } from './window-machine.ts';

/** The global window never ends, and is not shown. `values` are empty where they cannot be had: of functions, and of keys not in memory. */
export function openInFlight(
  { keys, limit, perKey = Number.POSITIVE_INFINITY }: OpenWindowsQuery,
  machine: WindowMachine,
  codes: StateKeys,
): OpenWindowsAnswer {
  const asked = keys === null ? null : new Set(keys.map((key) => codes.find(key)));
  const waiting: { readonly key: number; readonly window: TimeWindow }[] = [];
  let count = 0;
  for (const timer of machine.cleanups?.all() ?? []) {
    const window = machine.waiting(timer);
    if (window === null) continue;
    count++;
    if (asked?.has(timer.key) ?? true) waiting.push({ key: timer.key, window });
  }
  waiting.sort((a, b) => a.window.end - b.window.end || a.window.start - b.window.start || a.key - b.key);
  const given = new Map<number, number>();
  const open: OpenWindowsAnswer['open'][number][] = [];
  for (const { key, window } of waiting) {
    const before = given.get(key) ?? 0;
    if (before >= perKey) continue;
    if (open.length >= limit) break;
    given.set(key, before + 1);
    open.push({ key: codes.textOf(key), start: window.start, end: window.end, values: machine.peek(key, window) });
  }
  return { open, count };
}
