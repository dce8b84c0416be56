/** Keys of a record store: the key group, big-endian so that a group lies together, then the key as text. */

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** In front of UTF-16, for keys with lone surrogates: no UTF-8 begins so. */
const UTF16 = 0xff;

export function storeKey(group: number, key: string): Uint8Array {
  if (key.isWellFormed()) {
    const bytes = new Uint8Array(2 + key.length * 3);
    bytes[0] = group >> 8;
    bytes[1] = group & 255;
    const { written } = utf8.encodeInto(key, bytes.subarray(2));
    return bytes.subarray(0, 2 + written);
  }
  const bytes = new Uint8Array(3 + key.length * 2);
  bytes.set([group >> 8, group & 255, UTF16]);
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    bytes[3 + 2 * i] = unit >> 8;
    bytes[4 + 2 * i] = unit & 255;
  }
  return bytes;
}

export function readStoreKey(bytes: Uint8Array): { group: number; key: string } {
  const group = ((bytes[0] as number) << 8) | (bytes[1] as number);
  if (bytes[2] !== UTF16) return { group, key: fromUtf8.decode(bytes.subarray(2)) };
  let key = '';
  for (let i = 3; i < bytes.length; i += 2) {
    key += String.fromCharCode(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  }
  return { group, key };
}
