/** Keys of a store and their records, one behind the other in one buffer: thousands of them cost no objects. */

import { ByteWriter } from './value-codec.ts';

/** Longer ones are not worth copying. */
const SHORT = 64;

/** Views that are filled again and again: making one costs more than copying a short key or record. */
export class ReusedViews {
  readonly #views: (Uint8Array | undefined)[] = [];

  /** Valid until the next one of this length; null: a view of what is there costs less. */
  ofLength(bytes: number): Uint8Array | null {
    if (bytes > SHORT) return null;
    this.#views[bytes] ??= new Uint8Array(bytes);
    return this.#views[bytes];
  }
}

export class RecordList {
  /** To write keys and records to; `key` and `add` say what it was. */
  readonly out = new ByteWriter(4096);
  /** By entry: where its key ends and the record begins, and where that ends and the next entry begins. */
  #ends = new Uint32Array(2 * 64);
  #keyEnd = 0;
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
    const at = this.#count++ * 2;
    if (at === this.#ends.length) {
      const ends = new Uint32Array(at * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#ends[at] = this.#keyEnd;
    this.#ends[at + 1] = this.out.length;
    return this.out.length - this.#keyEnd;
  }

  /** All of them, in their order. */
  entries(): Int32Array {
    return Int32Array.from({ length: this.#count }, (_, entry) => entry);
  }

  /** Bytes of an entry, its key included. */
  bytesOf(entry: number): number {
    return (this.#ends[entry * 2 + 1] as number) - this.#beginOf(entry);
  }

  /** A view, of its own or one that is `reused`. */
  keyOf(entry: number, reused: ReusedViews | null = null): Uint8Array {
    return this.#part(this.#beginOf(entry), this.#ends[entry * 2] as number, reused);
  }

  /** As `keyOf`; null: it has none, or it is to go. */
  recordOf(entry: number, reused: ReusedViews | null = null): Uint8Array | null {
    const from = this.#ends[entry * 2] as number;
    const to = this.#ends[entry * 2 + 1] as number;
    return from === to ? null : this.#part(from, to, reused);
  }

  #part(from: number, to: number, reused: ReusedViews | null): Uint8Array {
    const view = reused?.ofLength(to - from) ?? null;
    if (view === null) return this.out.part(from, to);
    this.out.copy(from, view);
    return view;
  }

  #beginOf(entry: number): number {
    return entry === 0 ? 0 : (this.#ends[entry * 2 - 1] as number);
  }

  clear(): void {
    this.out.length = 0;
    this.#count = 0;
  }
}
