/**
 * Keys by dense id and ids by key, in typed arrays: ten million keys are ten million entries of some bytes, not of some objects.
 *
 *   slots    hash table with open places ──> id
 *   by id    hash (`Object.hashCode` in Flink: it decides about the key group), and the key: a number, or a run of bytes
 *
 * Ids that nobody holds are swept and given to other keys.
 */

import { type Holder, SWEEP_ENTRIES } from '../batch/dictionary.ts';
import { javaHash, keyGroupOf, murmurHash } from '../exchange/key-groups.ts';
import { keyBytes, textOfKey, UTF16 } from './store-key.ts';
import type { ByteWriter } from './value-codec.ts';

const FIRST_IDS = 64;

export abstract class KeyTable {
  /** Id by place; -1: open. A power of two, at most three quarters full. */
  #slots = new Int32Array(2 * FIRST_IDS).fill(-1);
  /** By id. */
  protected hashes = new Int32Array(FIRST_IDS);
  /** Ids given so far, those that are free again among them. */
  #given = 0;
  #free: Int32Array = new Int32Array(0);
  #freeCount = 0;
  readonly #holders: Holder[] = [];
  readonly #sweepListeners: (() => void)[] = [];
  readonly #minimum: number;
  #limit: number;

  constructor(sweepEntries = SWEEP_ENTRIES) {
    this.#minimum = sweepEntries;
    this.#limit = sweepEntries;
  }

  /** Id of a key, given on first sight. */
  abstract idOf(text: string): number;
  /** -1: it has none. */
  abstract find(text: string): number;
  abstract textOf(id: number): string;
  /** Bytes of the key as text, as they stand in a store's keys. */
  abstract writeKey(id: number, to: ByteWriter): void;
  /** As `ByteWriter.string` writes the key as text. */
  abstract writeText(id: number, to: ByteWriter): void;
  /** Room for ids below `capacity`. */
  protected abstract growKeys(capacity: number): void;
  /** Only these ids are in use any more. */
  protected keepKeys(_held: Uint8Array): void {}

  /** Ids in use are below this. */
  get capacity(): number {
    return this.#given;
  }

  /** Keys that have ids. */
  get size(): number {
    return this.#given - this.#freeCount;
  }

  groupOf(id: number, maxParallelism: number): number {
    return keyGroupOf(this.hashes[id] as number, maxParallelism);
  }

  /** Keeps ids alive across sweeps. */
  hold(holder: Holder): void {
    this.#holders.push(holder);
  }

  /** Called after a sweep. */
  onSwept(listener: () => void): void {
    this.#sweepListeners.push(listener);
  }

