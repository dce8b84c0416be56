/** What a format of line-like records implements: bytes of a `LineBuffer` to rows of `RawReading`. */

import type { LineBuffer } from './line-buffer.ts';
import type { ReadingRows } from './reading-rows.ts';

export interface RecordDecoder {
  /**
   * Decodes complete records that are the buffer's own, until the rows are full or there are no more, and moves `buffer.position` behind
   * them. Never throws for what a record contains: a record that cannot be read becomes a row that says so. Writing no row while lines are
   * left means that the record goes on behind the data.
   */
  decode(buffer: LineBuffer, rows: ReadingRows): void;
  /** The dictionary was swept: forget every code. */
  onDictionarySwept(): void;
}
