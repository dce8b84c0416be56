/** Copies rows into a slot: every column but payloads, generated per schema (a loop that has seen four element kinds is 34 times slower). */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';

/** Rows `rows[from .. to)` (null: those positions) of a batch go to rows `at …` of the slot. */
export type CopyRows = (
  batch: RecordBatch,
  rows: Int32Array | null,
  from: number,
  to: number,
  slot: RecordBatch,
  at: number,
) => void;

export function makeCopyRows(schema: Schema): CopyRows {
  const copied = schema.columns.flatMap((c, i) => (c.kind === 'bytes' ? [] : [i]));
  const all = ['t', ...copied.map(String)];
  const bind = all
    .map((n) =>
      n === 't'
        ? 'const at_ = batch.time, bt_ = slot.time;'
        : `const a${n} = batch.columns[${n}], b${n} = slot.columns[${n}];`,
    )
    .join(' ');
  const move = (k: string): string =>
    all.map((n) => (n === 't' ? `bt_[j] = at_[${k}];` : `b${n}[j] = a${n}[${k}];`)).join(' ');
  return new Function(`return function copyRows(batch, rows, from, to, slot, at) {
    ${bind}
    if (rows === null) for (let i = from, j = at; i < to; i++, j++) { ${move('i')} }
    else for (let i = from, j = at; i < to; i++, j++) { const k = rows[i]; ${move('k')} }
  }`)() as CopyRows;
}
