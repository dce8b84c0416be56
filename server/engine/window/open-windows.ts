/** A look at the windows that have yet to fire, for whoever asks from outside; changes nothing. */

import type { Agenda } from './agenda.ts';
import type { WindowContents } from './contents.ts';
import type { KeyCodes } from './key-codes.ts';
import type { MergedSlices } from './merged-slices.ts';
import type { Pane, Panes } from './panes.ts';
import type { Slices } from './slices.ts';

/** `keys: null`: windows of any key. */
export interface OpenWindowsQuery {
  readonly keys: readonly string[] | null;
  /** Windows in the answer at most. */
  readonly limit: number;
  /** Of each key at most, those that fire next; absent: all. */
  readonly perKey?: number;
}

export interface OpenWindowsAnswer {
  /** In the order in which they end. */
  readonly open: readonly {
    readonly key: string;
    readonly start: number;
    readonly end: number;
    readonly values: number[];
  }[];
  /** Pairs of a key and a slice (of tumbling windows: a window) with contents that have yet to fire. */
  readonly count: number;
}

export function openWindows(
  { keys, limit, perKey = Number.POSITIVE_INFINITY }: OpenWindowsQuery,
  at: {
    slices: Slices;
    agenda: Agenda;
    panes: Panes;
    codes: KeyCodes;
    contents: WindowContents;
    merged: MergedSlices;
    /** A window that has yet to fire for others has fired for this key. */
    over: (window: number, code: number) => boolean;
  },
): OpenWindowsAnswer {
  const { slices, agenda, panes, codes, contents, merged, over } = at;
  const open: OpenWindowsAnswer['open'][number][] = [];
  const first = agenda.next();
  const from = first === null ? Number.POSITIVE_INFINITY : slices.first(first);
  const pending = [...agenda.slices(from, Number.POSITIVE_INFINITY)].flatMap((slice) => panes.find(slice) ?? []);
  const asked = keys
    ?.map((key) => codes.dictionary?.find(key) ?? -1)
    .filter((code) => code >= 0 && code < panes.keys - 1);
  const held = (asked ?? keysOf(pending, panes)).filter((code) =>
    pending.some((pane) => panes.lookup(pane, code) !== 0),
  );
  /** How many windows of these keys may still follow. */
  const wanted = new Map(held.map((code) => [code, perKey]));
  for (let window = first; window !== null && open.length < limit && wanted.size > 0; window = agenda.after(window)) {
    for (const [code, more] of wanted) {
      if (open.length === limit) break;
      if (over(window, code)) continue;
      const pane = merged.ofKey(window, code);
      for (const [slot] of panes.ranges(pane)) {
        open.push({ key: codes.name(code), ...slices.window(window), values: contents.peek(slot) });
        if (more > 1) wanted.set(code, more - 1);
        else wanted.delete(code);
      }
      merged.release(pane);
    }
  }
  let count = 0;
  for (const pane of pending) for (const [low, high] of panes.ranges(pane)) count += high - low;
  return { open, count };
}

/** Codes of the keys that are in some of the panes. */
export function keysOf(some: readonly Pane[], panes: Panes): number[] {
  const codes = new Set<number>();
  for (const pane of some) {
    for (const [first, last] of panes.ranges(pane)) {
      for (let slot = first; slot < last; slot++) codes.add(panes.keyOf[slot] as number);
    }
  }
  return [...codes];
}
