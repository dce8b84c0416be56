/**
 * Bytes on their way to a file. Encoders reserve room, write at `length` and move it on; between rows the owner drains what is there.
 * Bound: the drain size and the longest row.
 */

import { LONGEST_NUMBER, putNumber } from './number-writer.ts';

export class OutputBuffer {
  bytes: Buffer;
  /** Bytes written. */
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes room for `count` more bytes. `bytes` may be another one afterwards. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(need, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  append(value: Uint8Array): void {
    this.reserve(value.length);
    const { bytes } = this;
    let at = this.length;
    if (value.length > 48) bytes.set(value, at);
    else for (let i = 0; i < value.length; i++) bytes[at++] = value[i] as number;
    this.length += value.length;
  }

  /** Appends the shortest decimal of a double (`number-writer.ts`). */
  appendNumber(value: number): void {
    this.reserve(LONGEST_NUMBER);
    this.length = putNumber(this.bytes, this.length, value);
  }

  appendByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  /** Appends text of ASCII characters only. */
  appendAscii(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }
}
