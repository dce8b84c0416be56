/** What a format of output files implements: rows of any schema to bytes. */

import type { Dictionary } from '#engine/batch/dictionary.ts';
import type { BytesColumn, RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import type { OutputBuffer } from './output-buffer.ts';

export interface OutputFormat {
  /** Of file names, without the dot. */
  readonly extension: string;
  createEncoder(schema: Schema): RowEncoder;
}

export interface RowEncoder {
  /** What every file starts with. */
  readonly header: Uint8Array;
  /** The rows to come are of this batch. */
  bind(batch: RecordBatch): void;
  /** One row with its line break. */
  encode(out: OutputBuffer, row: number): void;
}

/**
 * Columns of a batch sorted by what they store, so that code that reads one sees a single type of array. Only the array of a column's own
 * kind has an entry at its position.
 */
export class BoundColumns {
  readonly floats: Float64Array[] = [];
  readonly ints: Int32Array[] = [];
  readonly flags: Uint8Array[] = [];
  readonly bytes: BytesColumn[] = [];
  readonly dictionaries: Dictionary[] = [];

  bind(batch: RecordBatch): void {
    for (const [i, column] of batch.columns.entries()) {
      if (column instanceof Float64Array) this.floats[i] = column;
      else if (column instanceof Int32Array) this.ints[i] = column;
      else if (column instanceof Uint8Array) this.flags[i] = column;
      else this.bytes[i] = column;
      const dictionary = batch.dictionaries[i];
      if (dictionary !== null && dictionary !== undefined) this.dictionaries[i] = dictionary;
    }
  }
}
