/**
 * Where the contents of open windows are found: (pane number, key code) -> slot. A pane is a slice of time that windows are made of; a
 * tumbling window is one pane.
 *
 *   ring of rows, one per pane that still fills                   slots, in blocks of 128
 *   ┌───────────────┬──────────────────────────────┐
 *   │ number & mask │ slot of key 0, 1, 2, 3, …    │ ───────────> contents[slot], keyOf[slot]
 *   └───────────────┴──────────────────────────────┘
 *
 * The fast path is an array index: a row of the ring belongs to one pane number and holds one slot per key code; 0 means none yet. A
 * pane that finds its row taken (a jump into the future) lives beside it, with an index of its own. A pane that has fired is off the fast
 * path too: it keeps its row until another one wants it. The slots of a pane lie in blocks of its own, so that firing reads memory in order.
 *
 * A pane may have no number at all (`detached`): contents made of other panes' contents.
 *
 * Invariants: a slot belongs to one pane; slot 0 to none (rows that do not count are added there). Bound: the ring has 8 to 64 rows,
 * fewer where there are very many keys; contents are as many as (key, pane) pairs are open.
 */

import { BLOCK_BITS } from './number-cut.ts';

/** As many are laid aside at a time (`number-cut.ts`). */
const BLOCK = 1 << BLOCK_BITS;
const RING_MIN = 8;
const RING_MAX = 64;
/** Entries of the index: with very many keys fewer rows have to do. */
const INDEX_MAX = 1 << 23;

/** Keys of a pane beside the ring, in this share of all keys or more, are indexed by an array. */
const DENSE = 1 / 8;

export interface Pane {
  /** NaN: detached. */
  readonly number: number;
  /** Row of the ring, or -1: it has slots of its own. */
  row: number;
  /** Slot by key code (0 or beyond: none), as an array or, where keys are few, as a map. */
  slots: Int32Array | Map<number, number> | null;
  /** First slots of its blocks. */
  readonly blocks: number[];
  /** Slots in use in the last block. */
  inLast: number;
  /** Part of a result that was emitted: what comes now is late. */
  fired: boolean;
}

export interface SlotOwner {
  /** Slots below `capacity` will be used. */
  grow(capacity: number): void;
  /** Slots `first .. last` start anew. */
  reset(first: number, last: number): void;
}

export class Panes {
  /** Pane number of each row; NaN: free, or its pane has fired. Read by the fast path. */
  ring = new Float64Array(RING_MIN).fill(Number.NaN);
  /** `index[row * keys + 1 + code]`: slot. The place in front is that of code -1, a null key: always 0, so that it is looked at. */
  index = new Int32Array(0);
  /** Key codes per row. */
  keys = 0;
  /** Key code of each slot. */
  keyOf = new Int32Array(BLOCK);
  readonly #owner: SlotOwner;
  readonly #freeBlocks: number[] = [];
  #nextBlock = BLOCK;
  readonly #byRow: (Pane | null)[] = new Array(RING_MIN).fill(null);
  readonly #others = new Map<number, Pane>();
  /** Open panes. */
  size = 0;

  constructor(owner: SlotOwner) {
    this.#owner = owner;
    owner.grow(BLOCK);
    owner.reset(0, BLOCK);
  }

