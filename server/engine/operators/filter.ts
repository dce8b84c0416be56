/** Keeps the rows for which a predicate holds: narrows the selection, copies nothing. */

import { type Cursor, makeCursor } from '../batch/cursor.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import { Operator, type OperatorContext } from './operator.ts';

export type Predicate<F extends Fields> = (row: Row<F>) => boolean;
type Driver = (
  rows: Int32Array | null,
  count: number,
  cursor: Cursor,
  predicate: Predicate<Fields>,
  kept: Int32Array,
) => number;

function makeDriver(): Driver {
  return new Function(`return function filter(rows, count, cursor, predicate, kept) {
    let n = 0;
    for (let i = 0; i < count; i++) {
      const k = rows === null ? i : rows[i];
      cursor.$k = k;
      if (predicate(cursor)) kept[n++] = k;
    }
    return n;
  }`)() as Driver;
}

export class FilterOperator extends Operator {
  readonly #predicate: Predicate<Fields>;
  readonly #drive = makeDriver();
  #cursor!: Cursor;
  #view!: RecordBatch;
  #kept = new Int32Array(0);

  constructor(predicate: Predicate<Fields>) {
    super();
    this.#predicate = predicate;
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const input = context.inputSchema as Schema;
    this.#cursor = makeCursor(input);
    this.#view = RecordBatch.view(input);
  }

  processBatch(batch: RecordBatch): void {
    if (this.#kept.length < batch.size) this.#kept = new Int32Array(batch.size);
    this.#cursor.$bind(batch);
    const kept = this.#drive(batch.selection, batch.count, this.#cursor, this.#predicate, this.#kept);
    if (kept === 0) return;
    const view = this.#view.show(batch);
    view.selected = kept;
    view.selection = kept === batch.size ? null : this.#kept;
    this.output.emit(view);
  }
}
