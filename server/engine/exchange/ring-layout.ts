/**
 * One channel between two threads: a ring of slots in shared memory, single producer, single consumer.
 *
 *   control │ head (published)  ·  tail (consumed)  ·  producer waits  ·  announced barrier     one cache line each
 *   slot 0  │ header │ markers │ time │ watermark runs │ column 0 │ column 1 │ … │ text: new strings ─> … <─ payloads │
 *   …
 *   slot 7  │
 *
 * Free slots are the credits: `head - tail < SLOTS`. A full ring stops the producing subtask, never its thread. The order inside a slot:
 * new dictionary entries, the watermark before its rows, rows (with their watermarks, in runs of rows that share one, if it moved in between), the watermark behind them,
 * latency markers, then a change of status, a barrier or the end. What was ingested when is told once for all rows and once for the watermarks: the
 * oldest counts.
 *
 * A barrier that may overtake rows needs no slot, so that it gets through when none is free: it is announced in the control words, with the
 * position that it has among the slots. The consumer reads no slot behind that position before it has taken notice. There is one at a time.
 *
 * A column that is the rows' event time, in the same memory (`RecordBatch.time`), is not carried twice: the header names it.
 *
 * A value too large for the text of a slot travels ahead in fragments, one slot each.
 *
 * Thread contract: only the producer writes `head` and slots not published; only the consumer writes `tail`; both counters grow and wrap
 * at 2^32. Slabs and views are made once, at deployment.
 */

import { BATCH_ROWS, BytesColumn, type ColumnData, RecordBatch } from '../batch/record-batch.ts';
import type { ColumnKind, Schema } from '../batch/schema.ts';
import type { CheckpointKind } from './barrier.ts';

/** Measured: above 5 slots depth does not matter. */
export const SLOTS = 8;
/** Room for new strings and payloads per slot, bytes. */
export const TEXT_BYTES = 64 * 1024;
/** A slot with as many latency markers is full. */
export const SLOT_MARKERS = 16;
/** Numbers per marker: time, source, subtask. */
export const MARKER_WIDTH = 3;
/** A value longer than this travels in fragments: a row's text always fits into one slot. */
export function largeBytes(schema: Schema): number {
  return Math.floor(TEXT_BYTES / (2 * Math.max(2, schema.width))) - 16;
}

const CONTROL_BYTES = 256;
const HEADER_BYTES = 128;
const MARKER_BYTES = 8 * MARKER_WIDTH * SLOT_MARKERS;

/** Positions in the control words as Int32 … */
export const Control = {
  HEAD: 0,
  TAIL: 16,
  PRODUCER_WAITS: 32,
  BARRIER_VERSION: 48,
  BARRIER_POSITION: 49,
  BARRIER_KIND: 50,
} as const;
/** … and as Float64: of the announced barrier. */
export const ControlTime = { CHECKPOINT: 26, TRIGGERED: 27, OVERTAKES: 28 } as const;

/** Positions in a slot's header as Int32 … */
export const Header = {
  COUNT: 0,
  FLAGS: 1,
  ENTRIES: 2,
  TEXT: 3,
  PAYLOADS: 8,
  MARKERS: 9,
  BARRIER_KIND: 18,
  RUNS: 19,
  TIME_COLUMN: 20,
} as const;
/** … and as Float64. */
export const HeaderTime = {
  WATERMARK_BEFORE: 2,
  WATERMARK_AFTER: 3,
  ROWS_INGESTED: 5,
  WATERMARKS_INGESTED: 6,
  CHECKPOINT: 7,
  TRIGGERED: 8,
} as const;

export const Flag = {
  IDLE: 2,
  ACTIVE: 4,
  END: 8,
  FRAGMENT: 16,
  LAST_FRAGMENT: 32,
  BARRIER: 64,
} as const;

/** Kinds of barriers as numbers (`Header.BARRIER_KIND`). */
export const BARRIER_KINDS: readonly CheckpointKind[] = ['checkpoint', 'savepoint', 'stop', 'drain'];

export interface Slot {
  readonly header: Int32Array;
  readonly times: Float64Array;
  /** `SLOT_MARKERS` times `MARKER_WIDTH` numbers. */
  readonly markers: Float64Array;
  /** Watermark of each run of rows, and the row behind its last; `Header.RUNS` of them count, none: the watermark does not move. */
  readonly runWatermarks: Float64Array;
  readonly runEnds: Int32Array;
  readonly text: Uint8Array;
  /** Columns as a batch over the slot's memory. */
  readonly batch: RecordBatch;
}

