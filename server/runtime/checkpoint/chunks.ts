/**
 * Bytes in chunks whose borders follow from the content around them, so that what comes before or behind a change is cut as it was, also where
 * the change has moved it (content-defined chunking with a gear hash, as in FastCDC). Each chunk has a hash of 64 bits by which it is known
 * again.
 *
 * Chunks are short because keys change here and there: a change of one key costs the chunk it is in. Shorter ones cost more in the index
 * than they save.
 */

import { Random } from '#base/random.ts';

const MIN_BYTES = 48;
/** A border comes behind a byte with this chance. */
const BORDER_BITS = 6;
export const MAX_CHUNK_BYTES = 1024;

const GEAR = Int32Array.from(
  { length: 256 },
  (
    (random) => () =>
      random.int32()
  )(new Random(0x6765_6172)),
);

/** Where the chunk that begins at `from` ends. */
export function chunkEnd(bytes: Uint8Array, from: number): number {
  const last = Math.min(from + MAX_CHUNK_BYTES, bytes.length);
  let gear = 0;
  // Shifted out again after 32 bytes: whatever lies further back plays no part.
  for (let i = from + MIN_BYTES - 32; i < last; i++) {
    gear = ((gear << 1) + (GEAR[bytes[i] as number] as number)) | 0;
    if (gear >>> (32 - BORDER_BITS) === 0 && i >= from + MIN_BYTES - 1) return i + 1;
  }
  return last;
}

/** The hash of a chunk, in two halves, is left here. */
export const hashed = { a: 0, b: 0 };

/** 64 bits in two lanes of murmur3. Chance collisions are out of reach; whoever makes one on purpose damages a checkpoint, and its digest tells. */
export function hashChunk(view: DataView, from: number, to: number, seed: number): void {
  let a = seed | 0;
  let b = Math.imul(seed, 0x9e3779b1) ^ (to - from);
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const word = view.getInt32(i, true);
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    a ^= k;
    a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
    let l = Math.imul(word ^ a, 0x239b961b);
    l = Math.imul((l << 16) | (l >>> 16), 0x38b34ae5);
    b ^= l;
    b = (Math.imul((b << 17) | (b >>> 15), 5) + 0x561ccd1b) | 0;
  }
  for (; i < to; i++) {
    const byte = view.getUint8(i) + 1;
    a = Math.imul(a ^ byte, 0x85ebca6b) ^ (a >>> 13);
    b = Math.imul(b ^ byte, 0xc2b2ae35) ^ (b >>> 16);
  }
  hashed.a = mixed(a ^ (to - from));
  hashed.b = mixed(b);
}

function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
