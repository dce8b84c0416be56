import type { CheckpointChange } from '#shared/checkpoints.ts';

/** What people want to hear of a job beyond its state. Plain data; times in ms since the epoch. */
export type JobNews =
  | { readonly type: 'checkpoint'; readonly change: CheckpointChange }
  /** `gapMs`: from the moment tasks were closed until they ran again. */
  | {
      readonly type: 'rescaled';
      readonly at: number;
      readonly vertices: readonly { readonly vertex: string; readonly from: number; readonly to: number }[];
      readonly gapMs: number;
    }
  /** State of an operator has grown beyond the size from which people want to know (`large`), or is back below. */
  | {
      readonly type: 'state-size';
      readonly at: number;
      readonly operator: string;
      readonly bytes: number;
      readonly limit: number;
      readonly large: boolean;
    }
  /** `restartInMs`: null where the job is not restarted. `scope`: what restarts, `1 of 4 regions`; null: the job. */
  | {
      readonly type: 'failure';
      readonly at: number;
      readonly message: string;
      readonly restartInMs: number | null;
      readonly scope: string | null;
    }
  /** Regions that had failed run again, and so do all `of` them; `gapMs`: since the first one failed. */
  | {
      readonly type: 'regions-restarted';
      readonly at: number;
      readonly regions: number;
      readonly of: number;
      readonly subtasks: number;
      readonly gapMs: number;
    }
  /**
   * The job goes on from a checkpoint; null: from the beginning. `skipped`: later ones that could not be used, and why. `notes`: what sinks have
   * taken back, or could not.
   */
  | {
      readonly type: 'restored';
      readonly at: number;
      readonly checkpoint: number | null;
      readonly path: string | null;
      readonly skipped: readonly { readonly id: number; readonly reason: string }[];
      readonly notes: readonly string[];
    };
