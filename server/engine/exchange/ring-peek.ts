/**
 * Reads slots of a ring ahead of their turn, without taking them: what a barrier has overtaken is copied into its checkpoint. Strings that the
 * slots bring along, and what they make forget, hold for this look only.
 */

import type { BytesColumn } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { encodeRows, type RowsAt } from './in-flight.ts';
import { Flag, Header, HeaderTime, type Ring, SLOTS, type Slot } from './ring-layout.ts';
import { Encoding } from './ring-writer.ts';

/** What one slot holds. */
export interface Overtaken {
  readonly watermarkBefore: number;
  /** Null: none. */
  readonly rows: Uint8Array | null;
  readonly ingestedAt: number;
  readonly watermarkAfter: number;
}

/** `known`: a string that the consumer has by the producer's code; `large`, `fragments`: values it has of which rows are still to come. */
export function* peek(
  ring: Ring,
  schema: Schema,
  from: number,
  until: number,
  known: (column: number, code: number) => string,
  large: readonly Uint8Array[],
  fragments: readonly Uint8Array[],
): Iterable<Overtaken> {
  const strings = new Map<number, Map<number, string>>();
  const forgotten = new Set<number>();
  const values = [...large];
  let parts = [...fragments];
  for (let at = from; at !== until; at = (at + 1) | 0) {
    const slot = ring.slots[at & (SLOTS - 1)] as Slot;
    const { header, times } = slot;
    const flags = header[Header.FLAGS] as number;
    if ((flags & Flag.FRAGMENT) !== 0) {
      parts.push(slot.text.slice(0, header[Header.TEXT]));
      if ((flags & Flag.LAST_FRAGMENT) === 0) continue;
      values.push(Buffer.concat(parts));
      parts = [];
      continue;
    }
    readEntries(slot, () => values.shift() as Uint8Array, {
      text: (column, code, text) => {
        const texts = strings.get(column) ?? new Map<number, string>();
        strings.set(column, texts.set(code, text));
      },
      forget: (column) => {
        strings.delete(column);
        forgotten.add(column);
      },
    });
    const count = header[Header.COUNT] as number;
    const timeColumn = header[Header.TIME_COLUMN] as number;
    const rows: RowsAt = {
      columns: slot.batch.columns.map((data, column) => (column === timeColumn ? slot.batch.time : data)),
      time: slot.batch.time,
      watermarks: readWatermarks(slot, new Float64Array(count)),
      text: (column, code) => strings.get(column)?.get(code) ?? (forgotten.has(column) ? '' : known(column, code)),
      payload: (column, row) => {
        const { start, end } = slot.batch.columns[column] as BytesColumn;
        if ((start[row] as number) < 0) return null;
        return end[row] === -1 ? (values.shift() as Uint8Array) : slot.text.subarray(start[row], end[row]);
      },
    };
    yield {
      watermarkBefore: times[HeaderTime.WATERMARK_BEFORE] as number,
      rows: count > 0 ? encodeRows(schema, rows, null, 0, count) : null,
      ingestedAt: times[HeaderTime.ROWS_INGESTED] as number,
      watermarkAfter: times[HeaderTime.WATERMARK_AFTER] as number,
    };
  }
}

/** Strings that a slot brings along, as the writer wrote them. `large`: takes the next value that came in fragments. */
export function readEntries(
  { header, text }: Slot,
  large: () => Uint8Array,
  visit: { text(column: number, code: number, text: string): void; forget(column: number): void },
): void {
  let at = 0;
  for (let e = header[Header.ENTRIES] as number; e > 0; e--) {
    const words = new Int32Array(text.buffer, text.byteOffset + at, 3);
    const column = (words[0] as number) >> 8;
    const encoding = (words[0] as number) & 0xff;
    const code = words[1] as number;
    const length = words[2] as number;
    at += 12;
    if (encoding === Encoding.FORGET) {
      visit.forget(column);
      continue;
    }
    const latin1 = encoding === Encoding.LATIN1 || encoding === Encoding.FRAGMENTS;
    const inline = encoding === Encoding.LATIN1 || encoding === Encoding.UTF16;
    const raw = inline ? text.subarray(at, at + length) : large();
    if (inline) at += (length + 3) & ~3;
    visit.text(
      column,
      code,
      Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString(latin1 ? 'latin1' : 'utf16le'),
    );
  }
}

/** The watermark of each row of a slot, written to `into`; null: it does not move among them. */
export function readWatermarks({ header, runWatermarks, runEnds }: Slot, into: Float64Array): Float64Array | null {
  const runs = header[Header.RUNS] as number;
  if (runs === 0) return null;
  for (let r = 0, row = 0; r < runs; r++) {
    const watermark = runWatermarks[r] as number;
    const end = runEnds[r] as number;
    for (; row < end; row++) into[row] = watermark;
  }
  return into;
}
