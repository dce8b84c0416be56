/** The bytes of a file on their way to it: long runs as they are, short ones gathered, so that the disk gets few and large pieces. */

import { crc32 } from 'node:zlib';

/** Shorter runs are copied. */
const SHORT_BYTES = 16 << 10;
const GATHERED_BYTES = 256 << 10;

export class Pieces {
  #pieces: Uint8Array[] = [];
  #gathered = new Uint8Array(0);
  #used = 0;
  /** Where in `#gathered` the piece begins that is not among the pieces yet. */
  #from = 0;
  #length = 0;
  #crc32 = 0;

  /** Bytes added. */
  get length(): number {
    return this.#length;
  }

  /** Of all pieces that were taken. */
  get crc32(): number {
    return this.#crc32;
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

  /** What was added since the last call, but for what is still being gathered. */
  take(): readonly Uint8Array[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    for (const piece of pieces) this.#crc32 = crc32(piece, this.#crc32);
    return pieces;
  }

  /** The rest. */
  takeAll(): readonly Uint8Array[] {
    this.#flush();
    return this.take();
  }

  #flush(): void {
    if (this.#used === this.#from) return;
    this.#pieces.push(this.#gathered.subarray(this.#from, this.#used));
    this.#from = this.#used;
  }
}
