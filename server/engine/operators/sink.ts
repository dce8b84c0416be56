/**
 * The end of a stream: hands batches to a writer, and makes what it staged visible. In a job without checkpoints that happens every roll
 * interval and at the end of the input.
 *
 * A snapshot closes what is staged, and holds it until it is committed; restored, it is committed at once, whether it was before or not
 * (Flink's Sink V2, `flink-reference` §8.1). What was written after the snapshot is no part of it.
 */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { Committer, Sink, SinkWriter } from '../io/sink.ts';
import { shareOf } from '../state/operator-lists.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { ByteReader, ByteWriter } from '../state/value-codec.ts';
import { Operator, type OperatorContext } from './operator.ts';

const COMMITTABLES = 'committables';

export class SinkOperator extends Operator {
  readonly #sink: Sink;
  readonly #rollIntervalMs: number;
  #writer!: SinkWriter;
  #committer: Committer | null = null;
  /** Handed over by the writer for a snapshot, and not committed yet. */
  #prepared: unknown[] = [];

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

  override snapshot(): OperatorSnapshot {
    this.#prepare();
    const items = this.#prepared.map((committable) => {
      const to = new ByteWriter();
      to.value(committable);
      return to.take();
    });
    const operator = { [COMMITTABLES]: { redistribute: 'split', items } } as const;
    return { watermark: this.inputWatermark, keyed: new Map(), operator };
  }

  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    const items = shareOf(snapshots, this.context).get(COMMITTABLES)?.items ?? [];
    this.#prepared = items.map((bytes) => new ByteReader(bytes).value());
    this.#commitPrepared();
  }

  override inspect(query: unknown): unknown {
    return this.#writer.inspect?.(query) ?? null;
  }

  override close(): void {
    this.#writer.close();
  }

  #commit(): void {
    this.#prepare();
    this.#commitPrepared();
  }

  #prepare(): void {
    this.#prepared.push(...this.#writer.prepareCommit());
  }

  #commitPrepared(): void {
    if (this.#prepared.length > 0) this.#committer?.commit(this.#prepared);
    this.#prepared = [];
  }
}
