/**
 * Rows to NDJSON: an object per line, names in the order of the schema, always valid JSON. Null, and numbers that JSON has no word for, are
 * `null`; bytes are a string, or under the name `<name>_base64` where they are not valid UTF-8.
 */

import { isUtf8 } from 'node:buffer';
import { UsageError } from '#base/errors.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { ColumnSpec, Schema } from '#engine/batch/schema.ts';
import { BoundColumns, type OutputFormat, type RowEncoder } from './format.ts';
import { writeJsonText } from './json-text.ts';
import type { OutputBuffer } from './output-buffer.ts';
import { StringCells } from './string-cells.ts';

export interface NdjsonOptions {
  /** Columns that are left out of a row where they are null. */
  readonly omitNull?: readonly string[];
}

export class NdjsonFormat implements OutputFormat {
  readonly extension = 'ndjson';
  readonly #omitNull: readonly string[];

  constructor({ omitNull = [] }: NdjsonOptions = {}) {
    this.#omitNull = omitNull;
  }

  createEncoder(schema: Schema): RowEncoder {
    const unknown = this.#omitNull.find((name) => schema.indexOf(name) < 0);
    if (unknown !== undefined)
      throw new UsageError(`NDJSON output: omitNull names "${unknown}", which ${schema} lacks.`);
    return new NdjsonEncoder(schema, new Set(this.#omitNull));
  }
}

const OPEN = 123;
const CLOSE = 125;
const COMMA = 44;
const NEWLINE = 10;
const NULL = 'null';

class NdjsonEncoder implements RowEncoder {
  readonly header = new Uint8Array(0);
  readonly #columns: readonly ColumnSpec[];
  /** `"name":` of each column, and `"name_base64":` of bytes columns. */
  readonly #names: readonly Uint8Array[];
  readonly #base64Names: readonly Uint8Array[];
  readonly #omitted: readonly boolean[];
  readonly #bound = new BoundColumns();
  readonly #strings = new StringCells((text) => Buffer.from(JSON.stringify(text)));

  constructor(schema: Schema, omitNull: ReadonlySet<string>) {
    this.#columns = schema.columns;
    this.#names = schema.columns.map(({ name }) => Buffer.from(`"${name}":`));
    this.#base64Names = schema.columns.map(({ name }) => Buffer.from(`"${name}_base64":`));
    this.#omitted = schema.columns.map(({ name }) => omitNull.has(name));
  }

  bind(batch: RecordBatch): void {
    this.#bound.bind(batch);
  }

  encode(out: OutputBuffer, row: number): void {
    out.appendByte(OPEN);
    const first = out.length;
    for (let i = 0; i < this.#columns.length; i++) {
      if (this.#omitted[i] === true && this.#isNull(i, row)) continue;
      if (out.length > first) out.appendByte(COMMA);
      this.#writeField(out, i, row);
    }
    out.appendByte(CLOSE);
    out.appendByte(NEWLINE);
  }

  #isNull(i: number, row: number): boolean {
    const { kind } = this.#columns[i] as ColumnSpec;
    if (kind === 'f64' || kind === 'timestamp') return !Number.isFinite(this.#bound.floats[i]?.[row]);
    if (kind === 'string') return (this.#bound.ints[i]?.[row] ?? -1) < 0;
    return kind === 'bytes' && (this.#bound.bytes[i]?.start[row] ?? -1) < 0;
  }

  #writeField(out: OutputBuffer, i: number, row: number): void {
    const { floats, ints, flags, bytes, dictionaries } = this.#bound;
    const { kind } = this.#columns[i] as ColumnSpec;
    if (kind === 'bytes') {
      this.#writeBytes(out, i, bytes[i]?.get(row) ?? null);
      return;
    }
    out.append(this.#names[i] as Uint8Array);
    switch (kind) {
      case 'f64':
      case 'timestamp': {
        const value = (floats[i] as Float64Array)[row] as number;
        if (Number.isFinite(value)) out.appendNumber(kind === 'timestamp' ? value + 0 : value);
        else out.appendAscii(NULL);
        break;
      }
      case 'i32':
        out.appendNumber((ints[i] as Int32Array)[row] as number);
        break;
      case 'bool':
        out.appendAscii((flags[i] as Uint8Array)[row] === 0 ? 'false' : 'true');
        break;
      case 'string': {
        const code = (ints[i] as Int32Array)[row] as number;
        const dictionary = dictionaries[i];
        if (code >= 0 && dictionary !== undefined) this.#strings.write(out, dictionary, code);
        else out.appendAscii(NULL);
      }
    }
  }

  #writeBytes(out: OutputBuffer, i: number, value: Uint8Array | null): void {
    if (value !== null && !isUtf8(value)) {
      out.append(this.#base64Names[i] as Uint8Array);
      out.appendAscii(`"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`);
      return;
    }
    out.append(this.#names[i] as Uint8Array);
    if (value === null) out.appendAscii(NULL);
    else writeJsonText(out, value);
  }
}
