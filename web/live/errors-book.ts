import { type ErrorCount, type ErrorRow, type ErrorsView, type LateRow, LIMITS } from '#shared/live.ts';

/** Seconds a reason's sparkline looks back. */
export const SPARK_SECONDS = 60;

export interface ReasonCount extends ErrorCount {
  key: string;
  /** Errors per second for the last `SPARK_SECONDS` seconds, oldest first; NaN where this page was not looking. */
  spark: Float64Array;
}

/** A reason overtakes the one above it when it is ahead by this much: rows of nearly equal counts must not change places all the time. */
const AHEAD = 1.2;
const AHEAD_LEAST = 5;

export interface ShownErrors {
  /** Most frequent first, but steadily: see `AHEAD`. */
  counts: readonly ReasonCount[];
  /** Newest first. */
  recent: readonly ErrorRow[];
  /** Newest first. */
  late: readonly LateRow[];
}

export function reasonKey(reason: string, field: string | null): string {
  return field === null ? reason : `${reason}:${field}`;
}

/** Errors and late events: counts are replaced as a whole, rows are added by id. */
export class ErrorsBook {
  #counts: ErrorCount[] = [];
  #recent: ErrorRow[] = [];
  #late: LateRow[] = [];
  #sparks = new Map<string, Float64Array>();
  /** Keys of the counts as shown last. */
  #order: string[] = [];
  /** Second of the newest spark slot. */
  #second = 0;

  clear(): void {
    this.#counts = [];
    this.#recent = [];
    this.#late = [];
    this.#sparks = new Map();
    this.#order = [];
    this.#second = 0;
  }

  merge(view: ErrorsView, serverTime: number): void {
    this.#counts = view.counts;
    this.#recent = append(this.#recent, view.recent, LIMITS.recentErrors);
    this.#late = append(this.#late, view.late, LIMITS.recentLate);
    this.#advance(Math.floor(serverTime / 1000));
    for (const count of view.counts) {
      const key = reasonKey(count.reason, count.field);
      const spark = this.#sparks.get(key) ?? new Float64Array(SPARK_SECONDS).fill(Number.NaN);
      spark[SPARK_SECONDS - 1] = count.perSecond;
      this.#sparks.set(key, spark);
    }
  }

  shown(): ShownErrors {
    const counts = this.#counts.map((count): ReasonCount => {
      const key = reasonKey(count.reason, count.field);
      return { ...count, key, spark: (this.#sparks.get(key) ?? new Float64Array(0)).slice() };
    });
    return { counts: this.#steadily(counts), recent: [...this.#recent].reverse(), late: [...this.#late].reverse() };
  }

  #steadily(counts: ReasonCount[]): ReasonCount[] {
    counts.sort((a, b) => b.count - a.count || a.key.localeCompare(b.key));
    const place = new Map(this.#order.map((key, i) => [key, i]));
    const known = counts.filter(({ key }) => place.has(key));
    known.sort((a, b) => (place.get(a.key) ?? 0) - (place.get(b.key) ?? 0));
    const shown: ReasonCount[] = [];
    for (const next of [...known, ...counts.filter(({ key }) => !place.has(key))]) {
      let at = shown.length;
      while (at > 0 && next.count > (shown[at - 1]?.count ?? 0) * AHEAD + AHEAD_LEAST) at--;
      shown.splice(at, 0, next);
    }
    this.#order = shown.map(({ key }) => key);
    return shown;
  }

  #advance(second: number): void {
    const steps = this.#second === 0 ? 0 : Math.min(second - this.#second, SPARK_SECONDS);
    if (steps > 0) {
      for (const spark of this.#sparks.values()) {
        spark.copyWithin(0, steps);
        spark.fill(Number.NaN, SPARK_SECONDS - steps);
      }
    }
    this.#second = Math.max(this.#second, second);
  }
}

function append<Row extends { id: number }>(held: Row[], added: readonly Row[], limit: number): Row[] {
  const last = held.at(-1)?.id ?? -1;
  const fresh = added.filter((row) => row.id > last);
  return fresh.length === 0 ? held : [...held, ...fresh].slice(-limit);
}
