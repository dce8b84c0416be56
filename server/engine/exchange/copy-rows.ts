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

/** Rows that one turn of the loop copies: bounds checks then overlap with loads. 4 takes 0.58 of the time of 1, 8 little less. */
const UNROLLED = 4;
/** From so many rows in a run on, a block move beats the loop. */
const BLOCK_ROWS = 64;

/** `without`: a column that is not copied. */
export function makeCopyRows(schema: Schema, without = -1): CopyRows {
  const columns = ['t', ...schema.columns.flatMap((c, i) => (c.kind === 'bytes' || i === without ? [] : [String(i)]))];
  const bind = columns
    .map((n) =>
      n === 't'
        ? 'const at_ = batch.time, bt_ = slot.time;'
        : `const a${n} = batch.columns[${n}], b${n} = slot.columns[${n}];`,
    )
    .join(' ');
  const pairs = columns.map((n) => (n === 't' ? ['at_', 'bt_'] : [`a${n}`, `b${n}`]));
  const move = (k: string, j: string): string => pairs.map(([a, b]) => `${b}[${j}] = ${a}[${k}];`).join(' ');
  const turns = Array.from({ length: UNROLLED }, (_, u) => u);
  return new Function(`return function copyRows(batch, rows, from, to, slot, at) {
    ${bind}
    if (rows === null) {
      if (to - from >= ${BLOCK_ROWS}) { ${pairs.map(([a, b]) => `${b}.set(${a}.subarray(from, to), at);`).join(' ')} return; }
      for (let i = from, j = at; i < to; i++, j++) { ${move('i', 'j')} }
      return;
    }
    let i = from, j = at;
    for (; i + ${UNROLLED} <= to; i += ${UNROLLED}, j += ${UNROLLED}) {
      const ${turns.map((u) => `k${u} = rows[i + ${u}]`).join(', ')};
      ${turns.map((u) => move(`k${u}`, `j + ${u}`)).join('\n')}
    }
    for (; i < to; i++, j++) { const k = rows[i]; ${move('k', 'j')} }
  }`)() as CopyRows;
}
