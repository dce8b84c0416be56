/** The sending end of a ring (`ring-layout.ts`): gathers rows into the open slot, sends along the strings the other side lacks. */

import type { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, type BytesColumn, NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { CheckpointBarrier } from './barrier.ts';
import type { ChannelWriter } from './channel.ts';
import { type CopyRows, makeCopyRows } from './copy-rows.ts';
import {
  BARRIER_KINDS,
  Control,
  ControlTime,
  Flag,
  Header,
  HeaderTime,
  largeBytes,
  MARKER_WIDTH,
  type Ring,
  SLOT_MARKERS,
  SLOTS,
  type Slot,
  TEXT_BYTES,
} from './ring-layout.ts';
import { endOfRun } from './row-watermarks.ts';
import { SentCodes } from './sent-codes.ts';

/** Bytes in front of an entry: column and encoding, code, length. */
const ENTRY_BYTES = 12;
export const Encoding = { LATIN1: 0, UTF16: 1, FRAGMENTS: 2, FORGET: 3 } as const;

export class RingWriter implements ChannelWriter {
  readonly #ring: Ring;
  readonly #large: number;
  readonly #schema: Schema;
  readonly #copy: CopyRows;
  /** Copiers that leave out a column that is the event time. */
  readonly #copyWithout = new Map<number, CopyRows>();
  readonly #notify: () => void;
  readonly #strings: { column: number; codes: SentCodes }[];
  readonly #bytes: number[];
  #head = 0;
  #tailSeen = 0;
  #open: Slot | null = null;
  #rows = 0;
  /** Bytes of text taken by new strings, from its beginning … */
  #text = 0;
  /** … and by payloads, from its end: the other side reads strings one behind the other. */
  #payloads = 0;
  #entries = 0;
  /** Runs of rows that share a watermark; 0: it has not moved among the rows of the open slot. */
  #runs = 0;
  #watermark = Number.NEGATIVE_INFINITY;
  /** Column of the open slot that is the event time of all its rows, and is not written; -1: none. */
  #timeColumn = -1;
  #markers = 0;
  /** Oldest ingestion of the open slot's rows, and of what raised its watermarks. */
  #rowsIngestedAt = NEVER_INGESTED;
  #watermarksIngestedAt = NEVER_INGESTED;
  /** The open slot holds something the other side should see. */
  #dirty = false;
  /** A large value under way. */
  #shipping: { value: Uint8Array; at: number } | null = null;
  /** Columns of the row being written whose large value has been shipped. */
  readonly #shipped = new Set<number>();

  /** `notify` wakes the consumer's thread. */
  constructor(ring: Ring, schema: Schema, notify: () => void) {
    this.#ring = ring;
    this.#head = Atomics.load(ring.control, Control.HEAD);
    this.#tailSeen = Atomics.load(ring.control, Control.TAIL);
    this.#large = largeBytes(schema);
    this.#notify = notify;
    this.#schema = schema;
    this.#copy = makeCopyRows(schema);
    this.#strings = schema.columns.flatMap((c, column) =>
      c.kind === 'string' ? [{ column, codes: new SentCodes() }] : [],
    );
    this.#bytes = schema.columns.flatMap((c, column) => (c.kind === 'bytes' ? [column] : []));
  }

  ready(): boolean {
    return this.#shipping === null && this.#slot() !== null;
  }

  write(batch: RecordBatch, rows: Int32Array | null, from: number, to: number, known = -1): number {
    if (this.#shipping !== null && !this.#ship()) return from;
    for (const { column, codes } of this.#strings) {
      codes.use(batch.dictionaries[column] as Dictionary);
      if (codes.forget && !this.#tellForget(column, codes)) return from;
    }
    let i = from;
    while (i < to) {
      const slot = this.#slot();
      if (slot === null) return i;
      const room = Math.min(to, i + BATCH_ROWS - this.#rows);
      let end = room;
      for (const { column, codes } of this.#strings) {
        if (column !== known) end = firstUnsent(batch.columns[column] as Int32Array, codes.sent, rows, i, end);
      }
      if (this.#bytes.length > 0 && end > i) end = i + 1;
      if (end === i || this.#bytes.length > 0) {
        // A row that brings text along goes alone.
        const fits = this.#placeText(batch, rows === null ? i : (rows[i] as number));
        if (fits === 'no-credit') return i;
        if (fits === 'next-slot') continue;
        end = i + 1;
      }
      this.#append(slot, batch, rows, i, end);
      i = end;
      if (this.#rows === BATCH_ROWS) this.flush();
    }
    return i;
  }

  watermark(watermark: number, ingestedAt = NEVER_INGESTED): void {
    if (watermark <= this.#watermark) return;
    const slot = this.#slot() as Slot;
    if (this.#rows > 0 && this.#runs === 0)
      this.#run(slot, this.#rows, slot.times[HeaderTime.WATERMARK_BEFORE] as number);
    this.#watermark = watermark;
    if (this.#rows === 0) slot.times[HeaderTime.WATERMARK_BEFORE] = watermark;
    if (ingestedAt < this.#watermarksIngestedAt) this.#watermarksIngestedAt = ingestedAt;
    this.#dirty = true;
  }

  marker({ markedAt, source, subtask }: LatencyMarker): void {
    const slot = this.#slot() as Slot;
    slot.markers.set([markedAt, source, subtask], this.#markers * MARKER_WIDTH);
    this.#markers++;
    this.#dirty = true;
    if (this.#markers === SLOT_MARKERS) this.flush();
  }

  idle(idle: boolean): void {
    this.#flag(idle ? Flag.IDLE : Flag.ACTIVE);
  }

  /** One that may overtake rows needs no credit. */
  barrier(barrier: CheckpointBarrier): void {
    const { checkpoint, triggeredAt, kind, overtakesAfterMs } = barrier;
    if (overtakesAfterMs !== undefined) {
      this.#announce(barrier, overtakesAfterMs);
      return;
    }
    const slot = this.#slot() as Slot;
    slot.times[HeaderTime.CHECKPOINT] = checkpoint;
    slot.times[HeaderTime.TRIGGERED] = triggeredAt;
    slot.header[Header.BARRIER_KIND] = BARRIER_KINDS.indexOf(kind);
    this.#flag(Flag.BARRIER);
  }

  /** The version is odd while the words are being written. */
  #announce({ checkpoint, triggeredAt, kind }: CheckpointBarrier, overtakesAfterMs: number): void {
    this.flush();
    const { control, controlTimes } = this.#ring;
    Atomics.add(control, Control.BARRIER_VERSION, 1);
    controlTimes[ControlTime.CHECKPOINT] = checkpoint;
    controlTimes[ControlTime.TRIGGERED] = triggeredAt;
    controlTimes[ControlTime.OVERTAKES] = overtakesAfterMs;
    control[Control.BARRIER_KIND] = BARRIER_KINDS.indexOf(kind);
    control[Control.BARRIER_POSITION] = this.#head;
    Atomics.add(control, Control.BARRIER_VERSION, 1);
    this.#notify();
  }

  end(): void {
    this.#flag(Flag.END);
  }

  /** What was handed over lies in the ring. */
  letGo(): boolean {
    return true;
  }

  flush(): void {
    const slot = this.#open;
    if (slot === null || !this.#dirty) return;
    slot.header[Header.COUNT] = this.#rows;
    slot.header[Header.ENTRIES] = this.#entries;
    slot.header[Header.TEXT] = this.#text;
    slot.header[Header.PAYLOADS] = this.#payloads;
    slot.header[Header.MARKERS] = this.#markers;
    slot.header[Header.RUNS] = this.#runs;
    slot.header[Header.TIME_COLUMN] = this.#timeColumn;
    slot.times[HeaderTime.WATERMARK_AFTER] = this.#watermark;
    slot.times[HeaderTime.ROWS_INGESTED] = this.#rowsIngestedAt;
    slot.times[HeaderTime.WATERMARKS_INGESTED] = this.#watermarksIngestedAt;
    this.#publish();
  }

  #flag(flag: number): void {
    const slot = this.#slot() as Slot;
    slot.header[Header.FLAGS] = (slot.header[Header.FLAGS] as number) | flag;
    this.#dirty = true;
    this.flush();
  }

  #publish(): void {
    this.#open = null;
    this.#head = (this.#head + 1) | 0;
    Atomics.store(this.#ring.control, Control.HEAD, this.#head);
    this.#notify();
  }

  /** The open slot; null: no credit. */
  #slot(): Slot | null {
    if (this.#open !== null) return this.#open;
    const { control, slots } = this.#ring;
    if (((this.#head - this.#tailSeen) | 0) >= SLOTS) {
      this.#tailSeen = Atomics.load(control, Control.TAIL);
      if (((this.#head - this.#tailSeen) | 0) >= SLOTS) {
        // Asks to be woken, then looks again: the consumer may have freed a slot in between.
        Atomics.store(control, Control.PRODUCER_WAITS, 1);
        this.#tailSeen = Atomics.load(control, Control.TAIL);
        if (((this.#head - this.#tailSeen) | 0) >= SLOTS) return null;
      }
    }
    const slot = slots[this.#head & (SLOTS - 1)] as Slot;
    slot.header.fill(0, 0, 4);
    slot.times[HeaderTime.WATERMARK_BEFORE] = this.#watermark;
    this.#open = slot;
    this.#rows = 0;
    this.#text = 0;
    this.#payloads = 0;
    this.#entries = 0;
    this.#runs = 0;
    this.#markers = 0;
    this.#rowsIngestedAt = NEVER_INGESTED;
    this.#watermarksIngestedAt = NEVER_INGESTED;
    this.#dirty = false;
    return slot;
  }

  #append(slot: Slot, batch: RecordBatch, rows: Int32Array | null, from: number, to: number): void {
    const at = this.#rows;
    this.#copierOf(slot, batch)(batch, rows, from, to, slot.batch, at);
    this.#rows = at + to - from;
    if (batch.ingestedAt < this.#rowsIngestedAt) this.#rowsIngestedAt = batch.ingestedAt;
    this.#dirty = true;
    const watermarks = batch.watermarks;
    if (watermarks === null) {
      if (this.#runs > 0) this.#run(slot, this.#rows, this.#watermark);
      return;
    }
    const last = Math.max(this.#watermark, watermarks[rows === null ? to - 1 : (rows[to - 1] as number)] as number);
    if (last > this.#watermark || this.#runs > 0) {
      if (this.#runs === 0 && at > 0) this.#run(slot, at, slot.times[HeaderTime.WATERMARK_BEFORE] as number);
      for (let i = from; i < to; ) {
        const own = watermarks[rows === null ? i : (rows[i] as number)] as number;
        i = endOfRun(watermarks, rows, i, to);
        this.#run(slot, at + i - from, Math.max(this.#watermark, own));
      }
    }
    this.#watermark = last;
  }

  /** What copies rows of `batch` into the open slot; a column that was left out is made up for, where this batch has another as its time. */
  #copierOf(slot: Slot, batch: RecordBatch): CopyRows {
    const column = timeColumn(this.#schema, batch);
    if (this.#rows === 0) this.#timeColumn = column;
    else if (this.#timeColumn >= 0 && this.#timeColumn !== column) {
      (slot.batch.columns[this.#timeColumn] as Float64Array).set(slot.batch.time.subarray(0, this.#rows));
      this.#timeColumn = -1;
    }
    if (this.#timeColumn < 0) return this.#copy;
    let copy = this.#copyWithout.get(column);
    if (copy === undefined) {
      copy = makeCopyRows(this.#schema, column);
      this.#copyWithout.set(column, copy);
    }
    return copy;
  }

  /** Rows of the open slot up to `end` have this watermark, from where the run before ended. */
  #run(slot: Slot, end: number, watermark: number): void {
    if (this.#runs > 0 && slot.runWatermarks[this.#runs - 1] === watermark) this.#runs--;
    slot.runWatermarks[this.#runs] = watermark;
    slot.runEnds[this.#runs++] = end;
  }

  /** Puts the strings and payloads that row `k` brings along into the open slot. */
  #placeText(batch: RecordBatch, k: number): 'fits' | 'next-slot' | 'no-credit' {
    for (const { column, codes } of this.#strings) {
      const code = (batch.columns[column] as Int32Array)[k] as number;
      if (code < 0 || codes.sent[code] === 1) continue;
      const text = (codes.dictionary as Dictionary).get(code) ?? '';
      const latin1 = isLatin1(text);
      const length = latin1 ? text.length : text.length * 2;
      const large = length > this.#large;
      if (large && !this.#shipped.has(column)) {
        return this.#startShipping(column, Buffer.from(text, latin1 ? 'latin1' : 'utf16le'))
          ? 'next-slot'
          : 'no-credit';
      }
      const padded = large ? 0 : (length + 3) & ~3;
      const slot = this.#room(ENTRY_BYTES + padded);
      if (slot === null) return 'next-slot';
      this.#entry(
        slot,
        column,
        code,
        large ? Encoding.FRAGMENTS + (latin1 ? 0 : 4) : latin1 ? Encoding.LATIN1 : Encoding.UTF16,
        length,
        text,
      );
      codes.sent[code] = 1;
      this.#shipped.delete(column);
    }
    let need = 0;
    for (const column of this.#bytes) {
      const source = batch.columns[column] as BytesColumn;
      const start = source.start[k] as number;
      const length = start < 0 ? 0 : (source.end[k] as number) - start;
      if (length > this.#large && !this.#shipped.has(column)) {
        return this.#startShipping(column, source.data.slice(start, start + length)) ? 'next-slot' : 'no-credit';
      }
      if (length <= this.#large) need += (length + 3) & ~3;
    }
    if (this.#bytes.length === 0) return 'fits';
    const slot = this.#room(need);
    if (slot === null) return 'next-slot';
    for (const column of this.#bytes) this.#payload(slot, column, batch.columns[column] as BytesColumn, k);
    return 'fits';
  }

  /** The open slot if that much text fits; otherwise publishes it, and null asks to begin again with the next. */
  #room(bytes: number): Slot | null {
    if (this.#text + this.#payloads + bytes <= TEXT_BYTES) return this.#open;
    this.flush();
    return null;
  }

  #entry(slot: Slot, column: number, code: number, encoding: number, length: number, text: string): void {
    const at = this.#text;
    const words = new Int32Array(slot.text.buffer, slot.text.byteOffset + at, 3);
    words[0] = (column << 8) | encoding;
    words[1] = code;
    words[2] = length;
    let p = at + ENTRY_BYTES;
    if (encoding === Encoding.LATIN1) {
      for (let i = 0; i < text.length; i++) slot.text[p + i] = text.charCodeAt(i);
      p += length;
    } else if (encoding === Encoding.UTF16) {
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        slot.text[p + 2 * i] = unit & 0xff;
        slot.text[p + 2 * i + 1] = unit >> 8;
      }
      p += length;
    }
    this.#text = (p + 3) & ~3;
    this.#entries++;
    this.#dirty = true;
  }

  /** Goes ahead of every row that is to come; rows gathered so far still mean what they meant. */
  #tellForget(column: number, codes: SentCodes): boolean {
    if (this.#rows > 0) this.flush();
    let slot = this.#slot();
    if (slot !== null && this.#text + this.#payloads + ENTRY_BYTES > TEXT_BYTES) {
      this.flush();
      slot = this.#slot();
    }
    if (slot === null) return false;
    this.#entry(slot, column, 0, Encoding.FORGET, 0, '');
    codes.forget = false;
    return true;
  }

  /** A payload in the slot's text, or (end -1) the next value that came in fragments. */
  #payload(slot: Slot, column: number, source: BytesColumn, k: number): void {
    const target = slot.batch.columns[column] as BytesColumn;
    const row = this.#rows;
    const start = source.start[k] as number;
    if (start < 0) {
      target.start[row] = -1;
      return;
    }
    const end = source.end[k] as number;
    if (this.#shipped.delete(column)) {
      target.start[row] = 0;
      target.end[row] = -1;
      return;
    }
    this.#payloads += (end - start + 3) & ~3;
    const at = TEXT_BYTES - this.#payloads;
    slot.text.set(source.data.subarray(start, end), at);
    target.start[row] = at;
    target.end[row] = at + end - start;
  }

  #startShipping(column: number, value: Uint8Array): boolean {
    this.flush();
    this.#shipped.add(column);
    this.#shipping = { value, at: 0 };
    return this.#ship();
  }

  /** Sends the rest of a large value, one slot per fragment; false: out of credits. */
  #ship(): boolean {
    const shipping = this.#shipping as { value: Uint8Array; at: number };
    while (shipping.at < shipping.value.length) {
      const slot = this.#slot();
      if (slot === null) return false;
      const end = Math.min(shipping.at + TEXT_BYTES, shipping.value.length);
      slot.text.set(shipping.value.subarray(shipping.at, end));
      slot.header[Header.TEXT] = end - shipping.at;
      slot.header[Header.FLAGS] = Flag.FRAGMENT | (end === shipping.value.length ? Flag.LAST_FRAGMENT : 0);
      slot.times[HeaderTime.WATERMARK_AFTER] = this.#watermark;
      shipping.at = end;
      this.#publish();
    }
    this.#shipping = null;
    return true;
  }
}

/** First timestamp column of a batch that is its event time, in the same memory; -1: none. */
function timeColumn(schema: Schema, batch: RecordBatch): number {
  const { columns } = schema;
  for (let i = 0; i < columns.length; i++)
    if (columns[i]?.kind === 'timestamp' && batch.columns[i] === batch.time) return i;
  return -1;
}

function firstUnsent(codes: Int32Array, sent: Uint8Array, rows: Int32Array | null, from: number, to: number): number {
  if (rows === null) {
    for (let i = from; i < to; i++) if (sent[codes[i] as number] === 0) return i;
  } else {
    for (let i = from; i < to; i++) if (sent[codes[rows[i] as number] as number] === 0) return i;
  }
  return to;
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false;
  return true;
}
