/**
 * Contents that are numbers, as they were at one moment, written while rows go on being added: slots are laid aside by the block, before the
 * first of them changes. A copy of a whole block costs a row little more than one slot would, and what comes behind it in the block is free.
 */

import type { ByteWriter } from '../batch/row-bytes.ts';

/** Slots of a block: as `panes.ts` deals them out. */
export const BLOCK_BITS = 7;
const BLOCK = 1 << BLOCK_BITS;
/** Blocks that lie aside in one array. */
const ROOM = 16;
/** Memory that is kept for the next snapshot, bytes: new memory costs more than what is copied into it. */
const SPARE_BYTES = 32 << 20;

/** Of each slot `width` numbers, side by side. */
export interface Numbers {
  readonly values: Float64Array;
  readonly width: number;
}

/** Room for blocks that lie aside, from one snapshot to the next. */
export class SpareRooms {
  readonly #rooms: Float64Array[] = [];
  /** Memory held, bytes. */
  bytes = 0;

  take(size: number): Float64Array {
    const room = this.#rooms.pop();
    if (room !== undefined) this.bytes -= room.byteLength;
    return room?.length === size ? room : new Float64Array(size);
  }

  give(room: Float64Array): void {
    if (this.bytes + room.byteLength > SPARE_BYTES) return;
    this.bytes += room.byteLength;
    this.#rooms.push(room);
  }
}

const NONE = 0;
const WAITS = 1;

export class NumberCut {
  readonly #numbers: () => Numbers;
  /** By block. */
  readonly #state: Uint8Array;
  readonly #aside: (Float64Array | undefined)[] = [];
  /** Numbers of a slot. */
  readonly width: number;
  readonly #spare: SpareRooms;
  readonly #rooms: Float64Array[] = [];
  /** In the last room. */
  #used = 0;
  #waiting = 0;

  /** `numbers`: as they are now, whenever it is asked; `slots`: how many there are; only the blocks of `ranges` are part of it. */
  constructor(
    numbers: () => Numbers,
    slots: number,
    ranges: Iterable<readonly [first: number, end: number]>,
    spare: SpareRooms,
  ) {
    this.#numbers = numbers;
    this.#spare = spare;
    this.width = numbers().width;
    this.#state = new Uint8Array((slots + BLOCK - 1) >> BLOCK_BITS);
    for (const [first, end] of ranges) this.#state.fill(WAITS, first >> BLOCK_BITS, (end + BLOCK - 1) >> BLOCK_BITS);
    for (const state of this.#state) this.#waiting += state;
  }

  /** To be called before a slot changes. */
  secure(slot: number): void {
    if (this.#state[slot >> BLOCK_BITS] === WAITS) this.#layAside(slot >> BLOCK_BITS);
  }

  /** The same for slots at `from .. to` of the list. */
  secureAll(slots: Int32Array, from: number, to: number): void {
    if (this.#waiting === 0) return;
    const state = this.#state;
    for (let i = from; i < to; i++) {
      const block = (slots[i] as number) >> BLOCK_BITS;
      if (state[block] === WAITS) this.#layAside(block);
    }
  }

  /** Where the numbers of a slot's block lie, from its first slot on. Valid until the next write. */
  blockOf(slot: number): Float64Array {
    const aside = this.#aside[slot >> BLOCK_BITS];
    if (aside !== undefined) return aside;
    const from = (slot & -BLOCK) * this.width;
    return this.#numbers().values.subarray(from, from + BLOCK * this.width);
  }

  /** Puts the numbers of a slot into `to`. */
  take(slot: number, to: ByteWriter): void {
    const { width } = this;
    const aside = this.#aside[slot >> BLOCK_BITS];
    const values = aside ?? this.#numbers().values;
    const at = (aside === undefined ? slot : slot & (BLOCK - 1)) * width;
    for (let i = 0; i < width; i++) to.f64(values[at + i] as number);
  }

  /** Nothing will be asked any more. */
  end(): void {
    for (const room of this.#rooms) this.#spare.give(room);
    this.#rooms.length = 0;
  }

  /** The block of the slot is written: nobody needs it any more. */
  release(slot: number): void {
    const block = slot >> BLOCK_BITS;
    if (this.#state[block] === WAITS) this.#waiting--;
    this.#state[block] = NONE;
    this.#aside[block] = undefined;
  }

  #layAside(block: number): void {
    const size = BLOCK * this.width;
    let room = this.#rooms.at(-1);
    if (room === undefined || this.#used === room.length) {
      room = this.#spare.take(ROOM * size);
      this.#rooms.push(room);
      this.#used = 0;
    }
    const copy = room.subarray(this.#used, this.#used + size);
    copy.set(this.#numbers().values.subarray(block * size, (block + 1) * size));
    this.#used += size;
    this.#aside[block] = copy;
    this.#state[block] = NONE;
    this.#waiting--;
  }
}
