/** The late side output of a window operator; without a reader late rows are dropped and counted. */

import { type Gather, makeGather } from '../batch/cursor.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { Output } from '../operators/output.ts';

/** Tag and schema: the input's columns, then `watermark` and `late_by_ms`. */
export interface LateSettings {
  readonly tag: string;
  readonly schema: Schema;
}

export class LateRows {
  readonly #cells: Float64Array;
  readonly #output: Output | null = null;
  readonly #gather: Gather | null = null;
  readonly #rows: RecordBatch | null = null;
  readonly #row = new Int32Array(1);
  /** They stay as they are until there are new ones, because their consumer may still be reading them. */
  #emitted = false;

  /** `input`: schema of the rows that may be late. */
  constructor(late: LateSettings | null, input: Schema, context: OperatorContext) {
    this.#cells = context.cells;
    const output = late === null ? null : context.sideOutput(late.tag);
    if (late === null || output === null || !output.connected) return;
    this.#output = output;
    this.#gather = makeGather(input);
    this.#rows = RecordBatch.allocate(late.schema);
  }

  /** Row `k` came behind `watermark`. A batch has room for as many rows as the input's. */
  add(batch: RecordBatch, k: number, watermark: number): void {
    const rows = this.#rows;
    if (rows === null) {
      this.#cells[OperatorCell.LATE_DROPPED] = (this.#cells[OperatorCell.LATE_DROPPED] as number) + 1;
      return;
    }
    if (this.#emitted) {
      this.#emitted = false;
      rows.size = 0;
      for (const column of rows.columns) if ('reset' in column) column.reset();
    }
    const at = rows.size;
    this.#row[0] = k;
    this.#gather?.(batch, this.#row, 0, 1, rows, at);
    const width = batch.columns.length;
    (rows.columns[width] as Float64Array)[at] = watermark;
    (rows.columns[width + 1] as Float64Array)[at] = watermark - (batch.time[k] as number);
    rows.size = at + 1;
  }

  /** Emits what has come together; false: no credits. */
  flush(): boolean {
    const rows = this.#rows;
    if (rows === null || rows.size === 0 || this.#emitted) return true;
    const output = this.#output as Output;
    if (!output.ready()) return false;
    this.#emitted = true;
    output.emit(rows);
    return true;
  }
}
