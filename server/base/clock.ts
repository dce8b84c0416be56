/** Time as an argument: engine and runtime never ask the machine themselves, so that tests and simulations own it. */
export interface Clock {
  /** Processing time, integer milliseconds since the epoch. */
  now(): number;
  /** Monotonic nanoseconds, for measuring durations only. */
  nanos(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  nanos: () => performance.now() * 1e6,
};

/** A clock that stands still until it is told to move. */
export class ManualClock implements Clock {
  #ms: number;

  constructor(startMs = 0) {
    this.#ms = startMs;
  }

  now(): number {
    return Math.floor(this.#ms);
  }

  nanos(): number {
    return this.#ms * 1e6;
  }

  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`A clock moves forward only, not by ${ms} ms.`);
    this.#ms += ms;
  }

  set(ms: number): void {
    this.#ms = ms;
  }
}
