/** Where an operator's rows go: to the operators chained behind it and to the exchanges behind the task. */

import type { RecordBatch } from '../batch/record-batch.ts';
import { OperatorCell } from '../metrics/cells.ts';

/** Whoever takes elements of a stream. Only `ready` consumers may be given something. */
export interface Consumer {
  ready(): boolean;
  batch(batch: RecordBatch): void;
  watermark(watermark: number): void;
  idle(idle: boolean): void;
  /** No element follows. */
  end(): void;
}

export class Output {
  readonly #consumers: readonly Consumer[];
  readonly #cells: Float64Array;
  /** Of a main output: the side outputs, which get its watermarks, statuses and end too. */
  readonly #sides: readonly Output[];

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

  ready(): boolean {
    for (const consumer of this.#consumers) if (!consumer.ready()) return false;
    for (const side of this.#sides) if (!side.ready()) return false;
    return true;
  }

  emit(batch: RecordBatch): void {
    const count = batch.count;
    if (count === 0) return;
    this.#cells[OperatorCell.RECORDS_OUT] = (this.#cells[OperatorCell.RECORDS_OUT] as number) + count;
    for (const consumer of this.#consumers) consumer.batch(batch);
  }

  watermark(watermark: number): void {
    this.#cells[OperatorCell.OUTPUT_WATERMARK] = watermark;
    for (const consumer of this.#consumers) consumer.watermark(watermark);
    for (const side of this.#sides) side.watermark(watermark);
  }

  idle(idle: boolean): void {
    for (const consumer of this.#consumers) consumer.idle(idle);
    for (const side of this.#sides) side.idle(idle);
  }

  end(): void {
    for (const consumer of this.#consumers) consumer.end();
    for (const side of this.#sides) side.end();
  }
}
