/**
 * What a connector implements to send results out (Flink's Sink V2): a writer that stages, and a committer that makes staged work visible.
 *
 *   write(batch)* ── prepareCommit() ──> committables ── [the checkpoint that holds them completes] ── commit(committables)
 *
 * Until checkpoints exist in a job, the sink operator takes the same two steps every `rollInterval` and at the end of the input; a
 * snapshot takes the first one and holds the committables.
 * After a failure `commit` may be called again with committables that were committed before: it must be idempotent, and it must work in
 * another thread or process than the one that wrote, so committables are plain data.
 */

import type { Clock } from '#base/clock.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';

export interface Sink<C = unknown> {
  createWriter(context: WriterContext): SinkWriter<C>;
  /** Null for sinks that show everything at once (console, live tap). */
  createCommitter(): Committer<C> | null;
}

export interface WriterContext {
  readonly subtask: number;
  readonly parallelism: number;
  readonly clock: Clock;
  /** Schema of every batch that will come. */
  readonly schema: Schema;
  /** Sends plain data to whoever on the main thread listens to this sink (`JobMaster.onReport`). Bound what you send. */
  report(message: unknown): void;
}

export interface SinkWriter<C = unknown> {
  /** The rows that count (`RecordBatch.selection`). Copy what you keep. */
  write(batch: RecordBatch): void;
  /** Called when the subtask has nothing else to do, and at least every 100 ms: interactive sinks send what they hold back. */
  idle?(): void;
  /**
   * Answers a question asked from outside while the job runs (the live tap is read this way, so that it can never slow the job: what nobody
   * fetches in time is dropped here). Plain data in and out.
   */
  inspect?(query: unknown): unknown;
  /** Closes what is staged and hands it over. Everything written before belongs to it. */
  prepareCommit(): C[];
  /** The job ends or fails; what was not handed over by `prepareCommit` is discarded, not published. */
  close(): void;
}

export interface Committer<C = unknown> {
  /** Makes staged work visible. Idempotent; throws when it cannot. */
  commit(committables: readonly C[]): void;
}