  /** Open windows, in no order. */
  *all(): Generator<Pane> {
    for (const pane of this.#byRow) if (pane !== null) yield pane;
    yield* this.#others.values();
  }

  /** Slots in use or in reserve. */
  get capacity(): number {
    return this.keyOf.length;
  }

  find(number: number): Pane | null {
    const pane = this.#byRow[number & (this.ring.length - 1)];
    if (pane !== null && pane !== undefined && pane.number === number) return pane;
    return this.#others.get(number) ?? null;
  }

  /** A window that is not open yet. */
  open(number: number): Pane {
    let row = number & (this.ring.length - 1);
    const taken = this.#byRow[row];
    if (taken?.fired === true) this.#evict(taken);
    if (this.#byRow[row] !== null && this.ring.length < RING_MAX && this.ring.length * 2 * this.keys <= INDEX_MAX) {
      this.#layOut(this.ring.length * 2, this.keys);
      row = number & (this.ring.length - 1);
    }
    const free = this.#byRow[row] === null;
    const pane: Pane = {
      number,
      row: free ? row : -1,
      slots: free ? null : new Map(),
      blocks: [],
      inLast: BLOCK,
      fired: false,
    };
    this.size++;
    if (free) {
      this.#byRow[row] = pane;
      this.ring[row] = number;
    } else {
      this.#others.set(number, pane);
    }
    return pane;
  }

  /** Slot of a key in a window; made, and reset, on first use. */
  slot(pane: Pane, code: number): number {
    const known = this.lookup(pane, code);
    if (known !== 0) return known;
    if (pane.inLast === BLOCK) {
      pane.blocks.push(this.#block());
      pane.inLast = 0;
    }
    const slot = (pane.blocks[pane.blocks.length - 1] as number) + pane.inLast++;
    this.keyOf[slot] = code;
    if (pane.slots === null) this.index[pane.row * this.keys + 1 + code] = slot;
    else if (pane.slots instanceof Map) pane.slots.set(code, slot);
    else {
      if (code >= pane.slots.length) {
        const grown = new Int32Array(Math.max(this.keys, code + 1));
        grown.set(pane.slots);
        pane.slots = grown;
      }
      pane.slots[code] = slot;
    }
    return slot;
  }

  /** Slot of a key in a pane, or 0. */
  lookup(pane: Pane, code: number): number {
    const { slots } = pane;
    if (slots === null) return this.index[pane.row * this.keys + 1 + code] ?? 0;
    return (slots instanceof Map ? slots.get(code) : slots[code]) ?? 0;
  }

  /** A pane without number, for many keys or for a few; nobody else finds it. `close` it. */
  detached(keys: 'many' | 'few'): Pane {
    const slots = keys === 'many' ? new Int32Array(this.keys) : new Map<number, number>();
    return { number: Number.NaN, row: -1, slots, blocks: [], inLast: BLOCK, fired: true };
  }

  /** Gives every key another code. Panes without number have to be closed before. */
  recode(codeOf: (code: number) => number): void {
    const open = [...this.all()];
    for (const pane of open) if (pane.row >= 0) this.#evict(pane);
    let codes = 0;
    for (const pane of open) {
      const slots = new Map<number, number>();
      for (const [first, last] of this.ranges(pane)) {
        for (let slot = first; slot < last; slot++) {
          const code = codeOf(this.keyOf[slot] as number);
          this.keyOf[slot] = code;
          slots.set(code, slot);
          codes = Math.max(codes, code + 1);
        }
      }
      pane.slots = slots;
    }
    this.reserveKeys(codes);
    for (const pane of open) if (!pane.fired) this.#moveIn(pane);
  }

  /** Takes the window off the fast path: whoever adds to it must come by `find` and see that it has fired. */
  markFired(pane: Pane): void {
    pane.fired = true;
    if (pane.row >= 0) this.ring[pane.row] = Number.NaN;
  }

  /** Drops a window's contents. */
  close(pane: Pane): void {
    for (const [b, first] of pane.blocks.entries()) {
      const last = first + (b === pane.blocks.length - 1 ? pane.inLast : BLOCK);
      if (pane.row >= 0) {
        const from = pane.row * this.keys + 1;
        for (let slot = first; slot < last; slot++) this.index[from + (this.keyOf[slot] as number)] = 0;
      }
      this.#owner.reset(first, last);
      this.#freeBlocks.push(first);
    }
    if (Number.isNaN(pane.number)) return;
    this.size--;
    if (pane.row >= 0) {
      this.#byRow[pane.row] = null;
      this.ring[pane.row] = Number.NaN;
    } else {
      this.#others.delete(pane.number);
    }
  }

  /** Slots of a window, block by block, in the order of first use. */
  *ranges(pane: Pane): Generator<[first: number, last: number]> {
    for (const [b, first] of pane.blocks.entries()) {
      yield [first, first + (b === pane.blocks.length - 1 ? pane.inLast : BLOCK)];
    }
  }

  /** Marks the codes of all keys. */
  hold(mark: (code: number) => void): void {
    for (const pane of this.all()) {
      for (const [first, last] of this.ranges(pane)) {
        for (let slot = first; slot < last; slot++) mark(this.keyOf[slot] as number);
      }
    }
  }

  /** Room for key codes below `codes`. */
  reserveKeys(codes: number): void {
    if (codes < this.keys) return;
    let keys = Math.max(this.keys, 512);
    while (keys <= codes) keys *= 2;
    let rows = this.ring.length;
    while (rows > RING_MIN && rows * keys > INDEX_MAX) rows /= 2;
    this.#layOut(rows, keys);
  }

  /** Another shape of the index. A window whose row is taken then lives in a map from now on. */
  #layOut(rows: number, keys: number): void {
    const old = { index: this.index, keys: this.keys };
    const panes = this.#byRow.filter((p) => p !== null);
    this.index = new Int32Array(rows * keys);
    this.keys = keys;
    this.ring = new Float64Array(rows).fill(Number.NaN);
    this.#byRow.length = 0;
    for (let i = 0; i < rows; i++) this.#byRow.push(null);
    for (const pane of panes) {
      const from = pane.row * old.keys;
      const row = pane.number & (rows - 1);
      if (this.#byRow[row] === null) {
        pane.row = row;
        this.#byRow[row] = pane;
        this.ring[row] = pane.fired ? Number.NaN : pane.number;
        this.index.set(old.index.subarray(from, from + old.keys), row * keys);
      } else {
        this.#moveOut(pane, old.index.subarray(from + 1, from + old.keys));
      }
    }
  }

  /** Frees the row of a pane. */
  #evict(pane: Pane): void {
    const row = this.index.subarray(pane.row * this.keys + 1, (pane.row + 1) * this.keys);
    this.#byRow[pane.row] = null;
    this.ring[pane.row] = Number.NaN;
    this.#moveOut(pane, row);
    row.fill(0);
  }

