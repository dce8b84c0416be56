/** The receiving end of a ring (`ring-layout.ts`): translates codes into the gate's dictionary and lends out slots as batches. */

import type { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, BytesColumn, RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { CheckpointBarrier, CheckpointKind } from './barrier.ts';
import {
  BARRIER_KINDS,
  Control,
  ControlTime,
  Flag,
  Header,
  HeaderTime,
  MARKER_WIDTH,
  type Ring,
  SLOTS,
  type Slot,
  TEXT_BYTES,
} from './ring-layout.ts';
import { type Overtaken, peek, readEntries, readWatermarks } from './ring-peek.ts';

/**
 * A published slot, in the order in which its parts count: the watermark before its rows, rows, the watermark behind, markers, status, barrier or end.
 */
export interface Arrival {
  readonly watermarkBefore: number;
  /** Null: no rows. Lent until `release`. Per-row watermarks are those of this channel alone. */
  readonly rows: RecordBatch | null;
  readonly watermarkAfter: number;
  /** Oldest ingestion of what raised the watermarks of this slot. */
  readonly watermarksIngestedAt: number;
  readonly markers: readonly LatencyMarker[];
  readonly idle: boolean | null;
  readonly barrier: CheckpointBarrier | null;
  readonly end: boolean;
}

/** A barrier that was announced, and not reached. */
interface Announced {
  readonly barrier: CheckpointBarrier;
  /** Of the first slot behind it. */
  readonly position: number;
}

interface TableOf {
  readonly column: number;
  table: Int32Array;
  readonly codes: Int32Array;
}

export class RingReader {
  readonly #ring: Ring;
  readonly #schema: Schema;
  readonly #notifyProducer: () => void;
  readonly #dictionary: Dictionary;
  readonly #views: RecordBatch[];
  /** Per string column: the gate's code of each of the producer's. */
  readonly #tables: TableOf[];
  readonly #text: Uint8Array | null;
  /** Columns that may be the event time. */
  readonly #timestamps: readonly number[];
  /** Of the rows of the slot that is lent. */
  readonly #watermarks = new Float64Array(BATCH_ROWS);
  #tail = 0;
  #barrierVersion = 0;
  #announced: Announced | null = null;
  #fragments: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];

  /** `notifyProducer` wakes the producer's thread; called only while it waits for credits. */
  constructor(ring: Ring, schema: Schema, dictionary: Dictionary, notifyProducer: () => void) {
    this.#ring = ring;
    this.#schema = schema;
    this.#tail = Atomics.load(ring.control, Control.TAIL);
    this.#notifyProducer = notifyProducer;
    this.#dictionary = dictionary;
    const hasBytes = schema.columns.some((c) => c.kind === 'bytes');
    this.#text = hasBytes ? new Uint8Array(TEXT_BYTES) : null;
    this.#tables = schema.columns.flatMap((c, column) =>
      c.kind === 'string' ? [{ column, table: new Int32Array(1024).fill(-1), codes: new Int32Array(BATCH_ROWS) }] : [],
    );
    this.#timestamps = schema.columns.flatMap((c, column) => (c.kind === 'timestamp' ? [column] : []));
    this.#views = ring.slots.map((slot) => this.#view(slot, schema));
    dictionary.hold((mark) => {
      for (const { table } of this.#tables) for (const code of table) if (code >= 0) mark(code);
    });
  }

  /** Something was published that was not taken yet. */
  get available(): boolean {
    return Atomics.load(this.#ring.control, Control.HEAD) !== this.#tail;
  }

  /** The next slot, or null; also where a barrier comes first. Every slot taken is given back by `release`, before the next is taken. */
  take(): Arrival | null {
    while (this.available) {
      if (this.announced() !== null && this.atBarrier) return null;
      const index = this.#tail & (SLOTS - 1);
      const slot = this.#ring.slots[index] as Slot;
      const flags = slot.header[Header.FLAGS] as number;
      if ((flags & Flag.FRAGMENT) !== 0) {
        this.#fragments.push(slot.text.slice(0, slot.header[Header.TEXT]));
        if ((flags & Flag.LAST_FRAGMENT) !== 0) {
          this.#large.push(Buffer.concat(this.#fragments));
          this.#fragments = [];
        }
        this.release();
        continue;
      }
      const count = slot.header[Header.COUNT] as number;
      this.#readEntries(slot);
      const view = this.#views[index] as RecordBatch;
      if (count > 0) this.#fill(view, slot, count);
      return {
        watermarkBefore: slot.times[HeaderTime.WATERMARK_BEFORE] as number,
        rows: count > 0 ? view : null,
        watermarkAfter: slot.times[HeaderTime.WATERMARK_AFTER] as number,
        watermarksIngestedAt: slot.times[HeaderTime.WATERMARKS_INGESTED] as number,
        markers: readMarkers(slot),
        idle: (flags & Flag.IDLE) !== 0 ? true : (flags & Flag.ACTIVE) !== 0 ? false : null,
        barrier: (flags & Flag.BARRIER) !== 0 ? readBarrier(slot) : null,
        end: (flags & Flag.END) !== 0,
      };
    }
    return null;
  }

  /** The barrier that was announced last, if it has not been passed. */
  announced(): CheckpointBarrier | null {
    const { control, controlTimes } = this.#ring;
    for (;;) {
      const version = Atomics.load(control, Control.BARRIER_VERSION);
      if (version === this.#barrierVersion || (version & 1) === 1) break;
      const barrier: CheckpointBarrier = {
        checkpoint: controlTimes[ControlTime.CHECKPOINT] as number,
        triggeredAt: controlTimes[ControlTime.TRIGGERED] as number,
        overtakesAfterMs: controlTimes[ControlTime.OVERTAKES] as number,
        kind: BARRIER_KINDS[control[Control.BARRIER_KIND] as number] as CheckpointKind,
      };
      const position = control[Control.BARRIER_POSITION] as number;
      if (Atomics.load(control, Control.BARRIER_VERSION) !== version) continue;
      this.#barrierVersion = version;
      this.#announced = { barrier, position };
    }
    return this.#announced?.barrier ?? null;
  }

  /** All that came before the announced barrier has been taken. */
  get atBarrier(): boolean {
    return this.#announced?.position === this.#tail;
  }

  /** The barrier has been taken note of where it stands, or before. */
  passBarrier(): void {
    this.#announced = null;
  }

  /** Copies of what lies before the announced barrier, behind so many slots that are not given back; it stays where it is. */
  *overtaken(skip: number): Iterable<Overtaken> {
    const until = this.#announced?.position ?? this.#tail;
    const from = until === this.#tail ? until : (this.#tail + skip) | 0;
    const known = (column: number, code: number): string =>
      this.#dictionary.get(this.#tables.find((t) => t.column === column)?.table[code] ?? -1) ?? '';
    yield* peek(this.#ring, this.#schema, from, until, known, this.#large, this.#fragments);
  }

  /** Gives the slot back: one credit for the producer. */
  release(): void {
    this.#tail = (this.#tail + 1) | 0;
    const { control } = this.#ring;
    Atomics.store(control, Control.TAIL, this.#tail);
    if (
      Atomics.load(control, Control.PRODUCER_WAITS) === 1 &&
      Atomics.exchange(control, Control.PRODUCER_WAITS, 0) === 1
    ) {
      this.#notifyProducer();
    }
  }

  #view(slot: Slot, schema: Schema): RecordBatch {
    const columns = slot.batch.columns.map((data, i) => {
      const kind = schema.columns[i]?.kind;
      if (kind === 'string') return (this.#tables.find((t) => t.column === i) as { codes: Int32Array }).codes;
      if (kind === 'bytes') {
        const shared = data as BytesColumn;
        return new BytesColumn(BATCH_ROWS, shared.start, shared.end);
      }
      return data;
    });
    const dictionaries = schema.columns.map((c) => (c.kind === 'string' ? this.#dictionary : null));
    return new RecordBatch(schema, BATCH_ROWS, columns, slot.batch.time, dictionaries);
  }

  #readEntries(slot: Slot): void {
    if (slot.header[Header.ENTRIES] === 0) return;
    const tableOf = (column: number): TableOf => this.#tables.find((t) => t.column === column) as TableOf;
    readEntries(slot, () => this.#large.shift() as Uint8Array, {
      forget: (column) => {
        tableOf(column).table.fill(-1);
      },
      text: (column, code, text) => {
        const entry = tableOf(column);
        if (code >= entry.table.length) {
          const grown = new Int32Array(Math.max(code + 1, entry.table.length * 2)).fill(-1);
          grown.set(entry.table);
          entry.table = grown;
        }
        entry.table[code] = this.#dictionary.codeOf(text);
      },
    });
  }

  #fill(view: RecordBatch, slot: Slot, count: number): void {
    view.size = count;
    view.selection = null;
    view.watermarks = readWatermarks(slot, this.#watermarks);
    view.ingestedAt = slot.times[HeaderTime.ROWS_INGESTED] as number;
    const timeColumn = slot.header[Header.TIME_COLUMN] as number;
    for (const column of this.#timestamps)
      view.columns[column] = column === timeColumn ? view.time : (slot.batch.columns[column] as Float64Array);
    for (const { column, table, codes } of this.#tables)
      translate(slot.batch.columns[column] as Int32Array, table, codes, count);
    if (this.#text === null) return;
    const payloads = TEXT_BYTES - (slot.header[Header.PAYLOADS] as number);
    this.#text.set(slot.text.subarray(payloads), payloads);
    for (let i = 0; i < view.columns.length; i++) {
      const column = view.columns[i];
      if (column instanceof BytesColumn) this.#payloads(column, count);
    }
  }

  /** Payloads are copied out: memory shared with another thread is not what decoders and files take. */
  #payloads(column: BytesColumn, count: number): void {
    const text = this.#text as Uint8Array;
    column.data = text;
    for (let row = 0; row < count; row++) {
      if ((column.start[row] as number) < 0 || column.end[row] !== -1) continue;
      const value = this.#large.shift() as Uint8Array;
      const joined = new Uint8Array(column.data.length + value.length);
      joined.set(column.data);
      joined.set(value, column.data.length);
      column.start[row] = column.data.length;
      column.end[row] = joined.length;
      column.data = joined;
    }
  }
}

const NO_MARKERS: readonly LatencyMarker[] = [];

function readMarkers({ header, markers }: Slot): readonly LatencyMarker[] {
  const count = header[Header.MARKERS] as number;
  if (count === 0) return NO_MARKERS;
  return Array.from({ length: count }, (_, i): LatencyMarker => {
    const [markedAt, source, subtask] = markers.subarray(i * MARKER_WIDTH) as unknown as [number, number, number];
    return { markedAt, source, subtask };
  });
}

function readBarrier({ header, times }: Slot): CheckpointBarrier {
  return {
    checkpoint: times[HeaderTime.CHECKPOINT] as number,
    triggeredAt: times[HeaderTime.TRIGGERED] as number,
    kind: BARRIER_KINDS[header[Header.BARRIER_KIND] as number] as CheckpointKind,
  };
}

function translate(codes: Int32Array, table: Int32Array, into: Int32Array, count: number): void {
  for (let k = 0; k < count; k++) {
    const code = codes[k] as number;
    into[k] = code < 0 ? -1 : (table[code] as number);
  }
}
