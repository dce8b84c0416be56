import type { CheckpointChange } from '#shared/checkpoints.ts';

/** What people want to hear of a job beyond its state. Plain data; times in ms since the epoch. */
export type JobNews =
  | { readonly type: 'checkpoint'; readonly change: CheckpointChange }
  /** `restartInMs`: null where the job is not restarted. */
  /** `gapMs`: from the moment tasks were closed until they ran again. */
  | {
      readonly type: 'rescaled';
      readonly at: number;
      readonly vertices: readonly { readonly vertex: string; readonly from: number; readonly to: number }[];
      readonly gapMs: number;
    }
  | { readonly type: 'failure'; readonly at: number; readonly message: string; readonly restartInMs: number | null }
  /**
   * The job goes on from a checkpoint; null: from the beginning. `skipped`: later ones that could not be used, and why. `notes`: what sinks have
   * taken back, or could not.
   */
  | {
      readonly type: 'restored';
      readonly checkpoint: number | null;
      readonly path: string | null;
      readonly skipped: readonly { readonly id: number; readonly reason: string }[];
      readonly notes: readonly string[];
    };
