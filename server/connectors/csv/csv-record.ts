/**
 * One CSV record by RFC 4180, cell by cell: the long way, for records with quotes and for headers.
 *
 * Stricter than many readers: a quote inside a cell that did not begin with one, and anything between a closing quote and the next comma,
 * make the record broken. A broken record is its first line and no more, so that one lost quote does not swallow the lines behind it.
 */

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const COMMA = 44;

export interface CsvCell {
  readonly text: string;
  readonly quoted: boolean;
}

/** A record that was read; it ends before `end`, and the next one starts at `next`. */
export interface CsvRecord {
  readonly kind: 'record';
  readonly cells: readonly CsvCell[];
  readonly end: number;
  readonly next: number;
}
/** Not a record: broken quotes, or an open quote at the end of what may be looked at. */
export interface NoCsvRecord {
  readonly kind: 'broken' | 'open';
}

/**
 * Reads the record that starts at `start`. `limit` lies behind a line break, and nothing behind it is looked at. Cells are decoded as
 * UTF-8; whether the bytes are valid is for the caller to check.
 */
export function readCsvRecord(bytes: Buffer, start: number, limit: number): CsvRecord | NoCsvRecord {
  const cells: CsvCell[] = [];
  let p = start;
  for (;;) {
    let text = '';
    const quoted = bytes[p] === QUOTE;
    if (quoted) {
      for (;;) {
        const from = p + 1;
        p = bytes.indexOf(QUOTE, from);
        if (p < 0 || p >= limit) return { kind: 'open' };
        text += bytes.toString('utf8', from, p);
        p++;
        if (bytes[p] !== QUOTE) break;
        text += '"';
      }
    } else {
      const from = p;
      while (bytes[p] !== COMMA && bytes[p] !== NEWLINE) {
        if (bytes[p] === QUOTE) return { kind: 'broken' };
        p++;
      }
      const end = bytes[p] === NEWLINE && p > from && bytes[p - 1] === RETURN ? p - 1 : p;
      text = bytes.toString('utf8', from, end);
      if (end < p) p--;
    }
    cells.push({ text, quoted });

    if (bytes[p] === COMMA) {
      p++;
      continue;
    }
    if (bytes[p] === NEWLINE) return { kind: 'record', cells, end: p, next: p + 1 };
    if (bytes[p] === RETURN && bytes[p + 1] === NEWLINE) return { kind: 'record', cells, end: p, next: p + 2 };
    return { kind: 'broken' };
  }
}
