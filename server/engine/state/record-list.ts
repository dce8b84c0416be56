/** Keys of a store and their records, one behind the other in one buffer: thousands of them cost no objects. */

import { ByteWriter } from './value-codec.ts';

export class RecordList {
  /** To write keys and records to; `key` and `add` say what it was. */
  readonly out = new ByteWriter(4096);
  /** By entry: where its key begins, where that ends and the record begins, and where it ends. */
  #ends = new Uint32Array(3 * 64);
  #keyEnd = 0;
  #begin = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** What was written is the key of the next entry. */
  key(): void {
    this.#keyEnd = this.out.length;
  }

  /** What was written since `key` is its record; returns its number of bytes, 0 of which are no record. */
  add(): number {
    const at = this.#count++ * 3;
    if (at === this.#ends.length) {
      const ends = new Uint32Array(at * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#ends[at] = this.#begin;
    this.#ends[at + 1] = this.#keyEnd;
    this.#begin = this.out.length;
    this.#ends[at + 2] = this.#begin;
    return this.#begin - this.#keyEnd;
  }

  /** A view. */
  keyOf(entry: number): Uint8Array {
    return this.out.part(this.#ends[entry * 3] as number, this.#ends[entry * 3 + 1] as number);
  }

  /** A view; null: it has none, or it is to go. */
  recordOf(entry: number): Uint8Array | null {
    const from = this.#ends[entry * 3 + 1] as number;
    const to = this.#ends[entry * 3 + 2] as number;
    return from === to ? null : this.out.part(from, to);
  }

  clear(): void {
    this.out.length = 0;
    this.#begin = 0;
    this.#count = 0;
  }
}
