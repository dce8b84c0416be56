/**
 * The open sessions of all keys: key code -> sessions by start -> slot of their contents.
 *
 *   current[code + 1]   the session that the last row of the key went into; 0: none, look at the list
 *   last[code + 1]      the key's latest session, before[slot] and behind[slot] its neighbours; sessions of a key never touch
 *   span[4 * slot …]    start, end, limit, deadline: what a row has to look at lies in one cache line
 *
 * A row inside its key's current session costs two loads; one that extends it moves `end` in place, as long as it stays below `limit` (the
 * start of the next session). The deadline is when the session is to be looked at; it is not moved with the end, but put off when it has come
 * (`Deadlines`). A session that has fired and waits for late rows is nobody's current one, so that each of its rows is seen.
 *
 * Bound: one slot per open session; slots are used again.
 */

import { Deadlines } from './deadlines.ts';
import type { SlotOwner } from './panes.ts';

export const START = 0;
export const END = 1;
const LIMIT = 2;
const DEADLINE = 3;
/** Numbers per slot in `span`. */
export const SPAN = 4;

export class Sessions {
  /** Read by the fast path; the place in front is that of code -1, a null key. */
  current: Int32Array = new Int32Array(1);
  span = new Float64Array(0);
  keyOf: Int32Array = new Int32Array(0);
  /** Sessions open. */
  size = 0;
  readonly #owner: SlotOwner;
  readonly #deadlines = new Deadlines();
  #last: Int32Array = new Int32Array(1);
  #before: Int32Array = new Int32Array(0);
  #behind: Int32Array = new Int32Array(0);
  #fired = new Uint8Array(0);
  readonly #free: number[] = [];
  /** Slots from here on were never used. */
  #unused = 1;

