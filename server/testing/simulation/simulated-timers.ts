import type { Clock, Timers } from '#base/clock.ts';

/** Timers of one process; whoever drives the simulation has them called. */
export class SimulatedTimers implements Timers {
  readonly #clock: Clock;
  #waiting: { readonly at: number; readonly run: () => void }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#clock.now() + Math.max(0, ms), run };
    this.#waiting.push(timer);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== timer);
    };
  }

  due(): (() => void)[] {
    const now = this.#clock.now();
    return this.#waiting
      .filter(({ at }) => at <= now)
      .map((timer) => () => {
        this.#waiting = this.#waiting.filter((other) => other !== timer);
        timer.run();
      });
  }

  get nextAt(): number {
    return Math.min(...this.#waiting.map(({ at }) => at));
  }
}
