/**
 * The bytes between an input and a decoder: a window into the file that moves on.
 *
 *   bytes   │ read before │ complete lines ...... │ beginning of a line │ free ...
 *           0          position                 limit                  end
 *           └── offset `base` of the input
 *
 * Rows of a batch point into `bytes`; they stay as they are until the next call of `compact`, that is until the next poll.
 * Bound: one piece plus the longest line (`maxLine` + 2) plus what a word-wise reader may look at behind the end.
 */

const NEWLINE = 10;
/** Bytes behind the data that may be read, never interpreted. */
const SLACK = 16;
/** Read at once of a line that goes on behind the end of a block. */
const SMALL_PIECE = 16 * 1024;

export class LineBuffer {
  bytes: Buffer;
  /** Over all of `bytes`. */
  view: DataView;
  /** Next byte to decode. */
  position = 0;
  /** Behind the last line break: lines that start before it are complete. */
  limit = 0;
  /** Behind the last byte. */
  end = 0;
  /** Offset in the input of `bytes[0]`. */
  base = 0;
  /** The input has no more bytes. */
  final = false;
  /** Lines that start at this offset of the input, or behind it, are somebody else's. */
  ownedEnd = Number.POSITIVE_INFINITY;

  constructor(capacity: number) {
    this.bytes = Buffer.alloc(capacity + SLACK);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** Starts over at an offset of another input. */
  restart(offset: number, ownedEnd: number): void {
    this.position = 0;
    this.limit = 0;
    this.end = 0;
    this.base = offset;
    this.final = false;
    this.ownedEnd = ownedEnd;
  }

  /** Lines that start before this position are complete and ours. */
  get stop(): number {
    if (this.final && this.position >= this.end) return this.position;
    return Math.min(this.limit, this.ownedEnd - this.base);
  }

  /** Whether no line is left that is ours. */
  get exhausted(): boolean {
    return this.base + this.position >= this.ownedEnd || (this.final && this.position >= this.end);
  }

  /** Offset in the input of the next byte to decode. */
  get offset(): number {
    return this.base + this.position;
  }

  /** Drops what was read and makes room for `piece` more bytes behind what is left. */
  compact(piece: number): void {
    const left = Math.max(0, this.end - this.position);
    const need = left + piece + SLACK;
    if (need > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(need, Math.min(this.bytes.length * 2, need + (1 << 20))));
      this.bytes.copy(larger, 0, this.position, this.end);
      this.bytes = larger;
      this.view = new DataView(larger.buffer, larger.byteOffset, larger.length);
    } else if (this.position > 0) {
      this.bytes.copyWithin(0, this.position, this.end);
    }
    this.base += this.position;
    this.limit = Math.max(0, this.limit - this.position);
    this.position = 0;
    this.end = left;
  }

  /** Bytes to read next, of the `piece` that `compact` made room for: up to the end of what is ours, then in small steps. */
  wanted(piece: number): number {
    const ours = this.ownedEnd - (this.base + this.end);
    return Math.min(piece, ours > 0 ? ours : SMALL_PIECE);
  }

  /** `count` bytes were written at `end`. */
  added(count: number): void {
    const from = this.end;
    this.end += count;
    const last = this.bytes.subarray(from, this.end).lastIndexOf(NEWLINE);
    if (last >= 0) this.limit = from + last + 1;
  }

  /** The input is at its end: what is left is the last line, and gets a line break for the decoder to stop at. */
  finish(): void {
    this.final = true;
    if (this.limit < this.end) {
      this.bytes[this.end] = NEWLINE;
      this.limit = this.end + 1;
    }
  }
}
