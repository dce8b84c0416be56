/** UTF-8 bytes to the inside of a JSON string, without making a JavaScript string of them. */

import type { OutputBuffer } from './output-buffer.ts';

const QUOTE = 34;
const BACKSLASH = 92;
const HEX = Buffer.from('0123456789abcdef');
/** Letter of the short escapes of control characters, by character. */
const SHORT: Readonly<Record<number, number>> = { 8: 98, 9: 116, 10: 110, 12: 102, 13: 114 };
/** Bytes of the longest escape. */
const LONGEST = 6;

/** Writes a JSON string, quotes included. The bytes must be valid UTF-8; they stay as they are but for what JSON wants escaped. */
export function writeJsonText(out: OutputBuffer, value: Uint8Array): void {
  let escapes = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i] as number;
    if (c < 32 || c === QUOTE || c === BACKSLASH) escapes++;
  }
  out.reserve(value.length + escapes * (LONGEST - 1) + 2);
  const { bytes } = out;
  let at = out.length;
  bytes[at++] = QUOTE;
  for (let i = 0; i < value.length; i++) {
    const c = value[i] as number;
    if (c >= 32 && c !== QUOTE && c !== BACKSLASH) {
      bytes[at++] = c;
      continue;
    }
    bytes[at++] = BACKSLASH;
    const short = SHORT[c];
    if (c >= 32) {
      bytes[at++] = c;
    } else if (short !== undefined) {
      bytes[at++] = short;
    } else {
      bytes[at++] = 117; // u
      bytes[at++] = 48;
      bytes[at++] = 48;
      bytes[at++] = HEX[c >> 4] as number;
      bytes[at++] = HEX[c & 15] as number;
    }
  }
  bytes[at++] = QUOTE;
  out.length = at;
}
