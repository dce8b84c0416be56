/**
 * Counts failed checkpoints against what the job tolerates (`flink-reference` §4.2.6).
 *
 *   checkpoint, any side               counts if its reason does
 *   savepoint, coordinator's side      never counts
 *   savepoint, a task's side           counts like a checkpoint's
 *   stop and drain, a task's side      fails the job at once: tasks wait for a savepoint that will not come
 */

import { WeirError } from '#base/errors.ts';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import { CHECKPOINT_FAILURES, type CheckpointError } from './checkpoint-failure.ts';

export class CheckpointFailureManager {
  readonly #tolerable: number;
  #streak = 0;
  #lastSucceeded = 0;

  constructor(tolerableFailures: number) {
    this.#tolerable = tolerableFailures;
  }

  /** Counted failures since the last success. */
  get streak(): number {
    return this.#streak;
  }

  /** A checkpoint failed; each one is reported once. Gives the error with which the job fails, or null: it goes on. */
  failed(id: number, kind: CheckpointKind, error: CheckpointError, byTask: boolean): WeirError | null {
    if (kind === 'stop' || kind === 'drain') return byTask ? error : null;
    if (kind === 'savepoint' && !byTask) return null;
    if (!CHECKPOINT_FAILURES[error.reason].counts || id < this.#lastSucceeded) return null;
    this.#streak++;
    if (this.#streak <= this.#tolerable) return null;
    this.#streak = 0;
    const tolerated = `tolerableFailures is ${this.#tolerable}`;
    return new WeirError(
      'CHECKPOINT_FAILURES',
      `Exceeded checkpoint tolerable failure threshold. The last one (${tolerated}): ${error.message}`,
      { cause: error },
    );
  }

  succeeded(id: number): void {
    if (id < this.#lastSucceeded) return;
    this.#lastSucceeded = id;
    this.#streak = 0;
  }
}
