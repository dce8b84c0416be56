/**
 * Finds the dictionary code of a string from its bytes, so that a string that was seen before is never made again: FNV-1a and open
 * addressing over copies of the bytes.
 *
 * Bound: it holds nothing that the dictionary does not hold too, copies at most `MAX_KEY` bytes of each, and is emptied when that is swept.
 * Longer strings, and those that would need long probing (an input can be made to collide), take the way over a JavaScript string.
 */

import { isUtf8 } from 'node:buffer';
import type { Dictionary } from '#engine/batch/dictionary.ts';

/** Longest string remembered by its bytes. */
const MAX_KEY = 256;
/** Slots tried before a string goes without. */
const MAX_PROBES = 32;
const FIRST_SLOTS = 1024;
const FIRST_ARENA = 1 << 14;

/** Start of the hash; each byte is mixed in by `Math.imul(hash ^ byte, HASH_FACTOR)`. */
export const HASH_START = 0x811c9dc5 | 0;
export const HASH_FACTOR = 16777619;

/** Numbers per entry: hash, start and length in the arena, code. */
const STRIDE = 4;

export class ByteDictionary {
  readonly #dictionary: Dictionary;
  /** Entry number + 1, or 0; a power of two long, at most half full. */
  #slots = new Int32Array(FIRST_SLOTS);
  #entries = new Int32Array((FIRST_SLOTS / 2) * STRIDE);
  #count = 0;
  #arena = new Uint8Array(FIRST_ARENA);
  #used = 0;

  constructor(dictionary: Dictionary) {
    this.#dictionary = dictionary;
  }

  /** Strings remembered by their bytes. */
  get size(): number {
    return this.#count;
  }

  /**
   * Code of the UTF-8 string in `bytes[start, end)` if its bytes were seen before, else -1. `hash` is that of the bytes: the caller has
   * just read them all.
   */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    const entries = this.#entries;
    const arena = this.#arena;
    const mask = slots.length - 1;
    const length = end - start;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const entry = ((slots[slot] as number) - 1) * STRIDE;
      if (entry < 0) return -1;
      if (entries[entry] === hash && entries[entry + 2] === length) {
        let a = entries[entry + 1] as number;
        let b = start;
        while (b < end && arena[a] === bytes[b]) {
          a++;
          b++;
        }
        if (b === end) return entries[entry + 3] as number;
      }
      slot = (slot + 1) & mask;
    }
    return -1;
  }

  /**
   * Code of a string that `find` did not find, remembered from now on. -1, and nothing is remembered, when the bytes are not valid UTF-8
   * or `refuse` says so of the string.
   */
  add(bytes: Buffer, start: number, end: number, hash: number, refuse: (text: string) => boolean): number {
    if (!isUtf8(bytes.subarray(start, end))) return -1;
    const text = bytes.toString('utf8', start, end);
    if (refuse(text)) return -1;
    const code = this.#dictionary.codeOf(text);
    const length = end - start;
    if (length > MAX_KEY) return code;

    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow();
    const slot = this.#freeSlot(hash);
    if (slot < 0) return code;
    if (this.#used + length > this.#arena.length) {
      const larger = new Uint8Array(Math.max(this.#arena.length * 2, this.#used + length));
      larger.set(this.#arena);
      this.#arena = larger;
    }
    this.#arena.set(bytes.subarray(start, end), this.#used);
    this.#entries.set([hash, this.#used, length, code], this.#count * STRIDE);
    this.#used += length;
    this.#slots[slot] = ++this.#count;
    return code;
  }

  /** Forgets everything: the dictionary was swept, and codes may mean other strings now. */
  clear(): void {
    this.#slots = new Int32Array(FIRST_SLOTS);
    this.#entries = new Int32Array((FIRST_SLOTS / 2) * STRIDE);
    this.#arena = new Uint8Array(FIRST_ARENA);
    this.#count = 0;
    this.#used = 0;
  }

  /** Slot for a new entry, or -1 when `find` would not look far enough to see it. */
  #freeSlot(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      if (this.#slots[slot] === 0) return slot;
      slot = (slot + 1) & mask;
    }
    return -1;
  }

  #grow(): void {
    const entries = new Int32Array(this.#entries.length * 2);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#freeSlot(entries[i * STRIDE] as number);
      // One that finds no place in the larger table is met again as new: correct, only slower.
      if (slot >= 0) this.#slots[slot] = i + 1;
    }
  }
}
