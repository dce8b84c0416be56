/**
 * Keys as a snapshot writes them, and what decides about their key group, by code: worked out once per key instead of once per window and
 * checkpoint. They lie one behind the other, so that writing a key is finding one place and copying a few words.
 *
 *   placeOf[code] ──> │ hash, mixed │ how many bytes │ the bytes, up to a whole word │ …
 */

import { ByteWriter } from '../batch/row-bytes.ts';
import { murmurHash } from '../exchange/key-groups.ts';

const FIRST_CODES = 1024;
const FIRST_WORDS = 1 << 12;
export const WORD_BYTES = 4;
/** Words in front of the bytes: modulo the max parallelism the key group; how many bytes there are. */
export const HEAD_WORDS = 2;

export interface KeyOfCode {
  /** As `javaHash` has it. */
  hash(code: number): number;
  save(code: number, to: ByteWriter): void;
}

export class KeyBytes {
  readonly #key: KeyOfCode;
  readonly #writer = new ByteWriter();
  /** The keys that are known, the first byte lowest in its word, and holes where keys were that are forgotten. */
  words = new Int32Array(FIRST_WORDS);
  /** Nothing begins at 0. */
  #used = 1;
  #holes = 0;
  /** By code; 0: the key is not known. */
  placeOf = new Int32Array(FIRST_CODES);
  #pins = 0;

  constructor(key: KeyOfCode) {
    this.#key = key;
  }

  /** Memory held, bytes. */
  get size(): number {
    return this.words.byteLength + this.placeOf.byteLength;
  }

  /** Where in `words` the key is. This may replace the arrays. */
  place(code: number): number {
    const known = this.placeOf[code];
    return known === undefined || known === 0 ? this.#learn(code) : known;
  }

  #learn(code: number): number {
    if (code >= this.placeOf.length) {
      const grown = new Int32Array(Math.max(code + 1, this.placeOf.length * 2));
      grown.set(this.placeOf);
      this.placeOf = grown;
    }
    this.#writer.clear();
    this.#key.save(code, this.#writer);
    const bytes = this.#writer.written();
    const place = this.#used;
    this.#used += HEAD_WORDS + wordsOf(bytes.length);
    if (this.#used > this.words.length) {
      const grown = new Int32Array(Math.max(this.words.length * 2, this.#used));
      grown.set(this.words);
      this.words = grown;
    }
    this.placeOf[code] = place;
    this.words[place] = murmurHash(this.#key.hash(code));
    this.words[place + 1] = bytes.length;
    for (let i = 0; i < bytes.length; i++) {
      const word = place + HEAD_WORDS + Math.floor(i / WORD_BYTES);
      const before = i % WORD_BYTES === 0 ? 0 : (this.words[word] as number);
      this.words[word] = before | ((bytes[i] as number) << (8 * (i % WORD_BYTES)));
    }
    return place;
  }

  /** Puts the bytes of a key into `to`. */
  save(code: number, to: ByteWriter): void {
    const place = this.place(code);
    const { words } = this;
    const bytes = words[place + 1] as number;
    let word = 0;
    for (let i = 0; i < bytes; i++) {
      if (i % WORD_BYTES === 0) word = words[place + HEAD_WORDS + i / WORD_BYTES] as number;
      to.u8(word & 255);
      word >>= 8;
    }
  }

  group(code: number, maxParallelism: number): number {
    const place = this.place(code);
    return (this.words[place] as number) % maxParallelism;
  }

  /** The code may be another key's from now on. */
  forget(code: number): void {
    const place = this.placeOf[code];
    if (place === undefined || place === 0) return;
    this.#holes += HEAD_WORDS + wordsOf(this.words[place + 1] as number);
    this.placeOf[code] = 0;
    if (this.#pins > 0 || this.#holes <= FIRST_WORDS || this.#holes * 2 <= this.#used) return;
    // More holes than keys: all are learned anew.
    this.placeOf.fill(0);
    this.#used = 1;
    this.#holes = 0;
  }

  /** What has a place keeps it until `unpin`, but for codes that are forgotten themselves. */
  pin(): void {
    this.#pins++;
  }

  unpin(): void {
    this.#pins--;
  }
}

const wordsOf = (bytes: number): number => Math.ceil(bytes / WORD_BYTES);
