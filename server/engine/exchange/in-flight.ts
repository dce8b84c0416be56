/**
 * What is in flight between two tasks, as bytes that belong to nobody else: rows that a barrier has overtaken are kept like that until they can
 * go on, and are written like that with the checkpoint.
 *
 *   add rows, watermark, status, marker, end ──> [element, element, …] ──> next (decoded, one at a time)
 *                                                        └──> saved: rows and watermarks; the rest comes again by itself
 */

import type { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, BytesColumn, NEVER_INGESTED, RecordBatch } from '../batch/record-batch.ts';
import { ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import type { Schema } from '../batch/schema.ts';
import type { LatencyMarker } from '../metrics/latency.ts';

/** Rows wherever they lie: in a batch, or in a slot of a ring. */
export interface RowsAt {
  readonly columns: RecordBatch['columns'];
  readonly time: Float64Array;
  readonly watermarks: Float64Array | null;
  text(column: number, code: number): string;
  /** Null: no value. */
  payload(column: number, row: number): Uint8Array | null;
}

/** `channel`: where it came from or goes to; -1: wherever the partitioner says. */
export type InFlightElement =
  | { readonly kind: 'rows'; readonly channel: number; readonly bytes: Uint8Array; readonly ingestedAt: number }
  | { readonly kind: 'watermark'; readonly channel: number; readonly watermark: number; readonly ingestedAt: number }
  | { readonly kind: 'idle'; readonly channel: number; readonly idle: boolean }
  | { readonly kind: 'marker'; readonly channel: number; readonly marker: LatencyMarker }
  | { readonly kind: 'end'; readonly channel: number };

/** Bytes that elements without rows are counted as. */
const ELEMENT_BYTES = 24;
const NO_TEXT = -1;
const EVERYWHERE = -1;

export function rowsOf(batch: RecordBatch): RowsAt {
  return {
    columns: batch.columns,
    time: batch.time,
    watermarks: batch.watermarks,
    text: (column, code) => batch.dictionaries[column]?.get(code) ?? '',
    payload: (column, row) => (batch.columns[column] as BytesColumn).get(row),
  };
}

/** Rows `rows[from .. to)`; null: those positions themselves. */
export function encodeRows(schema: Schema, at: RowsAt, rows: Int32Array | null, from: number, to: number): Uint8Array {
  const bytes = new ByteWriter();
  const row = (i: number): number => (rows === null ? i : (rows[i] as number));
  bytes.u32(to - from);
  bytes.u8(at.watermarks === null ? 0 : 1);
  for (let i = from; i < to; i++) bytes.f64(at.time[row(i)] as number);
  if (at.watermarks !== null) for (let i = from; i < to; i++) bytes.f64(at.watermarks[row(i)] as number);
  for (const [c, { kind }] of schema.columns.entries()) {
    const column = at.columns[c] as Float64Array;
    if (kind === 'string')
      writeTexts(
        bytes,
        to - from,
        (i) => column[row(from + i)] as number,
        (code) => at.text(c, code),
      );
    else if (kind === 'bytes') {
      for (let i = from; i < to; i++) {
        const value = at.payload(c, row(i));
        bytes.u8(value === null ? 0 : 1);
        if (value !== null) bytes.bytes(value);
      }
    } else if (kind === 'i32') for (let i = from; i < to; i++) bytes.i32(column[row(i)] as number);
    else if (kind === 'bool') for (let i = from; i < to; i++) bytes.u8(column[row(i)] as number);
    else for (let i = from; i < to; i++) bytes.f64(column[row(i)] as number);
  }
  return bytes.done();
}

/** Every string once, then a number for each row. */
function writeTexts(
  to: ByteWriter,
  count: number,
  codeOf: (i: number) => number,
  text: (code: number) => string,
): void {
  const numbers = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const code = codeOf(i);
    if (code >= 0 && !numbers.has(code)) numbers.set(code, numbers.size);
  }
  to.u32(numbers.size);
  for (const code of numbers.keys()) to.text(text(code));
  for (let i = 0; i < count; i++) to.i32(numbers.get(codeOf(i)) ?? NO_TEXT);
}

/** Decodes into one batch. */
class Decoder {
  readonly #schema: Schema;
  readonly #dictionary: Dictionary;
  readonly #batch: RecordBatch;
  readonly #watermarks = new Float64Array(BATCH_ROWS);

  constructor(schema: Schema, dictionary: Dictionary) {
    this.#schema = schema;
    this.#dictionary = dictionary;
    this.#batch = RecordBatch.allocate(schema, dictionary);
  }

