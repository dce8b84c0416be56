/**
 * One plain line per row, for `grep` and `awk`:
 *
 *   device_id=device-7 window=[2023-11-14T22:13:20.000Z,2023-11-14T22:13:25.000Z) count=12 temperature=20.1/20.9/21.5 …
 *
 * min/avg/max; times are UTC; a value that is not one plain word stands in quotes; null is an empty value.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import { cellOf, isoTime, layoutOf, numberOf, type Part } from './layout.ts';
import { word } from './printable.ts';

/** Rows to text. */
export interface RowPrinter {
  /** The row with its line break, and what has to stand before it. */
  print(batch: RecordBatch, row: number): string;
}

export class LinePrinter implements RowPrinter {
  readonly #parts: readonly Part[];
  readonly #label: string;

  /** `label` begins each line, to tell the rows of several sinks apart. */
  constructor(schema: Schema, label: string | null) {
    this.#parts = layoutOf(schema);
    this.#label = label === null ? '' : `${label} `;
  }

  print(batch: RecordBatch, row: number): string {
    let line = this.#label;
    for (const [i, part] of this.#parts.entries()) line += `${i > 0 ? ' ' : ''}${linePart(part, batch, row)}`;
    return `${line}\n`;
  }
}

function linePart(part: Part, batch: RecordBatch, row: number): string {
  switch (part.kind) {
    case 'window': {
      const [start, end] = [numberOf(batch, part.start, row), numberOf(batch, part.end, row)];
      return `window=[${isoTime(start)},${isoTime(end)})`;
    }
    case 'range': {
      const range = `${numberOf(batch, part.min, row)}/${numberOf(batch, part.avg, row)}/${numberOf(batch, part.max, row)}`;
      return `${part.name}=${range}`;
    }
    case 'cell': {
      const value = cellOf(batch, part.column, row);
      if (value === null) return `${part.name}=`;
      if (part.timestamp) return `${part.name}=${isoTime(Number(value))}`;
      return `${part.name}=${typeof value === 'string' ? word(value) : value}`;
    }
  }
}
