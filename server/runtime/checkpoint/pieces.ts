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
  /** Where in it those bytes begin that are not part of the checksum yet. */
  #unsummed = 0;
  #length = 0;
  #crc32 = 0;

  /** Bytes added. */
  get length(): number {
    return this.#length;
  }

  /** Of all bytes added. */
  get crc32(): number {
    this.#sum();
    return this.#crc32;
  }

  /** They are not copied if they are many: change them no more. */
  add(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (bytes.length >= SHORT_BYTES) {
      this.#flush();
      this.#pieces.push(bytes);
      this.#crc32 = crc32(bytes, this.#crc32);
      return;
    }
    if (this.#used + bytes.length > this.#gathered.length) {
      this.#flush();
      this.#gathered = new Uint8Array(GATHERED_BYTES);
      this.#used = 0;
      this.#from = 0;
      this.#unsummed = 0;
    }
    this.#gathered.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** What was added since the last call, but for what is still being gathered. */
  take(): readonly Uint8Array[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** The rest. */
  takeAll(): readonly Uint8Array[] {
    this.#flush();
    return this.take();
  }

  #flush(): void {
    this.#sum();
    if (this.#used === this.#from) return;
    this.#pieces.push(this.#gathered.subarray(this.#from, this.#used));
    this.#from = this.#used;
  }

  /** Short runs are summed many at a time, unless somebody asks in between. */
  #sum(): void {
    if (this.#used === this.#unsummed) return;
    this.#crc32 = crc32(this.#gathered.subarray(this.#unsummed, this.#used), this.#crc32);
    this.#unsummed = this.#used;
  }
}
