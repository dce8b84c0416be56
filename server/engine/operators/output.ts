/** Where an operator's rows go: to the operators chained behind it and to the exchanges behind the task. */

import { NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import { OperatorCell } from '../metrics/cells.ts';
import type { LatencyMarker } from '../metrics/latency.ts';

/** Whoever takes elements of a stream. Only `ready` consumers may be given something. */
export interface Consumer {
  ready(): boolean;
  batch(batch: RecordBatch): void;
  /** `ingestedAt`: of the event that let it pass (`Output.ingestedAt`); not given where there was none. */
  watermark(watermark: number, ingestedAt?: number): void;
  idle(idle: boolean): void;
  marker(marker: LatencyMarker): void;
  /** No element follows. */
  end(): void;
}

export class Output {
  readonly #consumers: readonly Consumer[];
  readonly #cells: Float64Array;
  /** Of a main output: the side outputs, which get its watermarks, statuses and end too. */
  readonly #sides: readonly Output[];
  #ingestedAt = NEVER_INGESTED;

  /** `cells` are those of the operator that emits; side outputs count into the same `RECORDS_OUT`. */
  constructor(consumers: readonly Consumer[], cells: Float64Array, sides: readonly Output[] = []) {
    this.#consumers = consumers;
    this.#cells = cells;
    this.#sides = sides;
  }

  /** Whether anybody reads it. */
  get connected(): boolean {
    return this.#consumers.length > 0;
  }

  /**
   * `Clock.nanos()` at which the source began to read what the operator is working on: that of the batch or watermark it was given last, the
   * instant a timer was due. Rows and watermarks that come out now were let out by it, and carry it on.
   */
  get ingestedAt(): number {
    return this.#ingestedAt;
  }

  set ingestedAt(ingestedAt: number) {
    this.#ingestedAt = ingestedAt;
    for (const side of this.#sides) side.ingestedAt = ingestedAt;
  }

  ready(): boolean {
    for (const consumer of this.#consumers) if (!consumer.ready()) return false;
    for (const side of this.#sides) if (!side.ready()) return false;
    return true;
  }

  emit(batch: RecordBatch): void {
    const count = batch.count;
    if (count === 0) return;
    this.#cells[OperatorCell.RECORDS_OUT] = (this.#cells[OperatorCell.RECORDS_OUT] as number) + count;
    batch.ingestedAt = this.#ingestedAt;
    for (const consumer of this.#consumers) consumer.batch(batch);
  }

  /** `ingestedAt`: given by an operator that remembers which event raised the watermark. */
  watermark(watermark: number, ingestedAt = this.#ingestedAt): void {
    this.#cells[OperatorCell.OUTPUT_WATERMARK] = watermark;
    for (const consumer of this.#consumers) consumer.watermark(watermark, ingestedAt);
    for (const side of this.#sides) side.watermark(watermark, ingestedAt);
  }

  idle(idle: boolean): void {
    this.#cells[OperatorCell.OUTPUT_IDLE] = idle ? 1 : 0;
    for (const consumer of this.#consumers) consumer.idle(idle);
    for (const side of this.#sides) side.idle(idle);
  }

  /** To every consumer, also of the side outputs. */
  marker(marker: LatencyMarker): void {
    for (const consumer of this.#consumers) consumer.marker(marker);
    for (const side of this.#sides) side.marker(marker);
  }

  end(): void {
    for (const consumer of this.#consumers) consumer.end();
    for (const side of this.#sides) side.end();
  }
}
