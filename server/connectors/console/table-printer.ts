/**
 * Rows as a table on a terminal: columns of fixed width, the header again every 20 rows and whenever the date changes, times as HH:MM:SS
 * UTC. Numbers are rounded for the eye; files have them in full.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import { cellOf, isoTime, layoutOf, numberOf, type Part } from './layout.ts';
import type { RowPrinter } from './line-printer.ts';
import { printable, shortened } from './printable.ts';

const ROWS_PER_HEADER = 20;
const TEXT_WIDTH = 24;
const WINDOW_WIDTH = 17;
const RANGE_WIDTH = 26;
const NUMBER_WIDTH = 10;
const DAY = 86_400_000;

export class TablePrinter implements RowPrinter {
  readonly #parts: readonly Part[];
  readonly #widths: readonly number[];
  readonly #dateColumn: number;
  #left = 0;
  #date = '';

  constructor(schema: Schema) {
    this.#parts = layoutOf(schema);
    this.#widths = this.#parts.map((part) => widthOf(part, schema));
    this.#dateColumn = Math.max(schema.indexOf('window_start'), schema.indexOf('event_timestamp'));
  }

  print(batch: RecordBatch, row: number): string {
    const date = this.#dateColumn < 0 ? '' : isoTime(numberOf(batch, this.#dateColumn, row)).replace(/T.*/, '');
    const header = this.#left === 0 || date !== this.#date;
    if (header) {
      this.#left = ROWS_PER_HEADER;
      this.#date = date;
    }
    this.#left--;
    const cells = this.#parts.map((part, i) =>
      pad(tableCell(part, batch, row), this.#widths[i] as number, part, batch.schema),
    );
    return `${header ? this.#header(batch.schema) : ''}${cells.join('  ').trimEnd()}\n`;
  }

  #header(schema: Schema): string {
    const titles = this.#parts.map((part, i) => {
      const title =
        part.kind === 'window' ? `${this.#date} UTC` : part.kind === 'range' ? `${part.name} min/avg/max` : part.name;
      return pad(title, this.#widths[i] as number, part, schema);
    });
    return `${titles.join('  ').trimEnd()}\n`;
  }
}

const isText = (part: Part, schema: Schema): boolean =>
  part.kind === 'window' || (part.kind === 'cell' && !['f64', 'i32'].includes(schema.columns[part.column]?.kind ?? ''));

function widthOf(part: Part, schema: Schema): number {
  if (part.kind === 'window') return WINDOW_WIDTH;
  if (part.kind === 'range') return Math.max(RANGE_WIDTH, part.name.length + 12);
  return isText(part, schema) ? Math.max(TEXT_WIDTH, part.name.length) : Math.max(NUMBER_WIDTH, part.name.length);
}

/** Text to the left, numbers to the right. */
function pad(text: string, width: number, part: Part, schema: Schema): string {
  return isText(part, schema) ? text.padEnd(width) : text.padStart(width);
}

function tableCell(part: Part, batch: RecordBatch, row: number): string {
  switch (part.kind) {
    case 'window': {
      const [start, end] = [numberOf(batch, part.start, row), numberOf(batch, part.end, row)];
      // Windows of whole days show days: two times of midnight would say nothing.
      return start % DAY === 0 && (end - start) % DAY === 0 && end > start
        ? `${(end - start) / DAY} d from 00:00`
        : `${clockTime(start)}-${clockTime(end)}`;
    }
    case 'range':
      return [part.min, part.avg, part.max].map((column) => rounded(numberOf(batch, column, row))).join(' / ');
    case 'cell': {
      const value = cellOf(batch, part.column, row);
      if (value === null) return '';
      if (part.timestamp) return isoTime(Number(value));
      return typeof value === 'number' ? rounded(value) : shortened(printable(String(value)), TEXT_WIDTH);
    }
  }
}

function clockTime(ms: number): string {
  const iso = isoTime(ms);
  return /T(\d\d:\d\d:\d\d)/.exec(iso)?.[1] ?? iso;
}

const rounded = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));
