/**
 * An operator at its place in a chain: counts what comes in, keeps in mind when the source read it, and walks the operator through the end of
 * its input even if it has to stop for credits on the way. Latency markers pass it by.
 */

import { NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { LatencyMarker, LatencyRecorder } from '../metrics/latency.ts';
import type { Operator } from './operator.ts';
import type { Consumer, Output } from './output.ts';

export class ChainedOperator implements Consumer {
  readonly operator: Operator;
  readonly #output: Output;
  readonly #cells: Float64Array;
  readonly #latency: LatencyRecorder | null;
  /** The input has had a watermark since the start. */
  #announced = false;
  #phase: 'running' | 'ending' | 'flushing' | 'ended' = 'running';

  /** `output`: the main one, which is ready only if the side outputs are too. */
  constructor(operator: Operator, output: Output, cells: Float64Array, latency: LatencyRecorder | null = null) {
    this.operator = operator;
    this.#output = output;
    this.#cells = cells;
    this.#latency = latency;
    cells[OperatorCell.INPUT_WATERMARK] = Number.NEGATIVE_INFINITY;
    cells[OperatorCell.OUTPUT_WATERMARK] = Number.NEGATIVE_INFINITY;
    cells[OperatorCell.OUTPUT_IDLE] = 0;
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

  batch(batch: RecordBatch, input = 0): void {
    this.#cells[OperatorCell.RECORDS_IN] = (this.#cells[OperatorCell.RECORDS_IN] as number) + batch.count;
    this.#output.ingestedAt = batch.ingestedAt;
    this.#latency?.results(batch.ingestedAt, batch.count);
    this.operator.processBatch(batch, input);
  }

  /**
   * Behind a restore those of the input begin anew: the first one, however low, tells everybody downstream the restored one again, and none
   * below it takes the operator back.
   */
  watermark(watermark: number, ingestedAt = NEVER_INGESTED): void {
    const last = this.#cells[OperatorCell.INPUT_WATERMARK] as number;
    if (watermark < last && this.#announced) return;
    this.#announced = true;
    const risen = Math.max(watermark, last);
    this.#cells[OperatorCell.INPUT_WATERMARK] = risen;
    this.#output.ingestedAt = ingestedAt;
    this.operator.processWatermark(risen);
  }

  idle(idle: boolean): void {
    this.operator.processIdle(idle);
  }

  marker(marker: LatencyMarker): void {
    this.#latency?.marker(marker);
    this.#output.marker(marker);
  }

  /** Runs a timer that is due. `now` and `nanos` are the same instant by the two clocks. */
  onTimer(now: number, nanos: number): void {
    this.#output.ingestedAt = nanos - (now - this.operator.nextTimer) * 1e6;
    this.operator.onTimer(now);
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
