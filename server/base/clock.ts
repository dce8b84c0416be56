/** Time as an argument: engine and runtime never ask the machine themselves, so that tests and simulations own it. */
export interface Clock {
  /** Processing time, integer milliseconds since the epoch. */
  now(): number;
  /** Monotonic nanoseconds, for measuring durations only; comparable between the threads of this process. */
  nanos(): number;
}

/** Of every thread's `performance.now()` from the one clock that all threads of a process share (hrtime), ns. */
const SHARED_ORIGIN_NANOS = hrtimeNanos() - performance.now() * 1e6;

export const systemClock: Clock = {
  now: () => Date.now(),
  nanos: () => SHARED_ORIGIN_NANOS + performance.now() * 1e6,
};

/** Has things done later; an argument like the clock. */
export interface Timers {
  /**
   * Calls `run` once, in `ms` at the earliest, unless what is returned was called before. `background`: nobody waits for it, and it does not keep
   * the process alive.
   */
  after(ms: number, run: () => void, background?: boolean): () => void;
}

export const systemTimers: Timers = {
  after(ms, run, background = false) {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};

function hrtimeNanos(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e9 + nanos;
}

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