  decode(bytes: Uint8Array, ingestedAt: number): RecordBatch {
    const batch = this.#batch;
    const from = new ByteReader(bytes);
    const count = from.u32();
    const perRow = from.u8() === 1;
    for (let i = 0; i < count; i++) batch.time[i] = from.f64();
    if (perRow) for (let i = 0; i < count; i++) this.#watermarks[i] = from.f64();
    for (const [c, { kind }] of this.#schema.columns.entries()) {
      const column = batch.columns[c] as Float64Array | BytesColumn;
      if (column instanceof BytesColumn) {
        column.reset();
        for (let i = 0; i < count; i++) {
          if (from.u8() === 1) column.append(i, from.bytes());
          else column.setNull(i);
        }
      } else if (kind === 'string') {
        const codes = Array.from({ length: from.u32() }, () => this.#dictionary.codeOf(from.text()));
        for (let i = 0; i < count; i++) column[i] = codes[from.i32()] ?? NO_TEXT;
      } else if (kind === 'i32') for (let i = 0; i < count; i++) column[i] = from.i32();
      else if (kind === 'bool') for (let i = 0; i < count; i++) column[i] = from.u8();
      else for (let i = 0; i < count; i++) column[i] = from.f64();
    }
    batch.size = count;
    batch.selection = null;
    batch.watermarks = perRow ? this.#watermarks : null;
    batch.ingestedAt = ingestedAt;
    batch.split = -1;
    return batch;
  }
}

export class InFlight {
  readonly #schema: Schema;
  readonly #dictionary: () => Dictionary;
  #elements: InFlightElement[] = [];
  #decoder: Decoder | null = null;
  #bytes = 0;

  /** `dictionary`: of the strings of what is decoded; swept by whoever owns it, while nothing is lent. */
  constructor(schema: Schema, dictionary: () => Dictionary) {
    this.#schema = schema;
    this.#dictionary = dictionary;
  }

  get empty(): boolean {
    return this.#elements.length === 0;
  }

  /** Of all elements. */
  get bytes(): number {
    return this.#bytes;
  }

  get elements(): readonly InFlightElement[] {
    return this.#elements;
  }

  add(element: InFlightElement): void {
    this.#elements.push(element);
    this.#bytes += sizeOf(element);
  }

  /** Ahead of all others, in their order. */
  putBack(elements: readonly InFlightElement[]): void {
    this.#elements = [...elements, ...this.#elements];
    for (const element of elements) this.#bytes += sizeOf(element);
  }

  /** All rows of a batch that count. */
  rows(batch: RecordBatch, channel = EVERYWHERE): void {
    const { selection, ingestedAt } = batch;
    for (let from = 0; from < batch.count; from += BATCH_ROWS) {
      const to = Math.min(batch.count, from + BATCH_ROWS);
      const bytes = encodeRows(this.#schema, rowsOf(batch), selection, from, to);
      this.add({ kind: 'rows', channel, bytes, ingestedAt });
    }
  }

  shift(): InFlightElement | null {
    const element = this.#elements.shift();
    if (element === undefined) return null;
    this.#bytes -= sizeOf(element);
    return element;
  }

  /** Lent until the next call. */
  decode(element: InFlightElement & { readonly kind: 'rows' }): RecordBatch {
    this.#decoder ??= new Decoder(this.#schema, this.#dictionary());
    return this.#decoder.decode(element.bytes, element.ingestedAt);
  }
}

function sizeOf(element: InFlightElement): number {
  return element.kind === 'rows' ? element.bytes.length : ELEMENT_BYTES;
}

const ROWS = 0;
const WATERMARK = 1;

/** Rows and watermarks; what else there was comes again from those who said it. */
export function saveElements(elements: readonly InFlightElement[]): Uint8Array {
  const to = new ByteWriter();
  for (const element of elements) {
    if (element.kind !== 'rows' && element.kind !== 'watermark') continue;
    to.i32(element.channel);
    to.u8(element.kind === 'rows' ? ROWS : WATERMARK);
    if (element.kind === 'rows') to.bytes(element.bytes);
    else to.f64(element.watermark);
  }
  return to.done();
}

export function loadElements(bytes: Uint8Array): InFlightElement[] {
  const from = new ByteReader(bytes);
  const elements: InFlightElement[] = [];
  while (from.more) {
    const channel = from.i32();
    if (from.u8() === ROWS) {
      elements.push({ kind: 'rows', channel, bytes: from.bytes(), ingestedAt: NEVER_INGESTED });
    } else elements.push({ kind: 'watermark', channel, watermark: from.f64(), ingestedAt: NEVER_INGESTED });
  }
  return elements;
}
