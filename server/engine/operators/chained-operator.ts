/**
 * An operator at its place in a chain: counts what comes in, and walks it through the end of its input even if it has to stop for credits
 * on the way.
 */

import type { RecordBatch } from '../batch/record-batch.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { Operator } from './operator.ts';
import type { Consumer, Output } from './output.ts';

export class ChainedOperator implements Consumer {
  readonly operator: Operator;
  readonly #output: Output;
  readonly #cells: Float64Array;
  #phase: 'running' | 'ending' | 'flushing' | 'ended' = 'running';

  /** `output`: the main one, which is ready only if the side outputs are too. */
  constructor(operator: Operator, output: Output, cells: Float64Array) {
    this.operator = operator;
    this.#output = output;
    this.#cells = cells;
    cells[OperatorCell.INPUT_WATERMARK] = Number.NEGATIVE_INFINITY;
    cells[OperatorCell.OUTPUT_WATERMARK] = Number.NEGATIVE_INFINITY;
  }

  get pending(): boolean {
    return this.operator.pending || this.#phase === 'ending' || this.#phase === 'flushing';
  }

  get ended(): boolean {
    return this.#phase === 'ended';
  }

  ready(): boolean {
    return !this.pending && this.outputsReady();
  }

  outputsReady(): boolean {
    return this.#output.ready();
  }

  batch(batch: RecordBatch): void {
    this.#cells[OperatorCell.RECORDS_IN] = (this.#cells[OperatorCell.RECORDS_IN] as number) + batch.count;
    this.operator.processBatch(batch);
  }

  watermark(watermark: number): void {
    this.#cells[OperatorCell.INPUT_WATERMARK] = watermark;
    this.operator.processWatermark(watermark);
  }

  idle(idle: boolean): void {
    this.operator.processIdle(idle);
  }

  end(): void {
    this.#phase = 'ending';
    this.resume();
  }

  /** Goes on with whatever stopped; to be called when `outputsReady`. */
  resume(): void {
    if (this.operator.pending) {
      this.operator.resume();
      if (this.operator.pending || !this.outputsReady()) return;
    }
    if (this.#phase === 'ending') {
      this.#phase = 'flushing';
      this.operator.endInput();
      if (this.operator.pending || !this.outputsReady()) return;
    }
    if (this.#phase === 'flushing') {
      this.#phase = 'ended';
      this.#output.end();
    }
  }
}