  /** Gives a pane the row that belongs to its number, if it is free. */
  #moveIn(pane: Pane): void {
    const row = pane.number & (this.ring.length - 1);
    if (this.#byRow[row] !== null) return;
    for (const [first, last] of this.ranges(pane)) {
      for (let slot = first; slot < last; slot++) this.index[row * this.keys + 1 + (this.keyOf[slot] as number)] = slot;
    }
    this.#others.delete(pane.number);
    pane.row = row;
    pane.slots = null;
    this.#byRow[row] = pane;
    this.ring[row] = pane.number;
  }

  /** Gives a pane an index of its own, beside the ring; `slots` is its row. */
  #moveOut(pane: Pane, slots: Int32Array): void {
    pane.row = -1;
    const used = (pane.blocks.length - 1) * BLOCK + pane.inLast;
    if (used >= slots.length * DENSE) {
      pane.slots = slots.slice();
    } else {
      const few = new Map<number, number>();
      for (const [first, last] of this.ranges(pane)) {
        for (let slot = first; slot < last; slot++) few.set(this.keyOf[slot] as number, slot);
      }
      pane.slots = few;
    }
    this.#others.set(pane.number, pane);
  }

  #block(): number {
    const free = this.#freeBlocks.pop();
    if (free !== undefined) return free;
    const first = this.#nextBlock;
    this.#nextBlock += BLOCK;
    if (this.#nextBlock > this.keyOf.length) {
      const capacity = Math.max(this.keyOf.length * 2, 1024);
      const keyOf = new Int32Array(capacity);
      keyOf.set(this.keyOf);
      this.keyOf = keyOf;
      this.#owner.grow(capacity);
    }
    this.#owner.reset(first, first + BLOCK);
    return first;
  }
}
