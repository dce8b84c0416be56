/** The chunks that a section had, block by block, in which those that it has now are looked for. */

import { NONE, type StoredChunks } from './stored-chunks.ts';

export class KnownChunks {
  readonly #blocks: readonly StoredChunks[];
  /** Of these the chunk that was found, or is expected next. */
  #block: number;
  #chunk = 0;

  /** `first`: the block that is expected to be the same. */
  constructor(blocks: readonly StoredChunks[], first: number) {
    this.#blocks = blocks;
    this.#block = first;
  }

  /** Length of the chunk that comes next if all is as it was; 0: there is none. */
  get expected(): number {
    return this.#blocks[this.#block]?.lengthOf(this.#chunk) ?? 0;
  }

  isExpected(a: number, b: number, length: number): boolean {
    return this.#blocks[this.#block]?.is(this.#chunk, a, b, length) ?? false;
  }

  /** Goes to a chunk with that hash; false: there is none. */
  find(a: number, b: number, length: number): boolean {
    for (let n = 0; n < this.#blocks.length; n++) {
      const block = (this.#block + n) % this.#blocks.length;
      const chunk = (this.#blocks[block] as StoredChunks).find(a, b, length);
      if (chunk === NONE) continue;
      this.#block = block;
      this.#chunk = chunk;
      return true;
    }
    return false;
  }

  /** Number of the checkpoint in whose file the chunk is that was found. */
  get file(): number {
    return (this.#blocks[this.#block] as StoredChunks).fileOf(this.#chunk);
  }

  get offset(): number {
    return (this.#blocks[this.#block] as StoredChunks).offsetOf(this.#chunk);
  }

  /** Expects what comes behind the chunk that was found. */
  next(): void {
    const blocks = this.#blocks;
    if (this.#block >= blocks.length) return;
    this.#chunk++;
    if ((blocks[this.#block] as StoredChunks).lengthOf(this.#chunk) > 0) return;
    this.#block++;
    this.#chunk = 0;
  }

  /** Nothing will be looked for for a while. */
  dropTables(): void {
    for (const block of this.#blocks) block.dropTable();
  }
}
