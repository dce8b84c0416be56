import type { OperatorSnapshot } from '#engine/state/snapshot.ts';

/** Everything a job needs to go on: what a complete checkpoint holds. */
export interface JobSnapshot {
  /** By operator id, of each subtask in their order. */
  readonly operators: ReadonlyMap<string, readonly OperatorSnapshot[]>;
  /** Of the sources' enumerators (`Enumerator.snapshot`), by operator id. */
  readonly enumerators: ReadonlyMap<string, unknown>;
}
