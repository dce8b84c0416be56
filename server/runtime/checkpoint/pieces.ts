/** The bytes of a file before it is written: long runs as they are, short ones gathered, so that the disk gets few and large pieces. */

import { crc32 } from 'node:zlib';

/** Shorter runs are copied. */
const SHORT_BYTES = 16 << 10;
const GATHERED_BYTES = 256 << 10;

export class Pieces {
  readonly #pieces: Uint8Array[] = [];
  #gathered = new Uint8Array(0);
  #used = 0;
  /** Where in `#gathered` the piece begins that is not among the pieces yet. */
  #from = 0;
  #length = 0;

  /** Bytes added. */
  get length(): number {
    return this.#length;
  }

  /** They are not copied if they are many: change them no more. */
  add(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (bytes.length >= SHORT_BYTES) {
      this.#flush();
      this.#pieces.push(bytes);
      return;
    }
    if (this.#used + bytes.length > this.#gathered.length) {
      this.#flush();
      this.#gathered = new Uint8Array(GATHERED_BYTES);
      this.#used = 0;
      this.#from = 0;
    }
    this.#gathered.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** All that was added, and its checksum. */
  take(): { pieces: readonly Uint8Array[]; crc32: number } {
    this.#flush();
    return { pieces: this.#pieces, crc32: this.#pieces.reduce((crc, piece) => crc32(piece, crc), 0) };
  }

  #flush(): void {
    if (this.#used === this.#from) return;
    this.#pieces.push(this.#gathered.subarray(this.#from, this.#used));
    this.#from = this.#used;
  }
}
