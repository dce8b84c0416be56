/** Savepoints of a server as it tells them to the dashboard (`/api/savepoints`). Plain data; times in ms since the epoch, sizes in bytes. */

import type { CheckpointKind } from './checkpoints.ts';

export interface SavepointRow {
  /** Of its directory; identifies it. */
  readonly name: string;
  readonly path: string;
  /** Why it cannot be read; null: it can, and what follows is known. */
  readonly problem: string | null;
  readonly job: string | null;
  /** Behind `stop` and `drain` the job ended. */
  readonly kind: CheckpointKind | null;
  /** Number of the checkpoint. */
  readonly id: number | null;
  readonly takenAt: number | null;
  readonly bytes: number | null;
  /** The most subtasks that a task had. */
  readonly parallelism: number | null;
}

export interface SavepointsView {
  readonly directory: string;
  /** The directory is left to the system once the server has ended. */
  readonly temporary: boolean;
  /** Newest first. */
  readonly savepoints: readonly SavepointRow[];
}

export interface SavepointTask {
  readonly name: string;
  readonly parallelism: number;
  /** What it would have now; null: the job has no such task. */
  readonly parallelismNow: number | null;
  readonly maxParallelism: number;
  /** Of its state. */
  readonly bytes: number;
  readonly operators: readonly {
    /** The uid by which it is found again. */
    readonly id: string;
    readonly name: string;
    readonly keyed: boolean;
    /** It holds more than a watermark. */
    readonly stateful: boolean;
  }[];
}

/** All of one, every byte looked at, and what would happen if the server's job went on from it. */
export interface SavepointDetails extends SavepointRow {
  readonly tasks: readonly SavepointTask[];
  /** Names of operators that would begin empty. */
  readonly fresh: readonly string[];
  /** Names of operators whose state would be left behind: it must be allowed. */
  readonly dropped: readonly string[];
  /** Why the job cannot go on from it; null: it can. */
  readonly obstacle: string | null;
}

export interface ResumeWish {
  /** It belongs to the job from then on, which removes it when it is needed no more. */
  readonly claim: boolean;
  readonly allowNonRestoredState: boolean;
}
