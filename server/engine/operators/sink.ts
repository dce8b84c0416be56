/**
 * The end of a stream: hands batches to a writer, and makes what it staged visible. In a job without checkpoints that happens every roll
 * interval and at the end of the input.
 */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { Committer, Sink, SinkWriter } from '../io/sink.ts';
import { Operator, type OperatorContext } from './operator.ts';

export class SinkOperator extends Operator {
  readonly #sink: Sink;
  readonly #rollIntervalMs: number;
  #writer!: SinkWriter;
  #committer: Committer | null = null;

  constructor(sink: Sink, rollIntervalMs: number) {
    super();
    this.#sink = sink;
    this.#rollIntervalMs = rollIntervalMs;
  }

  override open(context: OperatorContext): void {
    super.open(context);
    this.#writer = this.#sink.createWriter({
      subtask: context.subtask,
      parallelism: context.parallelism,
      clock: context.clock,
      schema: context.inputSchema as Schema,
      report: (message) => context.report(message),
    });
    this.#committer = this.#sink.createCommitter();
    if (this.#committer !== null) this.nextTimer = context.clock.now() + this.#rollIntervalMs;
  }

  processBatch(batch: RecordBatch): void {
    this.#writer.write(batch);
  }

  override onTimer(now: number): void {
    this.nextTimer = now + this.#rollIntervalMs;
    this.#commit();
  }

  override onQuiet(): void {
    this.#writer.idle?.();
  }

  override endInput(): void {
    this.#writer.idle?.();
    this.#commit();
  }

  override inspect(query: unknown): unknown {
    return this.#writer.inspect?.(query) ?? null;
  }

  override close(): void {
    this.#writer.close();
  }

  #commit(): void {
    const staged = this.#writer.prepareCommit();
    if (staged.length > 0) this.#committer?.commit(staged);
  }
}
