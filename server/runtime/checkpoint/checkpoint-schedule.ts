/**
 * When checkpoints come by themselves: every interval, savepoints likewise, and the last one again where it has failed.
 *
 * Time is counted by `Clock.nanos`, in whole milliseconds (`steady`): whoever sets the machine's clock moves nothing. `onTheWall` says when
 * that is by the clock that others go by.
 */

import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { type CheckpointSettings, periodOf } from './checkpoint-settings.ts';

export type Due = 'periodic' | 'savepoint' | 'final';

export const NEVER = Number.POSITIVE_INFINITY;
/** A last checkpoint that failed is tried again so much later, ms: everything waits for it. */
const RETRY_FINAL_MS = 1000;

export class CheckpointSchedule {
  readonly #settings: CheckpointSettings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #at: Record<Due, number> = { periodic: NEVER, savepoint: NEVER, final: NEVER };

  constructor(settings: CheckpointSettings, clock: Clock, random: Random) {
    this.#settings = settings;
    this.#clock = clock;
    this.#random = random;
  }

  steady(): number {
    return Math.round(this.#clock.nanos() / 1e6);
  }

  onTheWall(steady: number): number {
    return this.#clock.now() + steady - this.steady();
  }

  /** Steady time of the next checkpoint; Infinity: none is planned. */
  get nextCheckpoint(): number {
    return Math.min(this.#at.periodic, this.#at.final);
  }

  get next(): number {
    return Math.min(this.nextCheckpoint, this.#at.savepoint);
  }

  /** The first one comes by chance between pause and interval, so that many jobs do not all take theirs at once (as Flink does). */
  begin(): void {
    const { minPauseMs, savepoints } = this.#settings;
    const period = periodOf(this.#settings);
    if (period !== NEVER) this.#at.periodic = this.steady() + minPauseMs + this.#random.below(period - minPauseMs + 1);
    // Goes on across restarts: a job that restarts often gets its savepoints too.
    if (savepoints !== null && this.#at.savepoint === NEVER) this.#at.savepoint = this.steady() + savepoints.intervalMs;
  }

  /** No checkpoints by themselves until `begin`. */
  suspend(): void {
    this.#at.periodic = NEVER;
    this.#at.final = NEVER;
  }

  /** The periodic one comes so much later than now instead. */
  putOff(ms: number): void {
    this.#at.periodic = this.steady() + ms;
  }

  /** The last checkpoint failed. */
  retryFinal(): void {
    const { minPauseMs } = this.#settings;
    this.#at.final = this.steady() + Math.max(minPauseMs, Math.min(periodOf(this.#settings), RETRY_FINAL_MS));
  }

  /** Whether it is time, said once each time; intervals that were missed are left out. */
  take(due: Due): boolean {
    const now = this.steady();
    const at = this.#at[due];
    if (now < at) return false;
    const period = { periodic: periodOf(this.#settings), savepoint: this.#settings.savepoints?.intervalMs ?? NEVER };
    this.#at[due] = due === 'final' ? NEVER : at + (Math.floor((now - at) / period[due]) + 1) * period[due];
    return true;
  }
}