  constructor(owner: SlotOwner) {
    this.#owner = owner;
    this.#grow(128);
    // Slot 0 is nobody's: no row is in it.
    this.span.set([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
  }

  start(slot: number): number {
    return this.span[slot * SPAN + START] as number;
  }

  end(slot: number): number {
    return this.span[slot * SPAN + END] as number;
  }

  fired(slot: number): boolean {
    return this.#fired[slot] === 1;
  }

  /** A copy of what `fired` says of every slot. */
  firedSlots(): Uint8Array {
    return this.#fired.slice();
  }

  /** The key's session before this one; 0: none. */
  before(slot: number): number {
    return this.#before[slot] as number;
  }

  /** The key's latest session that starts at `time` or earlier; 0: none. */
  latest(code: number, time: number): number {
    let slot = this.#last[code + 1] as number;
    while (slot !== 0 && this.start(slot) > time) slot = this.before(slot);
    return slot;
  }

  /** A session that touches no other one of the key, behind session `before` (0: the earliest). */
  open(code: number, before: number, start: number, end: number): number {
    const slot = this.#free.pop() ?? this.#unused++;
    if (slot === this.keyOf.length) this.#grow(slot * 2);
    this.keyOf[slot] = code;
    const at = slot * SPAN;
    this.span[at + START] = start;
    this.span[at + END] = end;
    this.span[at + LIMIT] = Number.NEGATIVE_INFINITY;
    this.span[at + DEADLINE] = Number.NaN;
    const behind = before === 0 ? this.#earliest(code) : (this.#behind[before] as number);
    this.#link(code, before, slot);
    this.#link(code, slot, behind);
    this.#limit(before);
    this.size++;
    return slot;
  }

  /** The session now reaches over `start .. end` too; still it touches no other. */
  widen(slot: number, start: number, end: number): void {
    const at = slot * SPAN;
    if (end > (this.span[at + END] as number)) this.span[at + END] = end;
    if (start < (this.span[at + START] as number)) {
      this.span[at + START] = start;
      this.#limit(this.before(slot));
    }
  }

  /** Makes one of a session and the one behind it; the contents are the caller's business. */
  absorb(slot: number, behind: number): void {
    this.span[slot * SPAN + END] = Math.max(this.end(slot), this.end(behind));
    this.close(behind);
  }

  /** Rows of this key are looked for here from now on. */
  makeCurrent(slot: number): void {
    this.#fired[slot] = 0;
    this.#limit(slot);
    this.current[(this.keyOf[slot] as number) + 1] = slot;
  }

  markFired(slot: number): void {
    this.#fired[slot] = 1;
    this.span[slot * SPAN + LIMIT] = Number.NEGATIVE_INFINITY;
    this.#leave(slot);
  }

  close(slot: number): void {
    const code = this.keyOf[slot] as number;
    const before = this.before(slot);
    this.#leave(slot);
    this.#link(code, before, this.#behind[slot] as number);
    this.#limit(before);
    this.#fired[slot] = 0;
    this.keyOf[slot] = -1;
    this.span[slot * SPAN + DEADLINE] = Number.NaN;
    this.#owner.reset(slot, slot + 1);
    this.#free.push(slot);
    this.size--;
  }

  /** The session is to be looked at at `instant` at the latest; returns whether that is news. */
  schedule(slot: number, instant: number): boolean {
    const at = slot * SPAN + DEADLINE;
    if ((this.span[at] as number) <= instant) return false;
    this.span[at] = instant;
    this.#deadlines.add(instant, slot);
    return true;
  }

  /**
   * The session whose time has come first, if that is `until` at the latest; 0: none. `due` says when a session's time really comes. The
   * session has no deadline any more.
   */
  takeDue(until: number, due: (slot: number) => number): number {
    if (this.earliest(due) > until || this.#deadlines.size === 0) return 0;
    const { slot } = this.#deadlines;
    this.#deadlines.drop();
    this.span[slot * SPAN + DEADLINE] = Number.NaN;
    return slot;
  }

  /** When the first session's time comes; Infinity: never. */
  earliest(due: (slot: number) => number): number {
    const deadlines = this.#deadlines;
    while (deadlines.size > 0) {
      const { first, slot } = deadlines;
      const at = slot * SPAN + DEADLINE;
      if (this.span[at] !== first) {
        // Of a session that was absorbed, or has got an earlier deadline since.
        deadlines.drop();
        continue;
      }
      const instant = due(slot);
      if (instant <= first) return first;
      this.span[at] = instant;
      deadlines.postpone(instant);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Open sessions, in no order. */
  *all(): Generator<number> {
    for (let slot = 1; slot < this.#unused; slot++) if ((this.keyOf[slot] as number) >= 0) yield slot;
  }

  /** The key's sessions, latest first. */
  *of(code: number): Generator<number> {
    for (let slot = this.#last[code + 1] ?? 0; slot !== 0; slot = this.before(slot)) yield slot;
  }

  /** Room for key codes below `codes`. */
  reserveKeys(codes: number): void {
    if (codes < this.current.length) return;
    const length = Math.max(codes + 1, this.current.length * 2, 512);
    const grown = (old: Int32Array): Int32Array => {
      const array = new Int32Array(length);
      array.set(old);
      return array;
    };
    this.current = grown(this.current);
    this.#last = grown(this.#last);
  }

  /** Keys have other codes from now on, all of them below `codes`. */
  recode(codeOf: (code: number) => number, codes: number): void {
    const old = this.#last;
    const current = this.current;
    this.current = new Int32Array(1);
    this.#last = new Int32Array(1);
    this.reserveKeys(codes);
    for (let code = 0; code + 1 < old.length; code++) {
      const last = old[code + 1] as number;
      if (last === 0) continue;
      const recoded = codeOf(code);
      this.#last[recoded + 1] = last;
      this.current[recoded + 1] = current[code + 1] as number;
      for (let slot = last; slot !== 0; slot = this.before(slot)) this.keyOf[slot] = recoded;
    }
  }

  get bytes(): number {
    const perKey = this.current.byteLength + this.#last.byteLength;
    const links = this.#before.byteLength + this.#behind.byteLength;
    return perKey + links + this.span.byteLength + this.keyOf.byteLength + this.#deadlines.bytes;
  }

  #earliest(code: number): number {
    let slot = this.#last[code + 1] as number;
    while (slot !== 0 && this.before(slot) !== 0) slot = this.before(slot);
    return slot;
  }

  /** `behind` comes behind `before`; 0: there is none. */
  #link(code: number, before: number, behind: number): void {
    if (before !== 0) this.#behind[before] = behind;
    if (behind !== 0) this.#before[behind] = before;
    else this.#last[code + 1] = before;
  }

  /** Up to where a row may move the end without looking at anything else. */
  #limit(slot: number): void {
    if (slot === 0 || this.fired(slot)) return;
    const behind = this.#behind[slot] as number;
    this.span[slot * SPAN + LIMIT] = behind === 0 ? Number.POSITIVE_INFINITY : this.start(behind);
  }

  #leave(slot: number): void {
    const at = (this.keyOf[slot] as number) + 1;
    if (this.current[at] === slot) this.current[at] = 0;
  }

  #grow(capacity: number): void {
    const before = this.keyOf.length;
    const ints = (old: Int32Array): Int32Array => {
      const array = new Int32Array(capacity);
      array.set(old);
      return array;
    };
    this.keyOf = ints(this.keyOf).fill(-1, before);
    this.#before = ints(this.#before);
    this.#behind = ints(this.#behind);
    const fired = new Uint8Array(capacity);
    fired.set(this.#fired);
    this.#fired = fired;
    const span = new Float64Array(capacity * SPAN);
    span.set(this.span);
    this.span = span;
    this.#owner.grow(capacity);
    this.#owner.reset(before, capacity);
  }
}
