/**
 * Rows in the text format of PostgreSQL's COPY. Null is `\N`. Text cannot hold U+0000 there: it becomes U+FFFD, so that no input can make a
 * job fail for good.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import { BoundColumns, type RowEncoder } from '../file/format.ts';
import { LONGEST_NUMBER } from '../file/number-writer.ts';
import type { OutputBuffer } from '../file/output-buffer.ts';
import { StringCells } from '../file/string-cells.ts';

const TAB = 9;
const NEWLINE = 10;
const NULL = Buffer.from('\\N');

/** How a column of the table wants its instants: as PostgreSQL's, or as ms since the epoch. */
export type Instants = 'timestamp' | 'number';

export class CopyRows implements RowEncoder {
  readonly header = new Uint8Array(0);
  readonly #schema: Schema;
  readonly #instants: readonly Instants[];
  readonly #bound = new BoundColumns();
  readonly #strings = new StringCells((text) => Buffer.from(escaped(text)));
  /** Rows one after the other often have the same instants (a window's bounds): by column, the last and its text. */
  readonly #lastInstant: Float64Array;
  readonly #lastText: string[];

  /** `instants`: by column; those that are none have any. */
  constructor(schema: Schema, instants: readonly Instants[]) {
    this.#schema = schema;
    this.#instants = instants;
    this.#lastInstant = new Float64Array(schema.width).fill(Number.NaN);
    this.#lastText = schema.columns.map(() => '');
  }

  bind(batch: RecordBatch): void {
    this.#bound.bind(batch);
  }

  encode(out: OutputBuffer, row: number): void {
    const { columns } = this.#schema;
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) out.appendByte(TAB);
      this.#cell(out, i, row);
    }
    out.appendByte(NEWLINE);
  }

  #cell(out: OutputBuffer, i: number, row: number): void {
    const { floats, ints, flags, bytes, dictionaries } = this.#bound;
    const { kind, nullable } = this.#schema.columns[i] as Schema['columns'][number];
    switch (kind) {
      case 'f64': {
        const value = (floats[i] as Float64Array)[row] as number;
        if (nullable && Number.isNaN(value)) out.append(NULL);
        else if (Number.isFinite(value)) out.appendNumber(value);
        else out.appendAscii(String(value));
        break;
      }
      case 'timestamp': {
        const value = (floats[i] as Float64Array)[row] as number;
        if (Number.isNaN(value)) out.append(NULL);
        else out.appendAscii(this.#instant(i, value));
        break;
      }
      case 'i32':
        out.appendNumber((ints[i] as Int32Array)[row] as number);
        break;
      case 'bool':
        out.appendAscii((flags[i] as Uint8Array)[row] === 0 ? 'f' : 't');
        break;
      case 'string': {
        const code = (ints[i] as Int32Array)[row] as number;
        const dictionary = dictionaries[i];
        if (code < 0 || dictionary === undefined) out.append(NULL);
        else this.#strings.write(out, dictionary, code);
        break;
      }
      case 'bytes': {
        const value = bytes[i]?.get(row) ?? null;
        if (value === null) out.append(NULL);
        else out.appendAscii(`\\\\x${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}`);
      }
    }
  }

  #instant(column: number, value: number): string {
    if (value !== this.#lastInstant[column]) {
      this.#lastInstant[column] = value;
      this.#lastText[column] = this.#instants[column] === 'timestamp' ? instantText(value) : value.toFixed(0);
    }
    return this.#lastText[column] as string;
  }
}

/** Room for a row without its strings and bytes, which make their own. */
export const rowRoom = (schema: Schema): number => schema.width * (LONGEST_NUMBER + 1);

/** The first instant that PostgreSQL has, ms: 24 November 4714 BC. */
const FIRST_INSTANT = -210_866_803_200_000;

/** As PostgreSQL reads it. A Date reaches further back: what is before PostgreSQL's first instant is its `-infinity`. */
export function instantText(ms: number): string {
  if (ms < FIRST_INSTANT) return '-infinity';
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  const rest = date.toISOString().slice(-20, -1).replace('T', ' ');
  return year > 0 ? `${String(year).padStart(4, '0')}${rest}+00` : `${String(1 - year).padStart(4, '0')}${rest}+00 BC`;
}

function escaped(text: string): string {
  return text.replace(/[\0\\\b\f\n\r\t\v]/g, (c) => ESCAPES[c] as string);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
