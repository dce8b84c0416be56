/** A line beyond the limit, while it passes: its first 64 KiB and its length. */

import type { LineBuffer } from './line-buffer.ts';
import { MAX_PAYLOAD } from './reading-rows.ts';

const NEWLINE = 10;
const RETURN = 13;

export class LongLine {
  /** Where the line starts in the input. */
  readonly offset: number;
  /** The first bytes, as many as there were up to now. */
  readonly head = Buffer.alloc(MAX_PAYLOAD);
  /** Bytes so far; without the line break once the line is complete. */
  length = 0;
  complete = false;
  #endsWithReturn = false;

  constructor(offset: number) {
    this.offset = offset;
  }

  /** Takes what the buffer holds of the line; whether that was its end. */
  take(buffer: LineBuffer): boolean {
    const { bytes, position, end } = buffer;
    const lineBreak = bytes.subarray(0, end).indexOf(NEWLINE, position);
    const stop = lineBreak < 0 ? end : lineBreak;
    if (stop > position) {
      bytes.copy(this.head, Math.min(this.length, MAX_PAYLOAD), position, stop);
      this.length += stop - position;
      this.#endsWithReturn = bytes[stop - 1] === RETURN;
    }
    buffer.position = lineBreak < 0 ? end : lineBreak + 1;
    if (lineBreak < 0 && !buffer.final) return false;
    if (this.#endsWithReturn) this.length--;
    this.complete = true;
    return true;
  }
}
