/**
 * The windows in flight of one key where windows merge (`flink-reference` §1.7), as Flink's MergingWindowSet: what a window holds does not move
 * when it grows, so every window remembers under which one its contents lie.
 */

import type { TimeWindow } from './contents.ts';
import { mergeWindows, touches } from './session-windows.ts';

/** Plain data, part of the state of a key, and never changed in place. */
export interface WindowInFlight {
  readonly window: TimeWindow;
  /** Its contents lie under this one. */
  readonly contents: TimeWindow;
}

/** Windows have become one: `result`; contents of `sources` are to go to those of `target`. */
export type OnMerge = (
  result: TimeWindow,
  merged: readonly TimeWindow[],
  target: TimeWindow,
  sources: readonly TimeWindow[],
) => void;

const same = (a: TimeWindow, b: TimeWindow): boolean => a.start === b.start && a.end === b.end;

export class MergingWindows {
  #inFlight: readonly WindowInFlight[];
  /** Whether they are others than those given. */
  changed = false;

  constructor(inFlight: readonly WindowInFlight[]) {
    this.#inFlight = inFlight;
  }

  get inFlight(): readonly WindowInFlight[] {
    return this.#inFlight;
  }

  /** Window under which the contents lie; null: the window is not in flight. */
  contentsOf(window: TimeWindow): TimeWindow | null {
    return this.#inFlight.find((flying) => same(flying.window, window))?.contents ?? null;
  }

  /** The window that a row's own window belongs to now: itself, or what it has become one with. */
  add(window: TimeWindow, onMerge: OnMerge): TimeWindow {
    const [only] = this.#inFlight;
    if (only !== undefined && this.#inFlight.length === 1 && touches(only.window, window))
      return this.#grow(only, window, onMerge);
    // Those in flight do not touch each other: what touches the new one is all that can merge.
    const merged = this.#inFlight
      .filter((flying) => touches(flying.window, window))
      .sort((a, b) => a.window.start - b.window.start);
    const [first] = merged;
    const [group] = mergeWindows([...merged.map((flying) => flying.window), window]);
    if (first === undefined || group === undefined) {
      this.#set([...this.#inFlight, { window, contents: window }]);
      return window;
    }
    // A row's window inside another one changes nothing.
    if (merged.length === 1 && same(first.window, group.cover)) return first.window;
    const others = this.#inFlight.filter((flying) => !merged.includes(flying));
    this.#set([...others, { window: group.cover, contents: first.contents }]);
    onMerge(
      group.cover,
      merged.map((flying) => flying.window),
      first.contents,
      merged.slice(1).map((flying) => flying.contents),
    );
    return group.cover;
  }

  /** The only one in flight, as nearly always. */
  #grow({ window: before, contents }: WindowInFlight, added: TimeWindow, onMerge: OnMerge): TimeWindow {
    if (added.start >= before.start && added.end <= before.end) return before;
    const window = { start: Math.min(before.start, added.start), end: Math.max(before.end, added.end) };
    this.#set([{ window, contents }]);
    onMerge(window, [before], contents, []);
    return window;
  }

  retire(window: TimeWindow): void {
    this.#set(this.#inFlight.filter((flying) => !same(flying.window, window)));
  }

  #set(inFlight: readonly WindowInFlight[]): void {
    this.#inFlight = inFlight;
    this.changed = true;
  }
}