  /** Drops the ids nobody holds, if there are too many; only between batches. Returns whether it swept. */
  sweepIfLarge(): boolean {
    if (this.size < this.#limit) return false;
    this.sweep();
    return true;
  }

  /** Drops the ids nobody holds, however few they are. */
  sweep(): void {
    const held = new Uint8Array(this.#given);
    for (const holder of this.#holders) {
      holder((id) => {
        held[id] = 1;
      });
    }
    // A holder may name whole ranges, as a snapshot that is being written does: what was free before has no key, and stays free.
    for (const id of this.#free.subarray(0, this.#freeCount)) held[id] = 0;
    let free = 0;
    for (let id = 0; id < this.#given; id++) if (held[id] === 0) free++;
    this.#free = new Int32Array(free);
    this.#freeCount = 0;
    this.#slots.fill(-1);
    for (let id = this.#given - 1; id >= 0; id--) {
      if (held[id] === 0) this.#free[this.#freeCount++] = id;
      else this.#place(id);
    }
    this.keepKeys(held);
    this.#limit = Math.max(this.#minimum, this.size * 2);
    for (const listener of this.#sweepListeners) listener();
  }

  /** First place to look for a hash at; then those behind it. */
  protected placeOf(hash: number): number {
    return murmurHash(hash) & (this.#slots.length - 1);
  }

  /** -1: nothing is there, and nothing behind it. */
  protected at(place: number): number {
    return this.#slots[place] as number;
  }

  protected behind(place: number): number {
    return (place + 1) & (this.#slots.length - 1);
  }

  /** An id for a key that has none. */
  protected give(hash: number): number {
    if ((this.size + 1) * 4 > this.#slots.length * 3) this.#rehash();
    const id = this.#freeCount > 0 ? (this.#free[--this.#freeCount] as number) : this.#given++;
    if (id === this.hashes.length) {
      const capacity = Math.ceil(id * 1.5);
      const hashes = new Int32Array(capacity);
      hashes.set(this.hashes);
      this.hashes = hashes;
      this.growKeys(capacity);
    }
    this.hashes[id] = hash;
    this.#place(id);
    return id;
  }

  #rehash(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(before.length * 2).fill(-1);
    for (const id of before) if (id !== -1) this.#place(id);
  }

  #place(id: number): void {
    let place = this.placeOf(this.hashes[id] as number);
    while (this.#slots[place] !== -1) place = this.behind(place);
    this.#slots[place] = id;
  }
}

/** Whole numbers: each is its own hash. */
export class NumberTable extends KeyTable {
  idOf(text: string): number {
    return this.idOfNumber(Number(text));
  }

  find(text: string): number {
    return this.#find(Number(text));
  }

  textOf(id: number): string {
    return String(this.hashes[id]);
  }

  numberOf(id: number): number {
    return this.hashes[id] as number;
  }

  writeKey(id: number, to: ByteWriter): void {
    to.digits(this.hashes[id] as number);
  }

  writeText(id: number, to: ByteWriter): void {
    const length = to.begin();
    to.digits(this.hashes[id] as number);
    to.end(length, 'text');
  }

  idOfNumber(key: number): number {
    const id = this.#find(key);
    return id < 0 ? this.give(key) : id;
  }

  protected growKeys(): void {}

  #find(key: number): number {
    for (let place = this.placeOf(key); ; place = this.behind(place)) {
      const id = this.at(place);
      if (id < 0 || this.hashes[id] === key) return id;
    }
  }
}

/** Strings, as bytes one behind the other. */
export class TextTable extends KeyTable {
  #bytes = new Uint8Array(1024);
  #used = 0;
  /** By id: where its bytes begin and end. */
  #from = new Uint32Array(FIRST_IDS);
  #to = new Uint32Array(FIRST_IDS);

  idOf(text: string): number {
    const hash = javaHash(text);
    const bytes = keyBytes(text);
    const known = this.#find(hash, bytes);
    if (known >= 0) return known;
    const id = this.give(hash);
    const from = this.#used;
    const to = from + bytes.length;
    if (to > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(to, Math.ceil(this.#bytes.length * 1.5)));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, from);
    this.#used = to;
    this.#from[id] = from;
    this.#to[id] = to;
    return id;
  }

  find(text: string): number {
    return this.#find(javaHash(text), keyBytes(text));
  }

  textOf(id: number): string {
    return textOfKey(this.#bytes.subarray(this.#from[id], this.#to[id]));
  }

  writeKey(id: number, to: ByteWriter): void {
    to.raw(this.#bytes.subarray(this.#from[id], this.#to[id]));
  }

  writeText(id: number, to: ByteWriter): void {
    const from = this.#from[id] as number;
    if (this.#bytes[from] === UTF16) {
      to.string(this.textOf(id));
      return;
    }
    const text = to.begin();
    for (let i = from, end = this.#to[id] as number; i < end; i++) to.byte(this.#bytes[i] as number);
    to.end(text, 'text');
  }

  protected growKeys(capacity: number): void {
    const grown = (from: Uint32Array) => {
      const to = new Uint32Array(capacity);
      to.set(from);
      return to;
    };
    this.#from = grown(this.#from);
    this.#to = grown(this.#to);
  }

  protected override keepKeys(held: Uint8Array): void {
    let kept = 0;
    for (let id = 0; id < held.length; id++)
      if (held[id] === 1) kept += (this.#to[id] as number) - (this.#from[id] as number);
    const bytes = new Uint8Array(Math.max(1024, kept));
    let used = 0;
    for (let id = 0; id < held.length; id++) {
      if (held[id] === 0) continue;
      const run = this.#bytes.subarray(this.#from[id], this.#to[id]);
      bytes.set(run, used);
      this.#from[id] = used;
      used += run.length;
      this.#to[id] = used;
    }
    this.#bytes = bytes;
    this.#used = used;
  }

  #find(hash: number, bytes: Uint8Array): number {
    for (let place = this.placeOf(hash); ; place = this.behind(place)) {
      const id = this.at(place);
      if (id < 0 || (this.hashes[id] === hash && this.#is(id, bytes))) return id;
    }
  }

  #is(id: number, bytes: Uint8Array): boolean {
    const from = this.#from[id] as number;
    if ((this.#to[id] as number) - from !== bytes.length) return false;
    for (let i = 0; i < bytes.length; i++) if (this.#bytes[from + i] !== bytes[i]) return false;
    return true;
  }
}
