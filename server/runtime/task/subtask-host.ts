import type { Clock } from '#base/clock.ts';
import type { EnumeratorLink } from '#engine/operators/source.ts';
import type { StateBackendFactory } from '#engine/state/keyed-state.ts';
import type { RestoredSnapshot } from '#engine/state/snapshot.ts';
import type { CheckpointLink } from './subtask-checkpoints.ts';

/** What a subtask needs from its thread. */
export interface SubtaskHost {
  readonly clock: Clock;
  /** Something may be to do: drive this thread again. */
  wake(): void;
  /** Plain data from an operator to the main thread. */
  report(operatorId: string, message: unknown): void;
  readonly enumerator: EnumeratorLink;
  /** Backend of jobs whose state exceeds memory, which needs files; null: this host has none. */
  readonly levelBackend: StateBackendFactory | null;
  /** Null: the job takes no checkpoints, and what sinks stage becomes visible by time. */
  readonly checkpoints: CheckpointLink | null;
  /** Snapshots of all subtasks that an operator had, by its id: the job goes on from them. Null: it begins. */
  readonly restored: ReadonlyMap<string, readonly RestoredSnapshot[]> | null;
}
