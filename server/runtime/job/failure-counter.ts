/** What becomes of a job that has failed: its restart strategy says, the log keeps it, and people are told. */

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { FailureLog } from './failure-log.ts';
import type { JobNews } from './job-news.ts';
import type { RestartSettings } from './restart-settings.ts';
import { type RestartStrategy, recoverFrom, restartStrategy } from './restart-strategies.ts';

export interface CountedFailure {
  /** Until what failed restarts, ms; null: it does not. */
  readonly delayMs: number | null;
  /** What the job ends with then. */
  readonly last: Error;
}

export interface FailureCounterOptions {
  readonly random: Random;
  readonly clock: Clock;
  readonly log: FailureLog;
  readonly tell: (news: JobNews) => void;
}

export class FailureCounter {
  readonly #settings: RestartSettings;
  readonly #options: FailureCounterOptions;
  readonly #strategy: RestartStrategy;

  constructor(settings: RestartSettings, options: FailureCounterOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#strategy = restartStrategy(settings, options.random);
  }

  /** One more. `scope`: what restarts, for people; null: the job. */
  count(error: Error, scope: string | null): CountedFailure {
    const { clock, log, tell } = this.#options;
    const now = clock.now();
    const recovery = recoverFrom(error, this.#strategy, this.#settings, now);
    const failure = {
      at: now,
      message: messageOf(error),
      restartInMs: recovery.restart ? recovery.backoffMs : null,
      scope,
    };
    log.add(failure);
    tell({ type: 'failure', ...failure });
    // Without a strategy there is nothing to say about it.
    const last = recovery.restart || this.#settings.type === 'none' ? error : recovery.error;
    return { delayMs: failure.restartInMs, last };
  }
}
