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
  for (let i = 0; i < count; i++) {
    const k = rows === null ? i : (rows[i] as number);
    const watermark = own[k] as number;
    into[k] = Math.min(high, Math.max(low, watermark));
  }
}
