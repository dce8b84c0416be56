/** What the dashboard needs of a running job, and nothing of how it runs: `JobMaster` satisfies `JobHandle`. */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Faults } from '#lab/faults/faults.ts';
import type { Injections } from '#lab/injections.ts';
import type { Rescales } from '#lab/rescales.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import type {
  ErrorCount,
  ErrorRow,
  JobState,
  JobView,
  LateRow,
  SimulatorSettings,
  WindowResult,
} from '#shared/live.ts';
import type { ControlledJob } from '../http/jobs.ts';

export interface JobHandle {
  readonly graph: JobGraph;
  readonly state: JobState;
  /** Cause when FAILED. */
  readonly failure: Error | null;
  /** ms since the epoch. */
  readonly startedAt: number;
  /** Returns how to unsubscribe. */
  onState(listener: (state: JobState) => void): () => void;
  /** What people want to hear of it beyond its state. Returns how to unsubscribe. */
  onNews(listener: (news: JobNews) => void): () => void;
  /** To the enumerator of a source; throws when the event makes no sense to it. */
  control(operatorId: string, event: unknown): void;
  /** One answer per subtask. */
  inspect(operatorId: string, query: unknown): Promise<unknown[]>;
  /** Cells by vertex, then subtask. */
  readonly cells: readonly (readonly Float64Array[])[];
  /** Latency histograms, likewise. */
  readonly latencies: readonly (readonly Float64Array[])[];
}

/** Window results for who looks (`connectors/live` has the one that asks the taps). */
export interface WindowsSource {
  readonly devicesSeen: number;
  readonly chosen: readonly string[];
  pin(devices: readonly string[]): void;
  pull(): Promise<boolean>;
  /** With an id above `after`, oldest first, at most `limit`. */
  results(devices: readonly string[], after: number, limit: number): WindowResult[];
}

/** Errors and late events for who looks. */
export interface ErrorsSource {
  readonly counts: readonly ErrorCount[];
  readonly lastErrorId: number;
  readonly lastLateId: number;
  errorsAfter(id: number): ErrorRow[];
  lateAfter(id: number): LateRow[];
  pull(rows: boolean): Promise<void>;
}

/** The settings of a job as people see them; what the graph says is not repeated here. */
export type JobSettings = Pick<
  JobView,
  'timeMode' | 'window' | 'outOfOrdernessMs' | 'allowedLatenessMs' | 'taskManagers' | 'checkpointing'
>;

/** One job with everything that is shown of it. */
export interface LiveJob {
  readonly handle: JobHandle;
  /** For programs; null: it cannot be controlled. */
  readonly control: ControlledJob | null;
  readonly settings: JobSettings;
  readonly windows: WindowsSource;
  readonly errors: ErrorsSource;
  /** Id of the window operator, which tells its open windows. */
  readonly windowOperator: string;
  /** Columns of a result behind device, start and end. */
  readonly aggregates: readonly string[];
  /** Null: nothing can be done to its threads. */
  readonly faults: Faults | null;
  /** Null: it stays as it is. */
  readonly rescales: Rescales | null;
  /** Null when the source is not the simulator. */
  readonly simulator: {
    /** Settings in force. */
    settings(): SimulatorSettings;
    /** Throws a `UsageError` when they make no sense. */
    change(settings: Partial<SimulatorSettings>): void;
    readonly injections: Injections;
  } | null;
}
