/**
 * The columns of a batch of raw readings, looked up once per batch object (batches are pooled), and what they still hold from the last
 * time: columns that hardly ever change (`source`, `defect`, `payload_bytes`) are written only when they differ.
 */

import type { BytesColumn, RecordBatch } from '#engine/batch/record-batch.ts';

export class ReadingRows {
  readonly capacity: number;
  /** Codes; while rows are being made, indexes of the split's devices. */
  readonly device: Int32Array;
  readonly eventTime: Float64Array;
  readonly temperature: Float64Array;
  readonly humidity: Float64Array;
  readonly pressure: Float64Array;
  readonly defect: Int32Array;
  readonly payload: BytesColumn;
  readonly source: Int32Array;
  readonly offset: Float64Array;
  /** Code that fills `source` from end to end, or -1. */
  #sourceCode = -1;
  #defects = false;
  /** Timestamps of a batch with defects. */
  readonly #time: Float64Array;

  private constructor(batch: RecordBatch) {
    this.capacity = batch.capacity;
    this.device = batch.codes('device_id');
    this.eventTime = batch.f64('event_timestamp');
    this.temperature = batch.f64('temperature');
    this.humidity = batch.f64('humidity');
    this.pressure = batch.f64('pressure');
    this.defect = batch.i32('defect');
    this.payload = batch.bytes('payload');
    this.source = batch.codes('source');
    this.offset = batch.f64('offset');
    this.#time = batch.time;
    this.defect.fill(0);
    // The simulator's payloads are always whole.
    batch.f64('payload_bytes').fill(Number.NaN);
  }

  /** The rows of a batch, ready to be filled: no defects, every row from `sourceCode`. */
  static of(batch: RecordBatch, sourceCode: number): ReadingRows {
    let rows = known.get(batch);
    if (rows === undefined || rows.device !== batch.columns[0]) {
      rows = new ReadingRows(batch);
      known.set(batch, rows);
    }
    if (rows.#sourceCode !== sourceCode || rows.source[0] !== sourceCode) {
      rows.source.fill(sourceCode);
      rows.#sourceCode = sourceCode;
    }
    if (rows.#defects) {
      rows.defect.fill(0);
      rows.#defects = false;
    }
    return rows;
  }

  /**
   * Gives the first `size` rows their timestamps. Those are the event times themselves, in the same memory, so that nothing writes or carries
   * them twice; unless a row has a defect: what cannot be used happened at no time.
   */
  stamp(batch: RecordBatch, size: number): void {
    batch.time = this.#defects ? this.#time : this.eventTime;
    if (!this.#defects) return;
    this.#time.set(this.eventTime.subarray(0, size));
    for (let k = 0; k < size; k++) if (this.defect[k] !== 0) this.#time[k] = Number.NaN;
  }

  setDefect(row: number, defect: number): void {
    this.defect[row] = defect;
    this.#defects = true;
  }

  /** Gives rows from..to-1 another source than the rest of the batch. */
  setSource(from: number, to: number, code: number): void {
    this.source.fill(code, from, to);
    this.#sourceCode = -1;
  }

  /** Copies the measured cells (device, event time, values) of a row to an earlier one. */
  move(from: number, to: number): void {
    this.device[to] = this.device[from] as number;
    this.eventTime[to] = this.eventTime[from] as number;
    this.temperature[to] = this.temperature[from] as number;
    this.humidity[to] = this.humidity[from] as number;
    this.pressure[to] = this.pressure[from] as number;
  }
}

/** Weak, so that a batch that nobody pools any more takes its entry with it. */
const known = new WeakMap<RecordBatch, ReadingRows>();
