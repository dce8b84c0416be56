/** Everything job master and task managers say to each other. Plain data; shared memory travels once, at deployment. */

import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type { Split } from '#engine/io/source.ts';
import type { SubtaskId } from './task/wiring.ts';

/** A job crosses threads as its name and parameters: every thread builds the same graph from them. */
export interface JobSpec {
  readonly name: string;
  readonly params: unknown;
}

export interface Deployment {
  readonly job: number;
  readonly spec: JobSpec;
  /** The subtasks this task manager runs. */
  readonly subtasks: readonly SubtaskId[];
  /** Task manager of every subtask, by vertex and index. */
  readonly placement: readonly (readonly number[])[];
  /** Memory of the channels between threads, by index in `channelsOf`; null: both ends are in one thread. */
  readonly rings: readonly (SharedArrayBuffer | null)[];
  /** Cells of every subtask, by vertex and index. */
  readonly cells: readonly (readonly SharedArrayBuffer[])[];
  /** Latency histograms of every subtask, likewise. */
  readonly latencies: readonly (readonly SharedArrayBuffer[])[];
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
  | { readonly type: 'deploy'; readonly deployment: Deployment }
  | { readonly type: 'subtask'; readonly job: number; readonly id: SubtaskId; readonly command: SubtaskCommand }
  | {
      readonly type: 'inspect';
      readonly job: number;
      readonly request: number;
      readonly operator: string;
      readonly query: unknown;
    }
  | { readonly type: 'dispose'; readonly job: number };

export type FromTaskManager =
  | { readonly type: 'ready' }
  | { readonly type: 'deployed'; readonly job: number }
  | { readonly type: 'finished'; readonly job: number; readonly id: SubtaskId }
  | { readonly type: 'failed'; readonly job: number; readonly where: string; readonly error: FailureReport }
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
  readonly index: number;
  /** Doorbells of all task managers: `[rings, sleeping]`. */
  readonly bells: readonly SharedArrayBuffer[];
  /** For state on disk; made when it is needed, removed when the process ends. */
  readonly stateDirectory: string;
}
