/** Timers of a clock that only moves when it is told to. */

import { ManualClock } from '#base/clock.ts';

interface Timer {
  readonly run: () => void;
  readonly at: number;
}

export class ManualTimers {
  readonly clock: ManualClock;
  #timers: Timer[] = [];

  /** `now`: ms since the epoch. */
  constructor(now: number) {
    this.clock = new ManualClock(now);
  }

  set(run: () => void, ms: number): unknown {
    const timer = { run, at: this.clock.now() + ms };
    this.#timers.push(timer);
    return timer;
  }

  clear(timer: unknown): void {
    this.#timers = this.#timers.filter((one) => one !== timer);
  }

  /** That have neither run nor been cleared. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Time goes by: what is due runs in its order, at its time, what it sets included. */
  pass(ms: number): void {
    const until = this.clock.now() + ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.clear(next);
      this.clock.set(Math.max(this.clock.now(), next.at));
      next.run();
    }
    this.clock.set(until);
  }
}
