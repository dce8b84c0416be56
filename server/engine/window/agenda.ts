/**
 * What a window operator has to do next, and when: which window fires, which slice has served its time.
 *
 * Only slices that hold something are known here, in order; windows are found through them, so that a jump of a thousand years costs no more
 * than one of a second.
 */

import type { Slices } from './slices.ts';

export class Agenda {
  readonly #slices: Slices;
  readonly #latenessMs: number;
  /** Slices that hold something, ascending. */
  readonly #live: number[] = [];
  /** Windows up to here have fired, or had nothing to fire when their time came. */
  #fired = Number.NEGATIVE_INFINITY;

  constructor(slices: Slices, latenessMs: number) {
    this.#slices = slices;
    this.#latenessMs = latenessMs;
  }

  /** A slice that holds something from now on. */
  add(slice: number): void {
    const live = this.#live;
    if (live.length === 0 || (live[live.length - 1] as number) < slice) live.push(slice);
    else live.splice(this.#position(slice), 0, slice);
  }

  /** Watermark from which on a slice is in no window that still lives. */
  expires(slice: number): number {
    return this.#slices.maxTimestamp(this.#slices.lastWindow(slice)) + this.#latenessMs;
  }

  /** Windows that the watermark has passed have had their time. */
  pass(watermark: number): void {
    this.#fired = Math.max(this.#fired, this.#slices.lastEnded(watermark));
  }

  /** First window that holds something and has not fired yet; null: none. */
  next(): number | null {
    return this.after(this.#fired);
  }

  /** First window behind `window` that holds something; null: none. */
  after(window: number): number | null {
    const slice = this.#live[this.#position(this.#slices.first(window + 1))];
    return slice === undefined ? null : Math.max(window + 1, this.#slices.firstWindow(slice));
  }

  /** The next window fires: gives the slices in it that have not been in a window that fired. */
  fire(window: number): Generator<number> {
    const from = Math.max(this.#slices.first(window), this.#slices.end(this.#fired));
    this.#fired = window;
    return this.slices(from, this.#slices.end(window));
  }

  /** Of the windows that a slice is in, those that had their time at this watermark and still take late rows. */
  living(slice: number, watermark: number): { window: number; last: number } {
    return this.ended(slice, this.#slices.lastEnded(watermark - this.#latenessMs), watermark);
  }

  /** Of the windows that a slice is in, those behind window `after` that had their time at this watermark. */
  ended(slice: number, after: number, watermark: number): { window: number; last: number } {
    return {
      window: Math.max(this.#slices.firstWindow(slice), after + 1),
      last: Math.min(this.#slices.lastWindow(slice), this.#slices.lastEnded(watermark)),
    };
  }

  /** First slice that no living window needs any more at this watermark, and no window that has yet to fire; null: none. */
  expired(watermark: number): number | null {
    const slice = this.#live[0];
    if (slice === undefined || this.expires(slice) > watermark) return null;
    return this.#slices.lastWindow(slice) <= this.#fired ? slice : null;
  }

  /** Forgets the first slice. */
  drop(): void {
    this.#live.shift();
  }

  /** Earliest watermark at which there is something to do; Infinity: none. */
  get instant(): number {
    const first = this.#live[0];
    if (first === undefined) return Number.POSITIVE_INFINITY;
    const window = this.next();
    const expires = this.expires(first);
    return window === null ? expires : Math.min(expires, this.#slices.maxTimestamp(window));
  }

  /** Slices `from .. to` that hold something, ascending. */
  *slices(from: number, to: number): Generator<number> {
    for (let i = this.#position(from); i < this.#live.length; i++) {
      const slice = this.#live[i] as number;
      if (slice >= to) return;
      yield slice;
    }
  }

  /** Where the first slice is that is not below `slice`. */
  #position(slice: number): number {
    const live = this.#live;
    let low = 0;
    let high = live.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((live[middle] as number) < slice) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
