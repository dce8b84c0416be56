/**
 * Rows to CSV (RFC 4180, `\n`): a header in every file, columns in the order of the schema. Null is an empty cell; numbers are the shortest
 * decimal that reads back to the same double; bytes are text, or base64 where they are not valid UTF-8.
 */

import { isUtf8 } from 'node:buffer';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { ColumnKind, Schema } from '#engine/batch/schema.ts';
import { BoundColumns, type OutputFormat, type RowEncoder } from '../file/format.ts';
import { LONGEST_NUMBER, putNumber } from '../file/number-writer.ts';
import type { OutputBuffer } from '../file/output-buffer.ts';
import { StringCells } from '../file/string-cells.ts';

const COMMA = 44;
const NEWLINE = 10;

export class CsvFormat implements OutputFormat {
  readonly extension = 'csv';

  createEncoder(schema: Schema): RowEncoder {
    return new CsvEncoder(schema);
  }
}

class CsvEncoder implements RowEncoder {
  readonly header: Uint8Array;
  readonly #kinds: readonly ColumnKind[];
  readonly #nullable: readonly boolean[];
  readonly #bound = new BoundColumns();
  readonly #strings = new StringCells((text) => Buffer.from(quoteCell(text)));
  /** Rows one after the other often have the same timestamps (a window's bounds): by column, the last and its text. */
  readonly #lastTime: Float64Array;
  readonly #lastTimeText: Uint8Array[];
  readonly #lastTimeLength: Int32Array;

  constructor(schema: Schema) {
    const { columns, width } = schema;
    this.#kinds = columns.map((column) => column.kind);
    this.#nullable = columns.map((column) => column.nullable);
    this.#lastTime = new Float64Array(width).fill(Number.NaN);
    this.#lastTimeText = columns.map(() => Buffer.alloc(LONGEST_NUMBER));
    this.#lastTimeLength = new Int32Array(width);
    this.header = Buffer.from(`${columns.map((column) => column.name).join(',')}\n`);
  }

  bind(batch: RecordBatch): void {
    this.#bound.bind(batch);
  }

  encode(out: OutputBuffer, row: number): void {
    const { floats, ints, flags, bytes, dictionaries } = this.#bound;
    const kinds = this.#kinds;
    // A number and a comma for each column; strings and bytes make room for themselves, and for this much behind them.
    const rest = kinds.length * (LONGEST_NUMBER + 1) + 1;
    out.reserve(rest);
    for (let i = 0; i < kinds.length; i++) {
      if (i > 0) out.bytes[out.length++] = COMMA;
      switch (kinds[i]) {
        case 'f64': {
          const value = (floats[i] as Float64Array)[row] as number;
          if (!(Number.isNaN(value) && this.#nullable[i])) out.length = putNumber(out.bytes, out.length, value);
          break;
        }
        case 'timestamp': {
          const value = (floats[i] as Float64Array)[row] as number;
          if (!(Number.isNaN(value) && this.#nullable[i])) this.#putTime(out, i, value);
          break;
        }
        case 'i32':
          out.length = putNumber(out.bytes, out.length, (ints[i] as Int32Array)[row] as number);
          break;
        case 'bool':
          out.appendAscii((flags[i] as Uint8Array)[row] === 0 ? 'false' : 'true');
          break;
        case 'string': {
          const code = (ints[i] as Int32Array)[row] as number;
          const dictionary = dictionaries[i];
          if (code < 0 || dictionary === undefined) break;
          this.#strings.write(out, dictionary, code);
          out.reserve(rest);
          break;
        }
        case 'bytes': {
          const value = bytes[i]?.get(row);
          if (value === null || value === undefined) break;
          out.append(Buffer.from(quoteCell(textOf(value))));
          out.reserve(rest);
        }
      }
    }
    out.bytes[out.length++] = NEWLINE;
  }

  #putTime(out: OutputBuffer, column: number, value: number): void {
    const text = this.#lastTimeText[column] as Uint8Array;
    if (value !== this.#lastTime[column]) {
      this.#lastTime[column] = value;
      this.#lastTimeLength[column] = putNumber(text, 0, value + 0); // a timestamp has no negative zero
    }
    const length = this.#lastTimeLength[column] as number;
    const { bytes } = out;
    let at = out.length;
    for (let i = 0; i < length; i++) bytes[at++] = text[i] as number;
    out.length = at;
  }
}

/** A cell as RFC 4180 wants it. An empty text is quoted, to tell it from null. */
export function quoteCell(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: Uint8Array): string {
  const buffer = Buffer.from(value.buffer, value.byteOffset, value.length);
  return buffer.toString(isUtf8(value) ? 'utf8' : 'base64');
}
