/**
 * Contents of windows that are made of several slices.
 *
 * Where contents condense (a sum is no larger than what it sums up), merging all slices of every window again would cost `size / slide` per
 * key and firing. Instead time is cut into blocks as long as a window. A window covers the end of one block and the beginning of the next, so
 * two kinds of partial results are kept, and a window is two merges per key, however many slices it has:
 *
 *   slices      │ 0   1   2   3 │ 4   5   6   7 │
 *   suffixes    │     └───┴───┘ │               │   from each slice to the end of its block; made when the next block begins
 *   prefix      │               │ └───┘         │   from the beginning of its block to the slice that has ended last
 *   window 1..5 │     └──────────────┘          │   = suffix from 1 + prefix up to 5
 *
 * Windows that grow (cumulating) are prefixes. Partial results say what their slices say and nothing else: a late row makes those it is
 * part of anew, for its key. Where contents do not condense (rows for a process function), a window is made of its slices each time.
 *
 * Invariant: every slice that a partial result is made of still holds its contents, so no key outlives its slices here.
 */

import type { Agenda } from './agenda.ts';
import type { WindowContents } from './contents.ts';
import type { Pane, Panes } from './panes.ts';
import type { Slices } from './slices.ts';

/** Pairs merged at a time. */
const PAIRS = 256;

interface Suffix {
  readonly slice: number;
  readonly pane: Pane;
}

export class MergedSlices {
  readonly #slices: Slices;
  readonly #agenda: Agenda;
  readonly #panes: Panes;
  readonly #contents: WindowContents;
  /** Of one block, the shortest first; windows need them from behind. */
  readonly #suffixes: Suffix[] = [];
  #suffixBlock = Number.NaN;
  #prefix: Pane | null = null;
  #prefixBlock = Number.NaN;
  /** Slice behind the last one in the prefix. */
  #prefixEnd = 0;
  readonly #targets = new Int32Array(PAIRS);
  readonly #sources = new Int32Array(PAIRS);
  #pairs = 0;

  constructor(slices: Slices, agenda: Agenda, panes: Panes, contents: WindowContents) {
    this.#slices = slices;
    this.#agenda = agenda;
    this.#panes = panes;
    this.#contents = contents;
  }

