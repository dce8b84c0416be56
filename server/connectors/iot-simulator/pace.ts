/**
 * When rows are due (wall time) and which event time they arrive at.
 *
 * `Pace` asks the clock and nothing else: rows that are due are handed out on the next poll, and a reader that could not poll for a while
 * (backpressure, a laptop that slept) catches up on a second at most.
 */

/** Arrears beyond this are dropped, ms. */
const MAX_ARREARS_MS = 1000;

export class Pace {
  /** Rows per ms; Infinity: as fast as it goes. */
  #perMs: number;
  /** Wall time at which the next row is due, ms with fractions. */
  #next: number;

  /** `first`: wall time of the first row. `perSecond` null: no limit. */
  constructor(perSecond: number | null, first: number) {
    this.#perMs = perSecond === null ? Number.POSITIVE_INFINITY : perSecond / 1000;
    this.#next = first;
  }

  get perMs(): number {
    return this.#perMs;
  }

  get next(): number {
    return this.#next;
  }

  /** Where it was at a checkpoint; `perSecond`: the rate in force then. */
  restore(perSecond: number | null, next: number): void {
    this.#perMs = perSecond === null ? Number.POSITIVE_INFINITY : perSecond / 1000;
    this.#next = next;
  }

  /** Wall time, whole ms, at which the next row is due; not later than it can be as seen from now. */
  nextAt(now: number): number {
    if (this.#perMs === Number.POSITIVE_INFINITY) return now;
    // A clock that was set back must not stop the stream until it has caught up.
    if (this.#next > now + 1 / this.#perMs + MAX_ARREARS_MS) this.#next = now;
    return Math.ceil(this.#next);
  }

  /** Another rate from now on. */
  setRate(perSecond: number | null, now: number): void {
    const before = this.#perMs;
    this.#perMs = perSecond === null ? Number.POSITIVE_INFINITY : perSecond / 1000;
    // What is left to wait shrinks or stretches with the rate, so that splits stay out of step with each other.
    const left =
      Number.isFinite(before) && Number.isFinite(this.#perMs)
        ? Math.max(0, this.#next - now) * (before / this.#perMs)
        : 0;
    this.#next = now + left;
  }

  /** Rows due now. */
  due(now: number): number {
    if (this.#perMs === Number.POSITIVE_INFINITY) {
      this.#next = now;
      return Number.POSITIVE_INFINITY;
    }
    if (this.nextAt(now) > now) return 0;
    if (now - this.#next > MAX_ARREARS_MS) this.#next = now - MAX_ARREARS_MS;
    return Math.floor((now - this.#next) * this.#perMs) + 1;
  }

  /** `count` rows were made. */
  take(count: number): void {
    if (this.#perMs !== Number.POSITIVE_INFINITY) this.#next += count / this.#perMs;
  }
}

/**
 * Event time at which row n of a split arrives: `origin + (n - index) * step`. Always computed from n, never added up, so that it does
 * not depend on where batches were cut.
 */
export class Timeline {
  origin: number;
  /** Row that arrives at `origin`. */
  index = 0;
  /** ms of event time from one row to the next. */
  step: number;

  constructor(origin: number, step: number) {
    this.origin = origin;
    this.step = step;
  }

  at(n: number): number {
    return this.origin + (n - this.index) * this.step;
  }

  /** From row n on, event time moves on by another step. */
  setStep(n: number, step: number): void {
    this.rebase(n, this.at(n), step);
  }

  rebase(n: number, origin: number, step: number): void {
    this.origin = origin;
    this.index = n;
    this.step = step;
  }

  /** How many rows from n on arrive before `time`; at least 1, at most `limit`. */
  rowsBefore(n: number, time: number, limit: number): number {
    if (this.at(n + limit - 1) < time) return limit;
    let rows = Math.min(limit, Math.max(1, Math.ceil((time - this.at(n)) / this.step)));
    while (rows > 1 && this.at(n + rows - 1) >= time) rows--;
    while (rows < limit && this.at(n + rows) < time) rows++;
    return rows;
  }
}