/** Of one row of a column. */
export function cellBytes(kind: ColumnKind): number {
  switch (kind) {
    case 'f64':
    case 'timestamp':
    case 'bytes':
      return 8;
    case 'i32':
    case 'string':
      return 4;
    case 'bool':
      return 1;
  }
}

function columnBytes(kind: ColumnKind): number {
  return cellBytes(kind) * BATCH_ROWS;
}

function slotBytes(schema: Schema): number {
  const columns = schema.columns.reduce((sum, c) => sum + columnBytes(c.kind), 0);
  return HEADER_BYTES + MARKER_BYTES + 20 * BATCH_ROWS + columns + TEXT_BYTES;
}

/** Bytes of shared memory of one channel. */
export function ringBytes(schema: Schema): number {
  return CONTROL_BYTES + SLOTS * slotBytes(schema);
}

/** Views over one channel's memory, for one side. */
export class Ring {
  readonly control: Int32Array;
  readonly controlTimes: Float64Array;
  readonly slots: readonly Slot[];

  constructor(memory: SharedArrayBuffer, schema: Schema) {
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.controlTimes = new Float64Array(memory, 0, CONTROL_BYTES / 8);
    this.slots = Array.from({ length: SLOTS }, (_, i) =>
      mapSlot(memory, CONTROL_BYTES + i * slotBytes(schema), schema),
    );
  }
}

function mapSlot(memory: SharedArrayBuffer, base: number, schema: Schema): Slot {
  let at = base;
  const take = (bytes: number): number => {
    const from = at;
    at += bytes;
    return from;
  };
  const headerAt = take(HEADER_BYTES);
  const markers = new Float64Array(memory, take(MARKER_BYTES), MARKER_WIDTH * SLOT_MARKERS);
  const time = new Float64Array(memory, take(8 * BATCH_ROWS), BATCH_ROWS);
  const runWatermarks = new Float64Array(memory, take(8 * BATCH_ROWS), BATCH_ROWS);
  const runEnds = new Int32Array(memory, take(4 * BATCH_ROWS), BATCH_ROWS);
  // Widest columns first, so that every view is aligned.
  const width: Record<ColumnKind, number> = { f64: 0, timestamp: 0, bytes: 1, i32: 1, string: 1, bool: 2 };
  const order = schema.columns.map((_, i) => i).sort((a, b) => width[kindAt(schema, a)] - width[kindAt(schema, b)]);
  const columns: ColumnData[] = new Array(schema.width);
  const bytesColumns: BytesColumn[] = [];
  for (const i of order) {
    const kind = kindAt(schema, i);
    const from = take(columnBytes(kind));
    switch (kind) {
      case 'f64':
      case 'timestamp':
        columns[i] = new Float64Array(memory, from, BATCH_ROWS);
        break;
      case 'i32':
      case 'string':
        columns[i] = new Int32Array(memory, from, BATCH_ROWS);
        break;
      case 'bool':
        columns[i] = new Uint8Array(memory, from, BATCH_ROWS);
        break;
      case 'bytes': {
        const column = new BytesColumn(
          BATCH_ROWS,
          new Int32Array(memory, from, BATCH_ROWS),
          new Int32Array(memory, from + 4 * BATCH_ROWS, BATCH_ROWS),
        );
        columns[i] = column;
        bytesColumns.push(column);
        break;
      }
    }
  }
  const text = new Uint8Array(memory, take(TEXT_BYTES), TEXT_BYTES);
  for (const column of bytesColumns) column.data = text;
  return {
    header: new Int32Array(memory, headerAt, HEADER_BYTES / 4),
    times: new Float64Array(memory, headerAt, HEADER_BYTES / 8),
    markers,
    runWatermarks,
    runEnds,
    text,
    batch: new RecordBatch(
      schema,
      BATCH_ROWS,
      columns,
      time,
      schema.columns.map(() => null),
    ),
  };
}

function kindAt(schema: Schema, i: number): ColumnKind {
  return (schema.columns[i] as { kind: ColumnKind }).kind;
}
