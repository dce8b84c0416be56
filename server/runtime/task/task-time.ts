/**
 * Where a subtask's time goes (`flink-reference` §6.4): busy, backpressured, idle; together all of it. Work that a producer's step does for a
 * consumer in its thread is the consumer's; what lies between two steps belongs to how the last one went.
 */

import { TaskCell } from '#engine/metrics/cells.ts';
import { Step } from './step.ts';

export class TaskTime {
  readonly #cells: Float64Array;
  /** Up to here time is accounted for, ns. */
  #mark = 0;
  #last: Step = Step.IDLE;
  /** Time in the current step that consumers worked. */
  #nested = 0;
  /** Time since the last step that this subtask worked inside a producer's. */
  #served = 0;

  constructor(cells: Float64Array) {
    this.#cells = cells;
  }

  start(nanos: number): void {
    this.#mark = nanos;
  }

  /** `produces`: there are exchanges behind the task. */
  stepBegins(nanos: number, produces: boolean): void {
    const last = this.#last;
    // Between two steps with work a task waits for its thread: a producer for those behind it, the others still count as busy.
    const waits = last === Step.BACKPRESSURED || produces ? TaskCell.BACKPRESSURED : TaskCell.BUSY;
    this.#add(last === Step.IDLE ? TaskCell.IDLE : waits, nanos - this.#mark - this.#served);
    this.#served = 0;
    this.#mark = nanos;
  }

  stepEnds(nanos: number, outcome: Step): void {
    this.#add(TaskCell.BACKPRESSURED, this.#nested);
    this.#add(TaskCell.BUSY, nanos - this.#mark - this.#nested);
    this.#nested = 0;
    this.#mark = nanos;
    this.#last = outcome;
  }

  /** A consumer in this thread worked for this producer, inside its step. */
  servedBy(consumer: TaskTime, nanos: number): void {
    this.#nested += nanos;
    consumer.#add(TaskCell.BUSY, nanos);
    consumer.#served += nanos;
  }

  #add(cell: number, nanos: number): void {
    this.#cells[cell] = (this.#cells[cell] as number) + nanos;
  }
}
