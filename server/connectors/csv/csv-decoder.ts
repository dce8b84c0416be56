/**
 * CSV to columns. Records without quotes are read straight from the bytes, cell by cell; any with something odd goes the long way
 * (`csv-record.ts`), which alone decides what is wrong with it.
 *
 * A cell is a number when it is one of JSON's grammar, with spaces and tabs around it or not: `1e3`, `-0`, `20.0` are; `+1`, `.5`, `0x10`,
 * `NaN`, `Infinity` and `1,5` are not, and `1e999` is not finite. An empty cell, quoted or not, is a missing field; one of spaces only is
 * of the wrong type.
 *
 * A record may go on over line breaks inside quotes as long as it is no longer than the longest line; a quote still open then, or at the
 * end of the file, breaks the line it is in and no other.
 */

import { isUtf8 } from 'node:buffer';
import type { Dictionary } from '#engine/batch/dictionary.ts';
import { ByteDictionary, HASH_FACTOR, HASH_START } from '../file/byte-dictionary.ts';
import type { LineBuffer } from '../file/line-buffer.ts';
import { parseNumber } from '../file/number-parser.ts';
import { FIELD_KINDS, ID_FIELD, MISSING, type ReadingRows, TIME_FIELD, WRONG_TYPE } from '../file/reading-rows.ts';
import type { RecordDecoder } from '../file/record-decoder.ts';
import { FIELDS, isBlank } from '../iot/reading.ts';
import type { CsvLayout } from './csv-header.ts';
import { type CsvCell, readCsvRecord } from './csv-record.ts';

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const COMMA = 44;

export class CsvDecoder implements RecordDecoder {
  readonly #dictionary: Dictionary;
  readonly #ids: ByteDictionary;
  readonly #fields: Int32Array;
  readonly #cell = new Float64Array(1);

  constructor(dictionary: Dictionary, layout: CsvLayout) {
    this.#dictionary = dictionary;
    this.#ids = new ByteDictionary(dictionary);
    this.#fields = Int32Array.from(layout.fields);
  }

  decode(buffer: LineBuffer, rows: ReadingRows): void {
    const stop = buffer.stop;
    while (buffer.position < stop && rows.size < rows.capacity) {
      this.#run(buffer, rows, stop);
      if (buffer.position >= stop || rows.size >= rows.capacity) return;
      if (!this.#odd(buffer, rows)) return;
    }
  }

  onDictionarySwept(): void {
    this.#ids.clear();
  }

  /** Reads records as long as nothing is odd; an odd one is left where it is. */
  #run(buffer: LineBuffer, rows: ReadingRows, stop: number): void {
    const { bytes, base } = buffer;
    const { ids, numbers, defects, time, offsets, capacity, maxLine } = rows;
    const payloadStart = rows.payload.start;
    const payloadEnd = rows.payload.end;
    const times = numbers[TIME_FIELD] as Float64Array;
    const fields = this.#fields;
    const width = fields.length;
    const dictionary = this.#ids;
    let row = rows.size;
    let start = buffer.position;

    records: while (row < capacity && start < stop) {
      let p = start;
      let c = COMMA;
      for (let i = 0; i < width; i++) {
        if (c !== COMMA) break records;
        const field = fields[i] as number;
        if (field < 0) {
          c = bytes[p] as number;
          while (c !== COMMA && c !== NEWLINE && c !== RETURN) {
            if (c === QUOTE || c > 127) break records;
            c = bytes[++p] as number;
          }
        } else if (field === ID_FIELD) {
          const from = p;
          let hash = HASH_START;
          c = bytes[p] as number;
          while (c !== COMMA && c !== NEWLINE && c !== RETURN) {
            if (c === QUOTE) break records;
            hash = Math.imul(hash ^ c, HASH_FACTOR);
            c = bytes[++p] as number;
          }
          let code = dictionary.find(bytes, from, p, hash);
          if (code < 0) {
            code = dictionary.add(bytes, from, p, hash, isBlank);
            if (code < 0) break records;
          }
          ids[row] = code;
        } else {
          const column = numbers[field] as Float64Array;
          p = parseNumber(bytes, p, column, row);
          if (p < 0) break records;
          const value = column[row] as number;
          if (field === TIME_FIELD) {
            if (value - Math.floor(value) !== 0) break records;
            column[row] = value + 0; // a timestamp has no negative zero
          } else if (Math.abs(value) === Infinity) {
            break records;
          }
          c = bytes[p] as number;
        }
        p++;
      }
      const end = p - 1;
      if (c === RETURN) {
        if (bytes[p] !== NEWLINE) break;
        p++;
      } else if (c !== NEWLINE) {
        break;
      }
      if (end - start > maxLine) break;

      defects[row] = 0;
      time[row] = times[row] as number;
      payloadStart[row] = start;
      payloadEnd[row] = end;
      offsets[row] = base + start;
      row++;
      start = p;
    }
    rows.size = row;
    buffer.position = start;
  }