  /** Contents of a window that fires, the next in order. `release` them. */
  of(window: number): Pane {
    const [first, end] = [this.#slices.first(window), this.#slices.end(window)];
    const made = this.#contents.condenses;
    const suffix = made ? this.#suffixFrom(first) : null;
    const prefix = made ? this.#prefixTo(end) : null;
    if (suffix === null && prefix !== null) return prefix;
    const pane = this.#panes.detached('many');
    if (suffix !== null) this.#add(pane, suffix);
    if (prefix !== null) this.#add(pane, prefix);
    if (!made) for (const slice of this.#agenda.slices(first, end)) this.#add(pane, this.#panes.find(slice));
    return pane;
  }

  /** Contents of a window for one key: a pane with one slot, or none if the key is not in it. `release` them. */
  ofKey(window: number, code: number): Pane {
    const pane = this.#panes.detached('few');
    this.#addKey(pane, code, this.#slices.first(window), this.#slices.end(window));
    return pane;
  }

  release(pane: Pane): void {
    if (pane !== this.#prefix) this.#panes.close(pane);
  }

  /** A late row was added to a slice that partial results are made of. */
  changed(slice: number, code: number): void {
    const block = Math.floor(slice / this.#slices.perWindow);
    if (block === this.#prefixBlock && slice < this.#prefixEnd) {
      this.#prefix ??= this.#panes.detached('many');
      this.#clear(this.#prefix, code);
      this.#addKey(this.#prefix, code, block * this.#slices.perWindow, this.#prefixEnd);
    }
    if (block !== this.#suffixBlock) return;
    if (!this.#suffixes.some((s) => s.slice === slice)) {
      // The first row of its slice: a suffix is missing, unless no window that has yet to fire needs it.
      const next = this.#agenda.next();
      if (next !== null && this.#slices.first(next) <= slice) this.#forgetSuffixes();
      return;
    }
    for (const [i, { slice: from, pane }] of this.#suffixes.entries()) {
      if (from > slice) continue;
      this.#clear(pane, code);
      this.#addKey(pane, code, from, from + 1);
      const shorter = i === 0 ? 0 : this.#panes.lookup((this.#suffixes[i - 1] as Suffix).pane, code);
      if (shorter !== 0) this.#pair(this.#panes.slot(pane, code), shorter);
      this.#merge();
    }
  }

  /** A slice is about to be forgotten. */
  forget(slice: number): void {
    if (Math.floor(slice / this.#slices.perWindow) === this.#prefixBlock) this.#forgetPrefix();
    while ((this.#suffixes.at(-1)?.slice ?? Number.POSITIVE_INFINITY) <= slice) this.#dropLongest();
  }

  /** Forgets all partial results; they are made again when they are needed. */
  reset(): void {
    this.#forgetPrefix();
    this.#forgetSuffixes();
  }

  /** From `slice` to the end of its block; null: nothing there, or the whole block, which is a prefix. */
  #suffixFrom(slice: number): Pane | null {
    const { perWindow } = this.#slices;
    const block = Math.floor(slice / perWindow);
    if (slice === block * perWindow) return null;
    if (block !== this.#suffixBlock) {
      this.#forgetSuffixes();
      this.#suffixBlock = block;
      for (const part of [...this.#agenda.slices(slice, (block + 1) * perWindow)].reverse()) {
        const pane = this.#panes.detached('many');
        this.#add(pane, this.#panes.find(part));
        this.#add(pane, this.#suffixes.at(-1)?.pane ?? null);
        this.#suffixes.push({ slice: part, pane });
      }
    }
    // Windows fire in order: what begins before this one is of no use any more.
    while ((this.#suffixes.at(-1)?.slice ?? Number.POSITIVE_INFINITY) < slice) this.#dropLongest();
    return this.#suffixes.at(-1)?.pane ?? null;
  }

  /** From the beginning of the block up to the slice before `end`. */
  #prefixTo(end: number): Pane | null {
    const { perWindow } = this.#slices;
    const block = Math.floor((end - 1) / perWindow);
    if (block !== this.#prefixBlock) {
      this.#forgetPrefix();
      this.#prefixBlock = block;
      this.#prefixEnd = block * perWindow;
    }
    for (const slice of this.#agenda.slices(this.#prefixEnd, end)) {
      this.#prefix ??= this.#panes.detached('many');
      this.#add(this.#prefix, this.#panes.find(slice));
    }
    this.#prefixEnd = end;
    return this.#prefix;
  }

  #dropLongest(): void {
    const longest = this.#suffixes.pop();
    if (longest !== undefined) this.#panes.close(longest.pane);
  }

  #forgetSuffixes(): void {
    while (this.#suffixes.length > 0) this.#dropLongest();
    this.#suffixBlock = Number.NaN;
  }

  #forgetPrefix(): void {
    if (this.#prefix !== null) this.#panes.close(this.#prefix);
    this.#prefix = null;
    this.#prefixBlock = Number.NaN;
  }

  #clear(pane: Pane, code: number): void {
    const slot = this.#panes.lookup(pane, code);
    if (slot !== 0) this.#contents.reset(slot, slot + 1);
  }

  /** Adds one key's contents of slices `from .. to`. */
  #addKey(to: Pane, code: number, from: number, end: number): void {
    for (const slice of this.#agenda.slices(from, end)) {
      const pane = this.#panes.find(slice);
      const slot = pane === null ? 0 : this.#panes.lookup(pane, code);
      if (slot !== 0) this.#pair(this.#panes.slot(to, code), slot);
    }
    this.#merge();
  }

  /** Adds all contents of a pane. */
  #add(to: Pane, from: Pane | null): void {
    if (from === null) return;
    for (const [first, last] of this.#panes.ranges(from)) {
      for (let slot = first; slot < last; slot++) {
        this.#pair(this.#panes.slot(to, this.#panes.keyOf[slot] as number), slot);
      }
    }
    this.#merge();
  }

  #pair(target: number, source: number): void {
    this.#targets[this.#pairs] = target;
    this.#sources[this.#pairs] = source;
    if (++this.#pairs === PAIRS) this.#merge();
  }

  #merge(): void {
    this.#contents.merge(this.#targets, this.#sources, this.#pairs);
    this.#pairs = 0;
  }
}
