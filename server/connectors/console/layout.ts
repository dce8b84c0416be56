/**
 * How the columns of a result are shown. Nothing here knows a job: `x_min`, `x_max` and `x_avg` side by side become one column `x`,
 * `window_start` and `window_end` become the window, every other column is shown as it is.
 */

import type { BytesColumn, RecordBatch } from '#engine/batch/record-batch.ts';
import type { ColumnSpec, Schema } from '#engine/batch/schema.ts';

export type Cell = number | string | boolean | null;

/** What is shown as one thing: positions of columns in the schema. */
export type Part =
  | { readonly kind: 'window'; readonly start: number; readonly end: number }
  | { readonly kind: 'range'; readonly name: string; readonly min: number; readonly avg: number; readonly max: number }
  | { readonly kind: 'cell'; readonly name: string; readonly column: number; readonly timestamp: boolean };

export function layoutOf(schema: Schema): Part[] {
  const start = schema.indexOf('window_start');
  const end = schema.indexOf('window_end');
  const parts: Part[] = [];
  const shown = new Set<number>();
  for (const [column, { name, kind }] of schema.columns.entries()) {
    if (shown.has(column)) continue;
    if ((column === start || column === end) && start >= 0 && end >= 0) {
      parts.push({ kind: 'window', start, end });
      shown.add(start).add(end);
      continue;
    }
    const range = rangeOf(schema, name);
    if (range !== null) {
      parts.push(range);
      shown.add(range.min).add(range.avg).add(range.max);
      continue;
    }
    parts.push({ kind: 'cell', name, column, timestamp: kind === 'timestamp' });
  }
  return parts;
}

function rangeOf(schema: Schema, name: string): Extract<Part, { kind: 'range' }> | null {
  const base = /^(.+)_(?:min|max|avg)$/.exec(name)?.[1];
  if (base === undefined) return null;
  const [min, avg, max] = ['min', 'avg', 'max'].map((suffix) => schema.indexOf(`${base}_${suffix}`)) as [
    number,
    number,
    number,
  ];
  return min >= 0 && avg >= 0 && max >= 0 ? { kind: 'range', name: base, min, avg, max } : null;
}

/** Bytes of a `bytes` cell that are shown. */
const MAX_SHOWN = 512;

/** Value of a cell. Bytes are read as UTF-8, at most the first 512 of them. */
export function cellOf(batch: RecordBatch, column: number, row: number): Cell {
  const spec = batch.schema.columns[column] as ColumnSpec;
  const data = batch.columns[column];
  switch (spec.kind) {
    case 'f64':
    case 'timestamp': {
      const value = (data as Float64Array)[row] as number;
      return spec.nullable && Number.isNaN(value) ? null : value;
    }
    case 'i32':
      return (data as Int32Array)[row] as number;
    case 'bool':
      return (data as Uint8Array)[row] !== 0;
    case 'string':
      return batch.dictionaries[column]?.get((data as Int32Array)[row] as number) ?? null;
    case 'bytes': {
      const value = (data as BytesColumn).get(row);
      if (value === null) return null;
      const text = Buffer.from(value.subarray(0, MAX_SHOWN)).toString('utf8');
      return value.length > MAX_SHOWN ? `${text}…` : text;
    }
  }
}

export function numberOf(batch: RecordBatch, column: number, row: number): number {
  const value = cellOf(batch, column, row);
  return typeof value === 'number' ? value : Number.NaN;
}

/** Texts of the instants asked for last; emptied when full. Rows one after the other often have the same windows. */
const isoTexts = new Map<number, string>();
const MAX_ISO_TEXTS = 64;

/** Instants that a Date can name as ISO 8601, others as the number. */
export function isoTime(ms: number): string {
  const known = isoTexts.get(ms);
  if (known !== undefined) return known;
  const text = Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
  if (isoTexts.size >= MAX_ISO_TEXTS) isoTexts.clear();
  isoTexts.set(ms, text);
  return text;
}
