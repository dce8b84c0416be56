/** Rows that came too late for all their windows: to the late side output, or dropped and counted if nobody reads that. */

import { type Gather, makeGather } from '../batch/cursor.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { Output } from '../operators/output.ts';

/** Tag and schema (input columns, then `watermark` and `late_by_ms`) of a late side output. */
export interface LateOutput {
  readonly tag: string;
  readonly schema: Schema;
}

export class LateRows {
  readonly #cells: Float64Array;
  readonly #output: Output | null = null;
  readonly #gather: Gather | null = null;
  readonly #rows: RecordBatch | null = null;
  readonly #one = new Int32Array(1);
  /** The rows were emitted; they stay as they are until there are new ones, because their consumer may still be reading them. */
  #emitted = false;

  constructor(context: OperatorContext, late: LateOutput | null) {
    this.#cells = context.cells;
    const output = late === null ? null : context.sideOutput(late.tag);
    if (late === null || output?.connected !== true) return;
    this.#output = output;
    this.#gather = makeGather(context.inputSchema as Schema);
    this.#rows = RecordBatch.allocate(late.schema);
  }

  /** Row `k` of a batch, and the watermark in force before it. */
  add(batch: RecordBatch, k: number, watermark: number): void {
    const rows = this.#rows;
    if (rows === null || this.#gather === null) {
      this.#cells[OperatorCell.LATE_DROPPED] = (this.#cells[OperatorCell.LATE_DROPPED] as number) + 1;
      return;
    }
    if (this.#emitted) {
      this.#emitted = false;
      rows.size = 0;
      for (const column of rows.columns) if ('reset' in column) column.reset();
    }
    const at = rows.size;
    this.#one[0] = k;
    this.#gather(batch, this.#one, 0, 1, rows, at);
    const width = batch.columns.length;
    (rows.columns[width] as Float64Array)[at] = watermark;
    (rows.columns[width + 1] as Float64Array)[at] = watermark - (batch.time[k] as number);
    rows.size = at + 1;
  }

  /** Emits what there is; false: no credits. Between batches, so that there is room for all late rows of one. */
  flush(): boolean {
    const rows = this.#rows;
    if (rows === null || this.#output === null || rows.size === 0 || this.#emitted) return true;
    if (!this.#output.ready()) return false;
    this.#emitted = true;
    this.#output.emit(rows);
    return true;
  }
}
