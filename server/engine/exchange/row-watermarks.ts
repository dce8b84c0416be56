/**
 * Watermarks that travel among the rows of a batch, where the batch meets those of other channels or inputs: row by row what the combination
 * says, as if each row had come alone.
 */

import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';

/** What combines watermarks: the valve of a gate, the pair of inputs. */
interface Combination {
  readonly watermark: number;
  onWatermark(watermark: number, from: number): void;
}

export class RowWatermarks {
  readonly #combination: Combination;
  readonly #watermarks = new Float64Array(BATCH_ROWS);
  /** Set while the watermark of a batch's last row goes through the combination: what comes out travels with the rows. */
  moving = false;

  constructor(combination: Combination) {
    this.#combination = combination;
  }

  /** Replaces the watermarks of a batch; whether they move in it, so that the combined one has to follow the rows. */
  combine(batch: RecordBatch, from: number): boolean {
    const own = batch.watermarks;
    if (own === null) return false;
    const count = batch.count;
    // The others stand still meanwhile, so the last row's watermark tells how far this batch can bring the combination.
    const before = this.#combination.watermark;
    this.moving = true;
    this.#combination.onWatermark(own[batch.row(count - 1)] as number, from);
    this.moving = false;
    const after = this.#combination.watermark;
    batch.watermarks = null;
    if (after <= before) return false;
    limitWatermarks(own, batch.selection, count, before, after, this.#watermarks);
    batch.watermarks = this.#watermarks;
    return true;
  }
}

/** What the combination says at each row: its own watermark, but not below what came out already nor beyond what the others allow. */
function limitWatermarks(
  own: Float64Array,
  rows: Int32Array | null,
  count: number,
  low: number,
  high: number,
  into: Float64Array,
): void {
  for (let i = 0; i < count; ) {
    const first = rows === null ? i : (rows[i] as number);
    const watermark = Math.min(high, Math.max(low, own[first] as number));
    i = endOfRun(own, rows, i, count);
    const last = rows === null ? i - 1 : (rows[i - 1] as number);
    // Rows in between that do not count get it too: a run without gaps is cheaper.
    for (let k = first; k <= last; k++) into[k] = watermark;
  }
}

/**
 * Watermarks of rows never go back, and stand still for many rows at a time: the first position behind `from` of one that differs from that
 * of row `rows[from]` (null: row `from`), or `to`. Looks further and further ahead, then halves what it has passed over.
 */
export function endOfRun(watermarks: Float64Array, rows: Int32Array | null, from: number, to: number): number {
  const at = (i: number): number => watermarks[rows === null ? i : (rows[i] as number)] as number;
  const watermark = at(from);
  let low = from + 1;
  let high = low;
  for (let step = 1; high < to && at(high) === watermark; step *= 2) {
    low = high + 1;
    high += step;
  }
  if (high > to) high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) === watermark) low = middle + 1;
    else high = middle;
  }
  return low;
}
