/**
 * What divides a stream into what belongs to a checkpoint and what comes behind it (`flink-reference` §4.3). Sources put it between two rows,
 * and it travels with them; a task that has it from all its channels takes its snapshot.
 */

/**
 * `stop` and `drain` are savepoints behind which nothing follows: the task waits until the savepoint is complete, so that sinks commit, and
 * finishes. Before `drain` comes the last watermark, so that all windows fire; before `stop` it does not, and they stay in the state.
 */
export type CheckpointKind = 'checkpoint' | 'savepoint' | 'stop' | 'drain';

/** Plain data. */
export interface CheckpointBarrier {
  /** Number of the checkpoint; savepoints are counted along. From 1. */
  readonly checkpoint: number;
  /** Processing time at which it was triggered, ms. */
  readonly triggeredAt: number;
  readonly kind: CheckpointKind;
  /**
   * Of unaligned checkpoints: so long after the trigger it overtakes rows that wait, which become part of the checkpoint, ms. Absent: it stays
   * behind them, however long that takes.
   */
  readonly overtakesAfterMs?: number;
}

/** Processing time from which a barrier overtakes rows, ms; Infinity: never. */
export function overtakesAt({ triggeredAt, overtakesAfterMs = Number.POSITIVE_INFINITY }: CheckpointBarrier): number {
  return triggeredAt + overtakesAfterMs;
}
