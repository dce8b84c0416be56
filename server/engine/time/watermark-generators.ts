/** What makes the watermarks of one split out of its rows: the contract of custom generators, and the bounded one under it. */

import type { Fields, Row } from '../batch/schema.ts';

/** What a row without timestamp gives a generator (Java's Long.MIN_VALUE): behind every instant. */
export const NO_TIMESTAMP = Number.NEGATIVE_INFINITY;

/** Takes the watermarks of one split. */
export interface WatermarkOutput {
  /** No row with a timestamp ≤ `watermark` is expected any more, ms; one that is not above the last is ignored. Makes the split active. */
  emitWatermark(watermark: number): void;
  /** The split holds the watermark back no more, until its next row or watermark. */
  markIdle(): void;
  markActive(): void;
}

/**
 * Flink's WatermarkGenerator: one per split, made by the strategy. Punctuated ones emit in `onEvent`, periodic ones in `onPeriodicEmit`; a
 * watermark emitted in `onEvent` is in force from the next row on.
 */
export interface WatermarkGenerator<F extends Fields = Fields> {
  /** For every row, behind it. `row` is valid only during the call; `timestamp` in ms, `NO_TIMESTAMP` where the row has none. */
  onEvent(row: Row<F>, timestamp: number, output: WatermarkOutput): void;
  /** Every interval of processing time, unless the split is idle by its timeout; after every row where watermarks are made `on-event`. */
  onPeriodicEmit(output: WatermarkOutput): void;
  /**
   * What it has learned of its split, as plain data; given to `restore` of a new one when the job goes on from a checkpoint. Without the two
   * a new one starts from nothing; the watermark of the split does not go back either way.
   */
  snapshot?(): unknown;
  /** Before anything else. */
  restore?(state: unknown): void;
}

/**
 * Max timestamp - bound - 1, because equal timestamps may still come. Strategies of this kind do not run it: their operator has loops of its
 * own that do the same per batch. It is there for generators that build on it, and to compare those loops with.
 */
export class BoundedOutOfOrderness implements WatermarkGenerator {
  readonly #bound: number;
  #maxTimestamp = NO_TIMESTAMP;

  constructor(boundMs: number) {
    this.#bound = boundMs;
  }

  onEvent(_row: unknown, timestamp: number): void {
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
  }

  onPeriodicEmit(output: WatermarkOutput): void {
    if (this.#maxTimestamp !== NO_TIMESTAMP) output.emitWatermark(this.#maxTimestamp - this.#bound - 1);
  }

  snapshot(): number {
    return this.#maxTimestamp;
  }

  restore(maxTimestamp: unknown): void {
    this.#maxTimestamp = maxTimestamp as number;
  }
}
