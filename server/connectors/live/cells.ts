/** Reading single cells of a batch by column, for sinks that copy few rows. */

import { BytesColumn, type RecordBatch } from '#engine/batch/record-batch.ts';

/** String in a row, null where the cell is. */
export function textAt(batch: RecordBatch, column: number, row: number): string | null {
  const codes = batch.columns[column];
  const dictionary = batch.dictionaries[column];
  if (!(codes instanceof Int32Array) || !dictionary)
    throw new TypeError(`Column ${column} of ${batch.schema} is no string.`);
  return dictionary.get(codes[row] ?? -1);
}

/** Number in a row; NaN where the cell is null. */
export function numberAt(batch: RecordBatch, column: number, row: number): number {
  const data = batch.columns[column];
  if (data === undefined || data instanceof BytesColumn)
    throw new TypeError(`Column ${column} of ${batch.schema} is no number.`);
  return data[row] ?? Number.NaN;
}

/** Bytes in a row, valid as long as the batch; null where the cell is. */
export function bytesAt(batch: RecordBatch, column: number, row: number): Uint8Array | null {
  const data = batch.columns[column];
  if (!(data instanceof BytesColumn)) throw new TypeError(`Column ${column} of ${batch.schema} holds no bytes.`);
  return data.get(row);
}

/** Row number of the k-th row that counts. */
export function rowOf(batch: RecordBatch, k: number): number {
  return batch.selection === null ? k : (batch.selection[k] ?? k);
}
