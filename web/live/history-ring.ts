import { type History, type HistorySecond, LIMITS } from '#shared/live.ts';

export const SERIES = [
  'eventsPerSecond',
  'windowsPerSecond',
  'watermarkLagMs',
  'errorsPerSecond',
  'latePerSecond',
  'latencyP50Ms',
  'latencyP95Ms',
  'latencyP99Ms',
] as const;
export type SeriesName = (typeof SERIES)[number];

/**
 * The last `capacity` seconds of every strip, in typed arrays that are allocated once.
 * A slot belongs to one second of server time (`second % capacity`); a second nobody reported holds NaN and reads as null,
 * so a gap stays a gap and is never joined by a line.
 */
export class HistoryRing {
  readonly #capacity: number;
  readonly #columns: Record<SeriesName, Float64Array>;
  /** Newest second held, in seconds since the epoch; -1 while empty. */
  #newest = -1;

  constructor(capacity: number = LIMITS.historySeconds) {
    this.#capacity = capacity;
    const columns = SERIES.map((name) => [name, new Float64Array(capacity)]);
    this.#columns = Object.fromEntries(columns) as Record<SeriesName, Float64Array>;
    this.clear();
  }

  clear(): void {
    this.#newest = -1;
    for (const name of SERIES) this.#columns[name].fill(Number.NaN);
  }

  /**
   * Takes over what a server kept. What is held from before its first second stays: a server that was started again knows nothing of
   * that time, and the seconds in between are a gap.
   */
  load(history: History): void {
    const length = history.eventsPerSecond.length;
    // Seconds later than the server's newest are of another clock.
    if (length > 0 && Math.floor(history.from / 1000) + length - 1 < this.#newest) this.clear();
    for (let i = 0; i < length; i++) {
      const slot = this.#claim(Math.floor(history.from / 1000) + i);
      if (slot < 0) continue;
      for (const name of SERIES) this.#columns[name][slot] = history[name][i] ?? Number.NaN;
    }
  }

  append(second: HistorySecond): void {
    const slot = this.#claim(Math.floor(second.at / 1000));
    if (slot < 0) return;
    for (const name of SERIES) this.#columns[name][slot] = second[name] ?? Number.NaN;
  }

  /** Values of the seconds `from` to `to` (both included, in seconds since the epoch); what is not held is null. */
  read(name: SeriesName, from: number, to: number): (number | null)[] {
    const column = this.#columns[name];
    const values: (number | null)[] = new Array(Math.max(0, to - from + 1));
    for (let second = from; second <= to; second++) {
      const held = second <= this.#newest && second > this.#newest - this.#capacity;
      const value = held ? column[this.#slot(second)] : undefined;
      values[second - from] = value === undefined || Number.isNaN(value) ? null : value;
    }
    return values;
  }

  /** Newest second held, or null. */
  get newest(): number | null {
    return this.#newest < 0 ? null : this.#newest;
  }

  #slot(second: number): number {
    return ((second % this.#capacity) + this.#capacity) % this.#capacity;
  }

  /** Makes room for a second and blanks the ones skipped; -1 for one too old to hold. */
  #claim(second: number): number {
    if (this.#newest < 0) this.#newest = second;
    if (second <= this.#newest - this.#capacity) return -1;
    const skipped = Math.min(second - this.#newest - 1, this.#capacity);
    for (let i = 1; i <= skipped; i++) {
      const slot = this.#slot(second - i);
      for (const name of SERIES) this.#columns[name][slot] = Number.NaN;
    }
    if (second > this.#newest) this.#newest = second;
    return this.#slot(second);
  }
}
