/**
 * A new version of a supervised server that has to show that it gets on: it reads rows and completes a checkpoint with them, or reaches the end of
 * its input. Before its first checkpoint it has committed nothing, so that the version before, which takes over where it fails, does nothing twice.
 */

import type { SupervisedNews } from './supervised.ts';

/** How a server is started. */
export interface Version {
  /** Path of the program. */
  readonly main: string;
  /** Besides those that the supervisor was started with. */
  readonly flags: readonly string[];
}

export interface TrialOptions {
  /** What takes over where this one fails. */
  readonly before: Version;
  readonly savepoint: string;
  readonly flags: readonly string[];
  readonly withinMs: number;
}

export class Trial {
  readonly options: TrialOptions;
  #proven = false;
  #failure: string | null = null;
  #running = false;

  constructor(options: TrialOptions) {
    this.options = options;
  }

  get proven(): boolean {
    return this.#proven;
  }

  /** Why it has failed; null: it has not. */
  get failure(): string | null {
    return this.#failure;
  }

  hear(news: SupervisedNews): void {
    if (this.#proven || this.#failure !== null) return;
    if (news.type === 'running') this.#running = true;
    else if (news.type === 'checkpoint') this.#proven = news.rows > 0;
    else if (news.type === 'ended' && news.failure !== null) this.#failure = `its job failed: ${news.failure}`;
    else if (news.type === 'ended') this.#proven = this.#running;
  }

  /** The time is over. */
  expire(): void {
    if (this.#proven || this.#failure !== null) return;
    const within = `within ${this.options.withinMs / 1000} s`;
    this.#failure = this.#running
      ? `it completed no checkpoint with rows it had read ${within}`
      : `its job did not run ${within}`;
  }

  /** The process has ended. `said`: the end of what it said on standard error. */
  ended(how: string, said: string): void {
    if (this.#proven || this.#failure !== null) return;
    const last = said
      .match(/^weir: .*$/gm)
      ?.at(-1)
      ?.slice('weir: '.length);
    this.#failure = last === undefined ? `it ${how}` : `it ${how}: ${last}`;
  }
}
