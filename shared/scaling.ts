/** Changing how many subtasks tasks have while the job runs, as server and dashboard type it. Times in ms since the epoch, durations end in `Ms`. */

/** By operator id: how many subtasks it is to have, and with it all operators of its task. */
export type ParallelismWish = Readonly<Record<string, number>>;

export interface ParallelismChange {
  /** Name of the task. */
  readonly task: string;
  readonly from: number;
  readonly to: number;
}

/**
 * `checkpoint`: one is taken, the job still runs; `restarting`: it stands; `measuring`: it runs again, and its speed is looked at; `done`, or
 * `failed`: nothing was changed.
 */
export type RescalePhase = 'checkpoint' | 'restarting' | 'measuring' | 'done' | 'failed';

export interface Rescale {
  /** 1, 2, 3 … within a server. */
  readonly id: number;
  readonly startedAt: number;
  readonly phase: RescalePhase;
  readonly changes: readonly ParallelismChange[];
  /** What was foretold. */
  readonly estimate: RescaleEstimate;
  readonly checkpointMs: number | null;
  /** From the moment tasks were closed until they ran again. */
  readonly gapMs: number | null;
  /** Rows a second that sources gave, over `RATE_OVER_MS`, before it began and so long after it ran again. */
  readonly rateBefore: number;
  readonly rateAfter: number | null;
  readonly lagBeforeMs: number | null;
  readonly lagAfterMs: number | null;
  /** Why nothing was changed. */
  readonly error: string | null;
}

/** What one would cost, by what was seen so far. */
export interface RescaleEstimate {
  /** Of the last checkpoint; null: there was none. */
  readonly checkpointMs: number | null;
  readonly stateBytes: number | null;
  /** Middle of the last gaps; null: none was seen yet. */
  readonly gapMs: number | null;
  /** How many gaps that is the middle of. */
  readonly gaps: number;
}

export interface ScalableTask {
  readonly id: string;
  readonly name: string;
  /** Ids of its operators, its head first. */
  readonly operators: readonly string[];
  readonly parallelism: number;
  readonly maxParallelism: number;
}

export interface ScalingView {
  /** Changes whenever anything in here does. */
  readonly version: number;
  readonly tasks: readonly ScalableTask[];
  readonly taskManagers: number;
  readonly slots: number;
  /** Most subtasks that the slots of all task managers there may be have room for. */
  readonly mostSubtasks: number;
  readonly estimate: RescaleEstimate;
  /** Newest first. */
  readonly history: readonly Rescale[];
  /** Why it cannot be rescaled now; null: it can. */
  readonly blocked: string | null;
}

export const SCALING_LIMITS = { history: 50 } as const;
