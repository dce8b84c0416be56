/**
 * Records as columns: one typed array per column, one event timestamp per row, and a selection that says which rows count.
 *
 *            time   device_id  temperature   ...          selection (filter kept 0, 2)
 *   row 0    1000   code 7     21.5                        [0, 2]
 *   row 1    1003   code 2     -99.0
 *   row 2     998   code 7     21.6
 *
 * A batch is lent, not given: it belongs to whoever fills it, and is valid until the call that hands it on returns (or, when a consumer
 * stopped halfway for want of credits, until it has resumed). Whoever wants to keep something copies it.
 *
 * A batch comes from one split and one thread: `split` survives stateless operators, so that watermarks can be generated per split after
 * validation.
 */

import { Dictionary } from './dictionary.ts';
import type { ColumnSpec, Schema } from './schema.ts';

/** Rows of a full batch. Measured: 1,024 costs 3 %, larger gains nothing (`bench/`). */
export const BATCH_ROWS = 2048;

/** A `bytes` column: row k is `data[start[k] .. end[k])`; start -1 is null. */
export class BytesColumn {
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** Shared by the rows of a batch; replaced, never written in place, when a batch brings its own buffer. */
  data: Uint8Array = EMPTY_BYTES;
  /** Bytes of `data` taken by `append`. */
  #used = 0;
  #owned: Uint8Array = EMPTY_BYTES;

  /** `start` and `end` may lie in memory that somebody else laid out. */
  constructor(rows: number, start: Int32Array = new Int32Array(rows).fill(-1), end: Int32Array = new Int32Array(rows)) {
    this.start = start;
    this.end = end;
  }

  get(row: number): Uint8Array | null {
    const start = this.start[row] as number;
    return start < 0 ? null : this.data.subarray(start, this.end[row]);
  }

  /** Copies `value` behind what was appended before. Not to be mixed with a foreign `data`. */
  append(row: number, value: Uint8Array): void {
    const need = this.#used + value.length;
    if (need > this.#owned.length) {
      const grown = new Uint8Array(Math.max(need, this.#owned.length * 2, 4096));
      grown.set(this.#owned.subarray(0, this.#used));
      this.#owned = grown;
    }
    this.data = this.#owned;
    this.#owned.set(value, this.#used);
    this.start[row] = this.#used;
    this.#used = need;
    this.end[row] = need;
  }

  setNull(row: number): void {
    this.start[row] = -1;
  }

  /** Every row null; keeps the appended-to buffer unless a burst made it large. */
  reset(): void {
    this.start.fill(-1);
    this.#used = 0;
    if (this.#owned.length > 1 << 20) this.#owned = EMPTY_BYTES;
    this.data = this.#owned;
  }
}

const EMPTY_BYTES = new Uint8Array(0);
const EMPTY_TIME = new Float64Array(0);

/** Ingestion time of what no event caused, or nobody stamped. Infinite, so that the older of two is the smaller. */
export const NEVER_INGESTED = Number.POSITIVE_INFINITY;

export type ColumnData = Float64Array | Int32Array | Uint8Array | BytesColumn;

export class RecordBatch {
  schema: Schema;
  readonly capacity: number;
  /** Event timestamp of each row, ms; NaN: none. */
  time: Float64Array;
  /** In the order of `schema.columns`. */
  columns: ColumnData[];
  /** Per column: the dictionary of a string column, else null. */
  dictionaries: (Dictionary | null)[];
  /** Rows filled, selected or not. */
  size = 0;
  /** Rows that count, ascending; only the first `selected` are meant. Null: rows 0 .. size-1 all count. */
  selection: Int32Array | null = null;
  selected = 0;
  /**
   * Watermark in force before each row was read, for strategies that may advance it with every record; null: it does not move inside
   * the batch. A row is late against this, never against a watermark it causes itself.
   */
  watermarks: Float64Array | null = null;
  /** Split that the rows come from, local to the source subtask; -1 once the batch has crossed a channel. */
  split = -1;
  /**
   * `Clock.nanos()` at which the source began to read the rows, or whatever made them come out (`Output.ingestedAt`); of rows that came
   * together on their way, that of the oldest.
   */
  ingestedAt = NEVER_INGESTED;

  constructor(
    schema: Schema,
    capacity: number,
    columns: ColumnData[],
    time: Float64Array,
    dictionaries: (Dictionary | null)[],
  ) {
    this.schema = schema;
    this.capacity = capacity;
    this.columns = columns;
    this.time = time;
    this.dictionaries = dictionaries;
  }

  /** A batch with memory of its own. `dictionary` serves all string columns. */
  static allocate(schema: Schema, dictionary: Dictionary = new Dictionary(), capacity = BATCH_ROWS): RecordBatch {
    return new RecordBatch(
      schema,
      capacity,
      schema.columns.map((c) => allocateColumn(c, capacity)),
      new Float64Array(capacity),
      schema.columns.map((c) => (c.kind === 'string' ? dictionary : null)),
    );
  }

  /** A batch that shows the rows of another; point it with `show`. It owns nothing, so that changing its header changes nobody else's. */
  static view(schema: Schema): RecordBatch {
    return new RecordBatch(schema, 0, [], EMPTY_TIME, []);
  }

  /** Shows the rows of `batch`, whose columns must be those of this schema. */
  show(batch: RecordBatch): this {
    this.columns = batch.columns;
    this.dictionaries = batch.dictionaries;
    this.time = batch.time;
    this.size = batch.size;
    this.selection = batch.selection;
    this.selected = batch.selected;
    this.watermarks = batch.watermarks;
    this.split = batch.split;
    this.ingestedAt = batch.ingestedAt;
    return this;
  }

  /** Position of the i-th row that counts. */
  row(i: number): number {
    return this.selection === null ? i : (this.selection[i] as number);
  }

  /** Rows that count. */
  get count(): number {
    return this.selection === null ? this.size : this.selected;
  }

  /** Column by name and kind, for producers that fill one; throws when the schema says otherwise. */
  f64(name: string): Float64Array {
    return this.#typed(name, Float64Array);
  }

  i32(name: string): Int32Array {
    return this.#typed(name, Int32Array);
  }

  /** Codes of a string column. */
  codes(name: string): Int32Array {
    return this.#typed(name, Int32Array);
  }

  bytes(name: string): BytesColumn {
    return this.#typed(name, BytesColumn);
  }

  #typed<T extends ColumnData>(name: string, type: abstract new (...args: never[]) => T): T {
    const data = this.columns[this.schema.require(name, 'batch')];
    if (!(data instanceof type)) throw new TypeError(`Column ${name} of ${this.schema} is not a ${type.name}.`);
    return data;
  }
}

function allocateColumn(column: ColumnSpec, rows: number): ColumnData {
  switch (column.kind) {
    case 'f64':
    case 'timestamp':
      return new Float64Array(rows);
    case 'i32':
    case 'string':
      return new Int32Array(rows);
    case 'bool':
      return new Uint8Array(rows);
    case 'bytes':
      return new BytesColumn(rows);
  }
}
