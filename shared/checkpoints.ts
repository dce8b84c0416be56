/**
 * What is known about the checkpoints of a job, as server and dashboard type it (`flink-reference` §4.4). Plain data.
 *
 * Times are milliseconds since the epoch, durations milliseconds (they end in `Ms`, and are measured by a clock that nobody sets), sizes bytes.
 */

/** `savepoint` is one that somebody asked for; behind `stop` and `drain` (all windows fire first) the job ends. */
export type CheckpointKind = 'checkpoint' | 'savepoint' | 'stop' | 'drain';

export type CheckpointStatus = 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';

/** What a checkpoint wrote, or a part of it. */
export interface CheckpointSizes {
  /** Written for this checkpoint. */
  readonly bytes: number;
  /** All it refers to, with what earlier checkpoints wrote. */
  readonly fullBytes: number;
  /** Of rows that arrived between the first and the last barrier. */
  readonly processedBytes: number;
  /** Of rows that were under way and written with the checkpoint: 0 if it was aligned. */
  readonly persistedBytes: number;
}

/** What a subtask tells about its part of a checkpoint. */
export interface SubtaskFigures extends CheckpointSizes {
  /** From the trigger to the first barrier. */
  readonly startDelayMs: number;
  /** From the first barrier to the last one. */
  readonly alignmentMs: number;
  /** For which the task stood still. */
  readonly syncMs: number;
  /** In which its state was written meanwhile. */
  readonly asyncMs: number;
  readonly unaligned: boolean;
}

export interface SubtaskCheckpoint extends SubtaskFigures {
  readonly index: number;
  readonly ackAt: number;
  /** From the trigger to its acknowledgement. */
  readonly durationMs: number;
  /** It had read its input to the end. */
  readonly ended: boolean;
}

/** What tasks and whole checkpoints have in common: sums over the subtasks that have acknowledged. */
export interface CheckpointProgress extends CheckpointSizes {
  readonly acknowledged: number;
  readonly subtasks: number;
  readonly latestAckAt: number | null;
  /** From the trigger to the latest acknowledgement; of a failed checkpoint to its failure, of one in progress until now. */
  readonly durationMs: number;
}

export interface TaskCheckpoint extends CheckpointProgress {
  /** Index into the vertices of the job. */
  readonly vertex: number;
  /** Those that have acknowledged, by index. */
  readonly acknowledgements: readonly SubtaskCheckpoint[];
}

export interface CheckpointFailure {
  /** Name for programs: `CHECKPOINT_EXPIRED`, … */
  readonly reason: string;
  /** For people: what, and where. */
  readonly text: string;
  /** Which subtask made it fail; null: none did. */
  readonly subtask: { readonly vertex: number; readonly index: number } | null;
}

/** One line of the history. */
export interface CheckpointRow extends CheckpointProgress {
  readonly id: number;
  readonly kind: CheckpointKind;
  readonly status: CheckpointStatus;
  readonly triggeredAt: number;
  /** Completed or failed; null while in progress. */
  readonly endedAt: number | null;
  /** Some subtask did not align. */
  readonly unaligned: boolean;
  /** Where it lies, if it is complete. */
  readonly path: string | null;
  readonly failure: CheckpointFailure | null;
}

export interface CheckpointDetails extends CheckpointRow {
  readonly tasks: readonly TaskCheckpoint[];
}

/** Of the completed checkpoints; quantiles are over the last 1,000 of them. */
export interface Spread {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
}

export interface CheckpointSummary {
  readonly durationMs: Spread;
  readonly bytes: Spread;
  readonly fullBytes: Spread;
  readonly processedBytes: Spread;
  readonly persistedBytes: Spread;
}

export interface CheckpointCounts {
  /** All that were asked for and begun, or could not begin: in progress + completed + failed. */
  readonly triggered: number;
  readonly inProgress: number;
  readonly completed: number;
  readonly failed: number;
  /** How often the job went on from one. */
  readonly restored: number;
}

/** From which checkpoint the job went on. */
export interface RestoredCheckpoint {
  readonly id: number;
  readonly kind: CheckpointKind;
  readonly path: string | null;
  readonly restoredAt: number;
}

export interface CheckpointStatistics {
  readonly counts: CheckpointCounts;
  /** Null before the first one is complete. */
  readonly summary: CheckpointSummary | null;
  /** Those in progress and the last that ended, newest first. */
  readonly history: readonly CheckpointRow[];
  readonly latest: {
    readonly completed: CheckpointRow | null;
    readonly savepoint: CheckpointRow | null;
    readonly failed: CheckpointRow | null;
    readonly restored: RestoredCheckpoint | null;
  };
  /** Failures in a row that count against `tolerableFailures`. */
  readonly failureStreak: number;
  /** When the next one will be triggered by itself; null: none is planned. */
  readonly nextAt: number | null;
}

/** News of one checkpoint. */
export interface CheckpointChange {
  readonly type: 'triggered' | 'acknowledged' | 'completed' | 'failed' | 'restored' | 'cleanup-failed';
  /** 0: one that could not begin, and got no number. */
  readonly id: number;
  readonly kind: CheckpointKind;
  /** Failures in words, else where it lies, or empty. */
  readonly text: string;
}

/** When checkpoints are taken and how patient the job is with them (`flink-reference` §4.1). */
export interface CheckpointSettingsView {
  /** Null: only when somebody asks. */
  readonly intervalMs: number | null;
  readonly mode: 'exactly-once' | 'at-least-once';
  readonly timeoutMs: number;
  readonly minPauseMs: number;
  readonly maxConcurrent: number;
  /** Failures in a row that the job survives; null: any number. */
  readonly tolerableFailures: number | null;
  /** How many completed checkpoints are kept. */
  readonly retained: number;
  readonly unaligned: boolean;
  readonly alignedTimeoutMs: number;
  /** A checkpoint writes what has changed since one before. */
  readonly incremental: boolean;
  readonly directory: string;
}
