/** Rows that are news rather than results (refused lines, late events) on a terminal: one short coloured line each, between the table's rows. */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import { cellOf, isoTime } from './layout.ts';
import type { RowPrinter } from './line-printer.ts';
import { printable, shortened } from './printable.ts';

const VALUE_WIDTH = 100;
const YELLOW = '\x1b[33m';
const RESET = '\x1b[0m';

export class NotePrinter implements RowPrinter {
  readonly #columns: readonly { readonly name: string; readonly timestamp: boolean }[];
  readonly #label: string;
  readonly #colour: boolean;

  constructor(schema: Schema, label: string, colour: boolean) {
    this.#columns = schema.columns.map(({ name, kind }) => ({ name, timestamp: kind === 'timestamp' }));
    this.#label = label;
    this.#colour = colour;
  }

  print(batch: RecordBatch, row: number): string {
    const values = this.#columns.flatMap(({ name, timestamp }, column) => {
      const value = cellOf(batch, column, row);
      if (value === null) return [];
      if (timestamp) return [`${name} ${isoTime(Number(value))}`];
      return [`${name} ${shortened(printable(String(value)), VALUE_WIDTH)}`];
    });
    const line = `${this.#label}: ${values.join(', ')}`;
    return this.#colour ? `${YELLOW}${line}${RESET}\n` : `${line}\n`;
  }
}
