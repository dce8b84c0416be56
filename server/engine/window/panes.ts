/**
 * Where the contents of open windows are found: (window number, key code) -> slot.
 *
 *   ring of rows, one per window that still fills                 slots, in blocks of 128
 *   ┌───────────────┬──────────────────────────────┐
 *   │ number & mask │ slot of key 0, 1, 2, 3, …    │ ───────────> contents[slot], keyOf[slot]
 *   └───────────────┴──────────────────────────────┘
 *
 * The fast path is an array index: a row of the ring belongs to one window number and holds one slot per key code; 0 means none yet. A
 * window that finds its row taken (a jump into the future, large lateness) lives in a map beside it; so does a window that has fired and
 * waits for late events, but keeps its row. The slots of a window lie in blocks of its own, so that firing reads memory in order.
 *
 * Invariants: a slot belongs to one window; slot 0 to none (rows that do not count are added there). Bound: the ring has 8 to 64 rows,
 * fewer where there are very many keys; contents are as many as (key, window) pairs are open.
 */

const BLOCK = 128;
const RING_MIN = 8;
const RING_MAX = 64;
/** Entries of the index: with very many keys fewer rows have to do. */
const INDEX_MAX = 1 << 23;

export interface Pane {
  /** Window number. */
  readonly number: number;
  /** Row of the ring, or -1: `slots` is used. */
  row: number;
  slots: Map<number, number> | null;
  /** First slots of its blocks. */
  readonly blocks: number[];
  /** Slots in use in the last block. */
  inLast: number;
  /** The result was emitted once; late events make it fire again. */
  fired: boolean;
}

export interface SlotOwner {
  /** Slots below `capacity` will be used. */
  grow(capacity: number): void;
  /** Slots `first .. last` start anew. */
  reset(first: number, last: number): void;
}

export class Panes {
  /** Window number of each row; NaN: free, or its window has fired. Read by the fast path. */
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

  get size(): number {
    let rows = 0;
    for (const pane of this.#byRow) if (pane !== null) rows++;
    return rows + this.#others.size;
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
    const known = pane.slots === null ? this.index[pane.row * this.keys + 1 + code] : pane.slots.get(code);
    if (known !== undefined && known !== 0) return known;
    if (pane.inLast === BLOCK) {
      pane.blocks.push(this.#block());
      pane.inLast = 0;
    }
    const slot = (pane.blocks[pane.blocks.length - 1] as number) + pane.inLast++;
    this.keyOf[slot] = code;
    if (pane.slots === null) this.index[pane.row * this.keys + 1 + code] = slot;
    else pane.slots.set(code, slot);
    return slot;
  }

  /** Slot of a key in a window, or 0. */
  lookup(pane: Pane, code: number): number {
    return (pane.slots === null ? this.index[pane.row * this.keys + 1 + code] : pane.slots.get(code)) ?? 0;
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
        pane.row = -1;
        pane.slots = new Map();
        for (const [first, last] of this.ranges(pane)) {
          for (let slot = first; slot < last; slot++) pane.slots.set(this.keyOf[slot] as number, slot);
        }
        this.#others.set(pane.number, pane);
      }
    }
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
