/**
 * What a connector implements to send results out (Flink's Sink V2): a writer that stages, and a committer that makes staged work visible.
 *
 *   check ── recover ── write(batch)* ── prepareCommit() ──> committables ── [the checkpoint that holds them completes] ── commit(committables)
 *
 * In a job without checkpoints the sink operator takes the same two steps every `rollInterval` and at the end of the input. With
 * checkpoints, `prepareCommit` comes with the snapshot, and the committables are part of it.
 * After a failure `commit` may be called again with committables that were committed before: it must be idempotent, and it must work in
 * another thread or process than the one that wrote, so committables are plain data.
 */

import type { Clock } from '#base/clock.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { Eventually } from '../state/keyed-state.ts';

/** `C`: committables; `W`: what a writer's snapshot is. Both plain data. */
export interface Sink<C = unknown, W = unknown> {
  createWriter(context: WriterContext<W>): SinkWriter<C, W>;
  /** Of that subtask. Null for sinks that show everything at once (console, live tap). */
  createCommitter(subtask: number): Committer<C> | null;
  /**
   * Main thread, before `recover`, while no writer lives: whether the job can go on from there with every row once. Changes no output. Absent: always.
   */
  check?(restored: SinkRecovery<C, W>): Eventually<Obstacles>;
  /**
   * Main thread, before an attempt of the job starts and while no writer lives: whatever earlier attempts have left that the restored
   * checkpoint does not know is taken back (staged work, and what was committed with a checkpoint that is lost). Gives a sentence for
   * people about everything taken back that had been visible, or may be doubled because this sink cannot take it back; null: the job begins
   * without a checkpoint, and must not find anything of an earlier attempt of its own.
   *
   * `savepoints`: what would have to be committed if the job went on from a savepoint that still exists, whichever; null: that cannot be known
   * now. A sink that can keep staged work for long leaves it alone, so that they stay what they are.
   */
  recover?(
    restored: SinkRecovery<C, W> | null,
    savepoints: () => Promise<readonly C[] | null>,
  ): Eventually<readonly string[]>;
  /**
   * As `recover`, where some writers have failed and go on from the last completed checkpoint while the others write and commit: nothing that may
   * be theirs is touched. Throws where something is lost that the failed ones have to commit. Absent beside `recover`: the whole job restarts.
   */
  recoverWriters?(
    restored: SinkRecovery<C, W> | null,
    failed: FailedWriters<C>,
    savepoints: () => Promise<readonly C[] | null>,
  ): Eventually<readonly string[]>;
}

/** Some writers of a sink. */
export interface FailedWriters<C = unknown> {
  readonly subtasks: ReadonlySet<number>;
  /** Those at the restored checkpoint that these commit again. */
  readonly committables: readonly C[];
}

/** What all writers of a sink gave at the restored checkpoint. */
export interface SinkRecovery<C = unknown, W = unknown> {
  /** In the order of subtasks. They are committed again when the sink operators are restored. */
  readonly committables: readonly C[];
  /** Of subtask 0, 1, 2 …: as many as the parallelism was. */
  readonly states: readonly W[];
}

/** What keeps a job from going on from a checkpoint, a sentence for people each; null: nothing. */
export interface Obstacles {
  /** Of what the checkpoint still has to commit something is lost: its rows come again only from an older one. */
  readonly damage: string | null;
  /** Later checkpoints have committed what cannot be taken back: it would come again. */
  readonly doubled: string | null;
}

export const NO_OBSTACLES: Obstacles = { damage: null, doubled: null };

export interface WriterContext<W = unknown> {
  readonly subtask: number;
  readonly parallelism: number;
  readonly clock: Clock;
  /** Schema of every batch that will come. */
  readonly schema: Schema;
  /** States of all writers at the restored checkpoint, in the order of subtasks, at whatever parallelism; empty: none was restored. */
  readonly restored: readonly W[];
  /** Sends plain data to whoever on the main thread listens to this sink (`JobMaster.onReport`). Bound what you send. */
  report(message: unknown): void;
  /** `ready` may have changed; callable from I/O callbacks. */
  wake(): void;
  /** Something failed outside of any call: the job fails. */
  fail(error: Error): void;
}

export interface SinkWriter<C = unknown, W = unknown> {
  /** False: takes no rows now (its buffer is full and on its way); `WriterContext.wake` says when to ask again. Absent: always ready. */
  ready?(): boolean;
  /** The rows that count (`RecordBatch.selection`). Copy what you keep. */
  write(batch: RecordBatch): void;
  /** Called when the subtask has nothing else to do, and at least every 100 ms: interactive sinks send what they hold back. */
  idle?(): void;
  /**
   * Answers a question asked from outside while the job runs (the live tap is read this way, so that it can never slow the job: what nobody
   * fetches in time is dropped here). Plain data in and out.
   */
  inspect?(query: unknown): unknown;
  /**
   * Closes what is staged and hands it over, safe against any failure of this process and its machine once the answer is there. Everything
   * written before the call belongs to it, nothing written behind it does, even where the answer takes a while.
   */
  prepareCommit(): Eventually<C[]>;
  /** What a writer that goes on from here must know, right behind `prepareCommit` was called. */
  snapshot?(): W;
  /** The job ends or fails; what was not handed over by `prepareCommit` is discarded, not published. */
  close(): void;
}

export interface Committer<C = unknown> {
  /**
   * Makes staged work visible. Idempotent. Throws (rejects) when it cannot; gives those that may succeed if tried again, which happens up to
   * `COMMIT_RETRIES` times (`flink-reference` §8.1), and an empty list where all is done.
   */
  commit(committables: readonly C[]): Eventually<readonly C[]>;
  close?(): void;
}

/** Flink's `sink.committer.retries`. */
export const COMMIT_RETRIES = 10;
