/** Everything job master and task managers say to each other. Plain data; shared memory travels once, at deployment. */

import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type { CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import type { ParallelismChanges } from '#engine/graph/rescale.ts';
import type { Split } from '#engine/io/source.ts';
import type { SubtaskFigures } from '#shared/checkpoints.ts';
import type { CheckpointFailureReason } from './checkpoint/checkpoint-failure.ts';
import type { OperatorStateHandles, SubtaskStateHandle } from './checkpoint/state-handle.ts';
import type { SubtaskId } from './task/channels.ts';
import type { SubtaskRows } from './task/subtask-rows.ts';

/** A job crosses threads as its name and parameters: every thread builds the same graph from them. */
export interface JobSpec {
  readonly name: string;
  readonly params: unknown;
  /** Numbers of subtasks that differ from those the job gives itself. */
  readonly parallelism?: ParallelismChanges;
}

/** How the subtasks of a job take part in its checkpoints. */
export interface CheckpointDeployment {
  readonly mode: CheckpointMode;
  /** Directory that their state goes to (`CheckpointStore.root`). */
  readonly root: string;
  /** They write what has changed since an earlier checkpoint. */
  readonly incremental: boolean;
}

export interface Deployment {
  /** Number of this attempt of a region of the job (`TaskManagers.register`); by it both sides speak of it. */
  readonly job: number;
  readonly spec: JobSpec;
  /** The subtasks this task manager runs. */
  readonly subtasks: readonly SubtaskId[];
  /** Task manager of every subtask, by vertex and index. */
  readonly placement: readonly (readonly number[])[];
  /** Doorbells of all task managers (`doorbell.ts`). */
  readonly bells: readonly SharedArrayBuffer[];
  /** Memory of the channels between threads, by index in `channelsOf`; null: both ends are in one thread. */
  readonly rings: readonly (SharedArrayBuffer | null)[];
  /** Cells of every subtask, by vertex and index. */
  readonly cells: readonly (readonly SharedArrayBuffer[])[];
  /** Latency histograms of every subtask, likewise. */
  readonly latencies: readonly (readonly SharedArrayBuffer[])[];
  /** Null: the job takes none. */
  readonly checkpoints: CheckpointDeployment | null;
  /** What the job goes on from, by operator id; null: it begins. */
  readonly restore: ReadonlyMap<string, OperatorStateHandles> | null;
}

/** What happens to one subtask, between two elements. */
export type SubtaskCommand =
  | { readonly type: 'add-split'; readonly split: Split }
  | { readonly type: 'no-more-splits' }
  | { readonly type: 'source-event'; readonly event: unknown }
  | { readonly type: 'allow'; readonly group: string; readonly watermark: number }
  /** Of sources: ends the input where it is; what was read is processed to its end. */
  | { readonly type: 'stop' }
  /** Of sources: the barrier goes out. */
  | { readonly type: 'checkpoint'; readonly barrier: CheckpointBarrier }
  | { readonly type: 'checkpoint-complete'; readonly checkpoint: number }
  | { readonly type: 'checkpoint-aborted'; readonly checkpoint: number }
  /** The savepoint behind which nothing was to follow has failed. */
  | { readonly type: 'go-on' }
  /** Nothing is left to do but what operators wait for (commits under way). */
  | { readonly type: 'finish' };

export type ToTaskManager =
  /** The first message to a thread: which task manager it is from now on. */
  | { readonly type: 'take-place'; readonly index: number; readonly bell: SharedArrayBuffer }
  | { readonly type: 'deploy'; readonly deployment: Deployment }
  | { readonly type: 'subtask'; readonly job: number; readonly id: SubtaskId; readonly command: SubtaskCommand }
  | {
      readonly type: 'inspect';
      readonly job: number;
      readonly request: number;
      readonly operator: string;
      readonly query: unknown;
    }
  | { readonly type: 'dispose'; readonly job: number }
  /** For the thread's `Disturber`. */
  | { readonly type: 'disturb'; readonly order: unknown };

export type FromTaskManager =
  | { readonly type: 'ready' }
  | { readonly type: 'deployed'; readonly job: number }
  /** All its input has gone through the chain; with checkpoints the last one is still to come. */
  | { readonly type: 'ended'; readonly job: number; readonly id: SubtaskId }
  | {
      readonly type: 'acknowledged';
      readonly job: number;
      readonly id: SubtaskId;
      readonly checkpoint: number;
      readonly state: SubtaskStateHandle;
      readonly figures: SubtaskFigures;
      readonly rows: SubtaskRows;
      readonly ended: boolean;
    }
  | {
      readonly type: 'declined';
      readonly job: number;
      readonly id: SubtaskId;
      readonly checkpoint: number;
      readonly reason: CheckpointFailureReason;
      readonly message: string;
    }
  | { readonly type: 'finished'; readonly job: number; readonly id: SubtaskId }
  /** `id`: null where no subtask is to blame alone. */
  | {
      readonly type: 'failed';
      readonly job: number;
      readonly id: SubtaskId | null;
      readonly where: string;
      readonly error: FailureReport;
    }
  | { readonly type: 'split-request'; readonly job: number; readonly id: SubtaskId }
  | { readonly type: 'reader-event'; readonly job: number; readonly id: SubtaskId; readonly event: unknown }
  | {
      readonly type: 'report';
      readonly job: number;
      readonly id: SubtaskId;
      readonly operator: string;
      readonly message: unknown;
    }
  | { readonly type: 'inspected'; readonly job: number; readonly request: number; readonly answers: readonly unknown[] }
  | { readonly type: 'disposed'; readonly job: number };

/** An error as it crosses threads. */
export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

/** What a worker thread is started with. */
export interface TaskManagerInit {
  /** For state on disk; made when it is needed, removed when the process ends. */
  readonly stateDirectory: string;
}
