/** Keys of a record store: the key group, big-endian so that a group lies together, then the key as text. */

import type { ByteWriter } from './value-codec.ts';

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** In front of UTF-16, for keys with lone surrogates: no UTF-8 begins so. */
export const UTF16 = 0xff;
/** Longer texts are left to the encoder. */
const SHORT = 64;
let scratch = new Uint8Array(1024);

/** A key as text in bytes; valid until the next call. */
export function keyBytes(key: string): Uint8Array {
  const { length } = key;
  if (scratch.length < 1 + length * 3) scratch = new Uint8Array(1 + length * 3);
  if (length <= SHORT) {
    let i = 0;
    for (; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 127) break;
      scratch[i] = unit;
    }
    if (i === length) return scratch.subarray(0, length);
  }
  if (key.isWellFormed()) return scratch.subarray(0, utf8.encodeInto(key, scratch).written);
  scratch[0] = UTF16;
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i);
    scratch[1 + 2 * i] = unit >> 8;
    scratch[2 + 2 * i] = unit & 255;
  }
  return scratch.subarray(0, 1 + 2 * length);
}

/** What `keyBytes` made bytes of. */
export function textOfKey(bytes: Uint8Array): string {
  if (bytes[0] === UTF16) {
    let key = '';
    for (let i = 1; i < bytes.length; i += 2) {
      key += String.fromCharCode(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
    }
    return key;
  }
  return fromUtf8.decode(bytes);
}

export function writeStoreKey(group: number, key: string, to: ByteWriter): void {
  to.byte(group >> 8);
  to.byte(group & 255);
  to.raw(keyBytes(key));
}

export function readStoreKey(bytes: Uint8Array): { group: number; key: string } {
  return { group: ((bytes[0] as number) << 8) | (bytes[1] as number), key: textOfKey(bytes.subarray(2)) };
}
