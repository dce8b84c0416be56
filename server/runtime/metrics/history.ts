/**
 * One value a second of the job's main numbers, for the strips under the job graph. Kept for `seconds` seconds, older ones make room.
 * A second nobody sampled is a gap, never a guess.
 */

import { type History, type HistorySecond, LIMITS } from '#shared/live.ts';

export class JobHistory {
  readonly #seconds: number;
  readonly #ring: (HistorySecond | null)[];
  /** Number of the newest second (seconds since the epoch), -1 for none. */
  #newest = -1;
  #oldest = -1;

  constructor(seconds: number = LIMITS.historySeconds) {
    this.#seconds = seconds;
    this.#ring = new Array<null>(seconds).fill(null);
  }

  /** `second.at` is the beginning of a whole second, later than that of any second pushed before. */
  push(second: HistorySecond): void {
    const number = Math.floor(second.at / 1000);
    if (number <= this.#newest) return;
    if (this.#newest < 0) {
      this.#oldest = number;
    } else {
      const gapFrom = Math.max(this.#newest + 1, number - this.#seconds + 1);
      for (let n = gapFrom; n < number; n++) this.#ring[n % this.#seconds] = null;
    }
    this.#ring[number % this.#seconds] = second;
    this.#newest = number;
    this.#oldest = Math.max(this.#oldest, number - this.#seconds + 1);
  }

  /** Beginning of the newest second, or null. */
  get newest(): number | null {
    return this.#newest < 0 ? null : this.#newest * 1000;
  }

  /** First closed second that began after `at`, or null. */
  after(at: number): HistorySecond | null {
    for (let n = Math.max(Math.floor(at / 1000) + 1, this.#oldest); n <= this.#newest; n++) {
      const second = this.#ring[n % this.#seconds];
      if (second) return second;
    }
    return null;
  }

  /** Everything kept, as columns. */
  all(): History {
    const seconds: (HistorySecond | null)[] = [];
    if (this.#newest >= 0) {
      for (let n = this.#oldest; n <= this.#newest; n++) seconds.push(this.#ring[n % this.#seconds] ?? null);
    }
    return {
      from: this.#newest < 0 ? 0 : this.#oldest * 1000,
      eventsPerSecond: seconds.map((s) => s?.eventsPerSecond ?? null),
      windowsPerSecond: seconds.map((s) => s?.windowsPerSecond ?? null),
      watermarkLagMs: seconds.map((s) => s?.watermarkLagMs ?? null),
      errorsPerSecond: seconds.map((s) => s?.errorsPerSecond ?? null),
      latePerSecond: seconds.map((s) => s?.latePerSecond ?? null),
      latencyP50Ms: seconds.map((s) => s?.latencyP50Ms ?? null),
      latencyP95Ms: seconds.map((s) => s?.latencyP95Ms ?? null),
      latencyP99Ms: seconds.map((s) => s?.latencyP99Ms ?? null),
    };
  }
}
