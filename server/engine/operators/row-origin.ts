import { WeirError } from '#base/errors.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';

/** Characters that are kept: it is for people. */
const LONGEST = 256;

/** Position of the column that says who rows are from. `where`: name of the operator, for errors. */
export function originColumn(schema: Schema, name: string, where: string): number {
  const column = schema.require(name, `${where}, withOrigin`);
  const kind = schema.columns[column]?.kind;
  if (kind !== 'string' && kind !== 'i32')
    throw new WeirError(
      'ORIGIN_TYPE',
      `${where}: withOrigin("${name}") needs a string or i32 column, but it is ${kind}.`,
    );
  return column;
}

/** Who a row is from; null where the column is. */
export function originOf(batch: RecordBatch, column: number, row: number): string | null {
  const cell = (batch.columns[column] as Int32Array)[row] as number;
  const dictionary = batch.dictionaries[column];
  if (dictionary == null) return `${cell}`;
  return cell < 0 ? null : (dictionary.get(cell)?.slice(0, LONGEST) ?? null);
}

/** The last row with that timestamp, which is near the end of a batch as a rule. */
export function rowOfTime(batch: RecordBatch, time: number): number {
  for (let i = batch.count - 1; i > 0; i--) {
    const row = batch.row(i);
    if (batch.time[row] === time) return row;
  }
  return batch.row(0);
}
