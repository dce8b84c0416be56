/** The chunks of one section, in their order, and where each lies: what the next checkpoint is compared with. */

import type { Extent } from './state-file.ts';

/** No chunk. */
export const NONE = -1;

/** Chunks of a section while they are found; then never changed. */
export class StoredChunks {
  #count = 0;
  /** Hash in two halves, length, and the checkpoint that wrote the file. */
  #facts = new Int32Array(4 * 64);
  #offsets = new Float64Array(64);
  /** Chunks by hash, in a table with open places. Made when it is needed. */
  #table: Int32Array | null = null;

  add(a: number, b: number, file: number, offset: number, length: number): void {
    if (this.#count === this.#offsets.length) this.#resize(this.#count * 2);
    const at = this.#count * 4;
    this.#facts[at] = a;
    this.#facts[at + 1] = b;
    this.#facts[at + 2] = length;
    this.#facts[at + 3] = file;
    this.#offsets[this.#count++] = offset;
  }

  /** No more come. */
  seal(): void {
    this.#resize(this.#count);
  }

  /** A chunk with that hash; -1: there is none. */
  find(a: number, b: number, length: number): number {
    const table = this.#table ?? this.#makeTable();
    const mask = table.length - 1;
    for (let i = a & mask; ; i = (i + 1) & mask) {
      const chunk = table[i] as number;
      if (chunk === NONE || this.is(chunk, a, b, length)) return chunk;
    }
  }

  /** 0: there is no such chunk. */
  lengthOf(chunk: number): number {
    return chunk < this.#count ? (this.#facts[chunk * 4 + 2] as number) : 0;
  }

  is(chunk: number, a: number, b: number, length: number): boolean {
    const at = chunk * 4;
    return this.#facts[at] === a && this.#facts[at + 1] === b && this.#facts[at + 2] === length;
  }

  /** Number of the checkpoint in whose file it is. */
  fileOf(chunk: number): number {
    return this.#facts[chunk * 4 + 3] as number;
  }

  offsetOf(chunk: number): number {
    return this.#offsets[chunk] as number;
  }

  /** Runs of chunks that lie one behind the other; `file` is the checkpoint that wrote it. */
  extents(): Extent[] {
    const extents: { file: number; offset: number; length: number }[] = [];
    for (let i = 0; i < this.#count; i++) {
      const file = this.fileOf(i);
      const offset = this.offsetOf(i);
      const length = this.lengthOf(i);
      const before = extents.at(-1);
      if (before !== undefined && before.file === file && before.offset + before.length === offset) {
        before.length += length;
      } else extents.push({ file, offset, length });
    }
    return extents;
  }

  /** The table is only worth its memory while checkpoints are compared. */
  dropTable(): void {
    this.#table = null;
  }

  #makeTable(): Int32Array {
    const table = new Int32Array(2 ** Math.ceil(Math.log2(this.#count * 2 + 2))).fill(NONE);
    const mask = table.length - 1;
    for (let chunk = 0; chunk < this.#count; chunk++) {
      let i = (this.#facts[chunk * 4] as number) & mask;
      while (table[i] !== NONE) i = (i + 1) & mask;
      table[i] = chunk;
    }
    this.#table = table;
    return table;
  }

  #resize(chunks: number): void {
    const facts = new Int32Array(chunks * 4);
    facts.set(this.#facts.subarray(0, this.#count * 4));
    this.#facts = facts;
    const offsets = new Float64Array(chunks);
    offsets.set(this.#offsets.subarray(0, this.#count));
    this.#offsets = offsets;
  }
}
