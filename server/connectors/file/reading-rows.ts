/**
 * The columns of a batch of `RawReading`, as decoders of lines write them, and the rules that all formats share: which payload a row keeps,
 * what a row without values looks like.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { BytesColumn } from '#engine/batch/record-batch.ts';
import { defect, FIELDS, type FieldName, type Reason } from '../iot/reading.ts';

/** Bytes kept of a line that is longer than the limit. */
export const MAX_PAYLOAD = 64 * 1024;

/** What a decoder must find in a field; in the order in which fields are judged. */
export type FieldKind = 'id' | 'integer' | 'number';
export const FIELD_KINDS: readonly FieldKind[] = FIELDS.map((name) =>
  name === 'device_id' ? 'id' : name === 'event_timestamp' ? 'integer' : 'number',
);
/** Names of the fields, for looking up any string. */
export const FIELD_NAMES: readonly string[] = FIELDS;
export const ID_FIELD = FIELDS.indexOf('device_id');
export const TIME_FIELD = FIELDS.indexOf('event_timestamp');

/** `defect` codes of each field, so that rows need no arithmetic. */
export const MISSING: readonly number[] = FIELDS.map((name) => defect('missing_field', name));
export const WRONG_TYPE: readonly number[] = FIELDS.map((name) => defect('wrong_type', name));

const NO_FLOATS = new Float64Array(0);
const NO_INTS = new Int32Array(0);

export class ReadingRows {
  /** Codes of `device_id`. */
  ids: Int32Array = NO_INTS;
  /** By field; at the place of `device_id` stands a column that nobody reads. */
  numbers: Float64Array[] = FIELDS.map(() => NO_FLOATS);
  defects: Int32Array = NO_INTS;
  payload: BytesColumn = new BytesColumn(0);
  payloadBytes: Float64Array = NO_FLOATS;
  offsets: Float64Array = NO_FLOATS;
  time: Float64Array = NO_FLOATS;
  capacity = 0;
  /** Rows written. */
  size = 0;
  /** Bytes of the longest line that is decoded. */
  readonly maxLine: number;
  #sources: Int32Array = NO_INTS;

  constructor(maxLine: number) {
    this.maxLine = maxLine;
  }

  /** Takes the columns of an empty batch. */
  bind(batch: RecordBatch): void {
    this.ids = batch.codes('device_id');
    for (const [field, name] of FIELDS.entries()) if (field !== ID_FIELD) this.numbers[field] = batch.f64(name);
    this.defects = batch.i32('defect');
    this.payload = batch.bytes('payload');
    this.payloadBytes = batch.f64('payload_bytes');
    this.#sources = batch.codes('source');
    this.offsets = batch.f64('offset');
    this.time = batch.time;
    this.capacity = batch.capacity;
    this.size = 0;
    this.payloadBytes.fill(Number.NaN);
  }

  /** Rows are complete: `payload` points into `data`, all come from the file with code `source`. */
  finish(batch: RecordBatch, data: Uint8Array, source: number): void {
    this.payload.data = data;
    this.#sources.fill(source, 0, this.size);
    batch.size = this.size;
  }

  /** Which line the row is. */
  place(row: number, start: number, end: number, offset: number): void {
    this.payload.start[row] = start;
    this.payload.end[row] = end;
    this.offsets[row] = offset;
  }

  /** A row without values. Of a line longer than `maxLine`, `payload` keeps at most the first 64 KiB. */
  reject(row: number, reason: Reason, start: number, length: number, offset: number): void {
    this.ids[row] = -1;
    for (const [field, column] of this.numbers.entries()) if (field !== ID_FIELD) column[row] = Number.NaN;
    this.defects[row] = defect(reason, null);
    this.time[row] = Number.NaN;
    const kept = length > this.maxLine ? Math.min(length, MAX_PAYLOAD) : length;
    this.place(row, start, start + kept, offset);
    if (kept < length) this.payloadBytes[row] = length;
  }
}

/** Missing names of a list of fields, in the order of the contract. */
export function missingFields(names: readonly string[]): FieldName[] {
  return FIELDS.filter((name) => !names.includes(name));
}
