/**
 * Keeps account of all checkpoints of a job: counts, a bounded history, the latest of each sort, and a summary (`flink-reference` §4.4).
 * Restarts of the job do not end it.
 */

import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type {
  CheckpointCounts,
  CheckpointDetails,
  CheckpointFailure,
  CheckpointStatistics,
  RestoredCheckpoint,
  SubtaskFigures,
} from '#shared/checkpoints.ts';
import type { SubtaskId } from '../task/channels.ts';
import { CheckpointRecord, type Ending } from './checkpoint-record.ts';
import { SummaryOfCheckpoints } from './checkpoint-summary.ts';

export class CheckpointStatisticsTracker {
  readonly #bound: number;
  readonly #inProgress = new Map<number, CheckpointRecord>();
  /** Ended ones, oldest first. */
  readonly #history: CheckpointRecord[] = [];
  readonly #latest: {
    completed: CheckpointRecord | null;
    savepoint: CheckpointRecord | null;
    failed: CheckpointRecord | null;
  } = { completed: null, savepoint: null, failed: null };
  readonly #summary = new SummaryOfCheckpoints();
  #restored: RestoredCheckpoint | null = null;
  #counts = { triggered: 0, completed: 0, failed: 0, restored: 0 };

  /** `bound`: so many ended ones are shown. */
  constructor(bound: number) {
    this.#bound = bound;
  }

  get counts(): CheckpointCounts {
    return { ...this.#counts, inProgress: this.#inProgress.size };
  }

  /** `steady`: ms of the clock that nobody sets, here and below. */
  triggered(barrier: CheckpointBarrier, steady: number, subtasks: readonly SubtaskId[]): void {
    this.#counts.triggered++;
    this.#inProgress.set(barrier.checkpoint, new CheckpointRecord(barrier, steady, subtasks));
  }

  acknowledged(
    checkpoint: number,
    id: SubtaskId,
    figures: SubtaskFigures,
    ended: boolean,
    ackAt: number,
    steady: number,
  ): void {
    this.#inProgress.get(checkpoint)?.acknowledged(id, figures, ended, ackAt, steady);
  }

  completed(checkpoint: number, at: number, path: string | null, steady: number): void {
    const record = this.#end(checkpoint, { status: 'COMPLETED', at, path, failure: null }, steady);
    this.#counts.completed++;
    if (record.barrier.kind === 'checkpoint') this.#latest.completed = record;
    else this.#latest.savepoint = record;
    this.#summary.add(record.row(steady));
  }

  failed(checkpoint: number, at: number, failure: CheckpointFailure, steady: number): void {
    this.#latest.failed = this.#end(checkpoint, { status: 'FAILED', at, path: null, failure }, steady);
    this.#counts.failed++;
  }

  /** One could not even begin. */
  failedToBegin(): void {
    this.#counts.triggered++;
    this.#counts.failed++;
  }

  restored(from: RestoredCheckpoint): void {
    this.#counts.restored++;
    this.#restored = from;
  }

  view(steady: number): Omit<CheckpointStatistics, 'failureStreak' | 'nextAt'> {
    const { completed, savepoint, failed } = this.#latest;
    const row = (record: CheckpointRecord | null) => record?.row(steady) ?? null;
    return {
      counts: this.counts,
      summary: this.#summary.view(),
      history: [...this.#history, ...this.#inProgress.values()]
        .map((record) => record.row(steady))
        .sort((a, b) => b.id - a.id),
      latest: { completed: row(completed), savepoint: row(savepoint), failed: row(failed), restored: this.#restored },
    };
  }

  /** Of one in progress, in the history, or the latest of its sort; null: forgotten, or never there. */
  details(checkpoint: number, steady: number): CheckpointDetails | null {
    const known = [...this.#inProgress.values(), ...this.#history, ...Object.values(this.#latest)];
    return known.find((record) => record?.barrier.checkpoint === checkpoint)?.details(steady) ?? null;
  }

  #end(checkpoint: number, ending: Ending, steady: number): CheckpointRecord {
    const record = this.#inProgress.get(checkpoint) as CheckpointRecord;
    this.#inProgress.delete(checkpoint);
    record.ended(ending, steady);
    this.#history.push(record);
    if (this.#history.length > this.#bound) this.#history.shift();
    return record;
  }
}
