/**
 * Whether a job that failed is restarted, and after how long (`flink-reference` §5.1).
 *
 *   failure ─> notifyFailure(now) ─> canRestart(now) ─> backoffMs(now)
 *                                          └─ no: the job fails, "Recovery is suppressed by …"
 *
 * Times are processing time in ms; nothing here asks a clock.
 */

import { UsageError, WeirError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { RestartSettings } from './restart-settings.ts';
import { restartWords } from './restart-settings.ts';

export interface RestartStrategy {
  /** Something failed. */
  notifyFailure(now: number): void;
  canRestart(now: number): boolean;
  /** Time until the restart from `now` on, ms. Throws where nothing has failed yet. */
  backoffMs(now: number): number;
}

/** `random` is for jitter. */
export function restartStrategy(settings: RestartSettings, random: Random): RestartStrategy {
  switch (settings.type) {
    case 'none':
      return new NoRestart();
    case 'fixed-delay':
      return new FixedDelay(settings.attempts, settings.delayMs);
    case 'failure-rate':
      return new FailureRate(settings.maxFailures, settings.intervalMs, settings.delayMs);
    case 'exponential-delay':
      return new ExponentialDelay(settings, random);
  }
}

export type Recovery =
  | { readonly restart: true; readonly backoffMs: number }
  | { readonly restart: false; readonly error: Error };

/** What to do about an error: what can never work is not tried again. */
export function recoverFrom(error: Error, strategy: RestartStrategy, settings: RestartSettings, now: number): Recovery {
  if (error instanceof WeirError && error.code === UNRECOVERABLE) return { restart: false, error };
  strategy.notifyFailure(now);
  if (strategy.canRestart(now)) return { restart: true, backoffMs: strategy.backoffMs(now) };
  const suppressed = `Recovery is suppressed by ${restartWords(settings)}: ${error.message}`;
  return { restart: false, error: new WeirError('RECOVERY_SUPPRESSED', suppressed, { cause: error }) };
}

const UNRECOVERABLE = new UsageError('').code;

class NoRestart implements RestartStrategy {
  notifyFailure(): void {}

  canRestart(): boolean {
    return false;
  }

  backoffMs(): number {
    return 0;
  }
}

class FixedDelay implements RestartStrategy {
  readonly #attempts: number;
  readonly #delayMs: number;
  #failures = 0;

  constructor(attempts: number, delayMs: number) {
    this.#attempts = attempts;
    this.#delayMs = delayMs;
  }

  notifyFailure(): void {
    this.#failures++;
  }

  canRestart(): boolean {
    return this.#failures <= this.#attempts;
  }

  backoffMs(): number {
    return this.#delayMs;
  }
}

class FailureRate implements RestartStrategy {
  readonly #max: number;
  readonly #intervalMs: number;
  readonly #delayMs: number;
  /** Times of the last `max + 1` failures. */
  readonly #failures: number[] = [];

  constructor(max: number, intervalMs: number, delayMs: number) {
    this.#max = max;
    this.#intervalMs = intervalMs;
    this.#delayMs = delayMs;
  }

  notifyFailure(now: number): void {
    this.#failures.push(now);
    if (this.#failures.length > this.#max + 1) this.#failures.shift();
  }

  canRestart(now: number): boolean {
    return this.#failures.length <= this.#max || now - (this.#failures[0] as number) > this.#intervalMs;
  }

  backoffMs(): number {
    return this.#delayMs;
  }
}

type ExponentialSettings = Extract<RestartSettings, { type: 'exponential-delay' }>;

class ExponentialDelay implements RestartStrategy {
  readonly #settings: ExponentialSettings;
  readonly #random: Random;
  #attempt = 0;
  #nextRestart = Number.NEGATIVE_INFINITY;

  constructor(settings: ExponentialSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  notifyFailure(now: number): void {
    const { initialMs, maxMs, multiplier, resetMs, jitter } = this.#settings;
    // Waiting for the restart of an earlier failure: one restart serves both.
    if (now <= this.#nextRestart) return;
    if (now - this.#nextRestart >= resetMs) this.#attempt = 0;
    const backoff = Math.min(Math.trunc(initialMs * multiplier ** this.#attempt), Number.MAX_SAFE_INTEGER);
    const spread = Math.trunc(backoff * jitter);
    const shifted = backoff + this.#random.below(2 * spread + 1) - spread;
    this.#nextRestart = now + Math.max(initialMs, Math.min(shifted, maxMs));
    this.#attempt++;
  }

  canRestart(): boolean {
    return this.#attempt <= this.#settings.attempts;
  }

  backoffMs(now: number): number {
    if (this.#nextRestart === Number.NEGATIVE_INFINITY)
      throw new Error('Nothing has failed yet: call notifyFailure first.');
    return this.#nextRestart - now;
  }
}