  /** One record the long way; false when it goes on behind the data. */
  #odd(buffer: LineBuffer, rows: ReadingRows): boolean {
    const bytes = buffer.bytes;
    const start = buffer.position;
    const offset = buffer.offset;
    const lineBreak = bytes.indexOf(NEWLINE, start);
    const lineEnd = lineBreak > start && bytes[lineBreak - 1] === RETURN ? lineBreak - 1 : lineBreak;
    if (lineEnd - start > rows.maxLine) {
      buffer.position = lineBreak + 1;
      rows.reject(rows.size++, 'malformed_json', start, lineEnd - start, offset);
      return true;
    }

    // Two more bytes than the longest record: its line break.
    const limit = Math.min(buffer.limit, start + rows.maxLine + 2);
    const record = readCsvRecord(bytes, start, limit);
    if (record.kind === 'open' && limit === buffer.limit && !buffer.final && buffer.end - start < rows.maxLine + 2) {
      return false;
    }
    const whole = record.kind === 'record' && record.end - start <= rows.maxLine;
    const end = whole ? record.end : lineEnd;
    buffer.position = whole ? record.next : lineBreak + 1;
    const row = rows.size++;
    if (!isUtf8(bytes.subarray(start, end))) {
      rows.reject(row, 'malformed_json', start, end - start, offset);
    } else if (!whole || record.cells.length !== this.#fields.length) {
      rows.reject(row, 'malformed_csv', start, end - start, offset);
    } else {
      rows.place(row, start, end, offset);
      this.#readCells(record.cells, rows, row);
    }
    return true;
  }

  #readCells(cells: readonly CsvCell[], rows: ReadingRows, row: number): void {
    let worst: number = FIELDS.length;
    let defect = 0;
    for (const [i, { text }] of cells.entries()) {
      const field = this.#fields[i] as number;
      if (field < 0) continue;
      let bad = 0;
      if (field === ID_FIELD) {
        if (text === '') bad = MISSING[field] as number;
        else if (isBlank(text)) bad = WRONG_TYPE[field] as number;
        rows.ids[row] = bad === 0 ? this.#dictionary.codeOf(text) : -1;
      } else {
        const value = this.#number(text);
        const fits = FIELD_KINDS[field] === 'integer' ? Number.isInteger(value) : Number.isFinite(value);
        if (text === '') bad = MISSING[field] as number;
        else if (!fits) bad = WRONG_TYPE[field] as number;
        const plain = field === TIME_FIELD ? value + 0 : value;
        (rows.numbers[field] as Float64Array)[row] = bad === 0 ? plain : Number.NaN;
      }
      if (bad !== 0 && field < worst) {
        worst = field;
        defect = bad;
      }
    }
    rows.defects[row] = defect;
    rows.time[row] = defect === 0 ? ((rows.numbers[TIME_FIELD] as Float64Array)[row] as number) : Number.NaN;
  }

  /** Value of a cell; NaN when it is no number. */
  #number(text: string): number {
    const bytes = Buffer.from(`${text.replace(/^[ \t]+|[ \t]+$/g, '')}\n`);
    return parseNumber(bytes, 0, this.#cell, 0) === bytes.length - 1 ? (this.#cell[0] as number) : Number.NaN;
  }
}
