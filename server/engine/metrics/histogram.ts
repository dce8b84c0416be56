/**
 * A histogram of durations in the manner of HdrHistogram: log-linear buckets over a fixed range, so that a value is known to within 1 %
 * whatever its size, and histograms of many threads add up cell by cell.
 *
 *   microseconds   0 1 2 … 127 │ 128 130 … 254 │ 256 260 … 508 │ …            64 buckets to every power of two
 *   bucket         0 1 2 … 127 │ 128 129 … 191 │ 192 193 … 255 │ … 1919       up to 9.5 hours
 *
 * The buckets are cells that somebody else laid out, in shared memory as a rule: the owning thread counts, any thread reads at any time,
 * nobody locks. Counts only grow, so what happened in a stretch of time is the difference between two copies. A reader may miss the newest
 * value; it never sees one that was not there.
 */

/** Buckets to a power of two, as a power of two: a bucket is at most 1/64 of its value wide, its middle at most 1/128 away. */
const STEP_BITS = 6;
const STEPS = 1 << STEP_BITS;
/** Values below this many microseconds (9.5 hours) are told apart; longer ones count as the longest. */
export const LONGEST_MICROS = 2 ** 35 - 1;
export const HISTOGRAM_CELLS = bucketOf(LONGEST_MICROS) + 1;

/** Bucket of a value in microseconds; negative ones count as 0. */
export function bucketOf(micros: number): number {
  if (!(micros >= STEPS)) return micros > 0 ? Math.floor(micros) : 0;
  const value = Math.min(micros, LONGEST_MICROS);
  const shift = Math.floor(value) < 2 ** 31 ? 25 - Math.clz32(value) : 29 - Math.clz32(value / 16);
  return shift * STEPS + Math.floor(value / 2 ** shift);
}

/** The value that stands for all of a bucket: its middle, in microseconds. */
export function middleOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const shift = (bucket >> STEP_BITS) - 1;
  const width = 2 ** shift;
  return (STEPS + (bucket & (STEPS - 1))) * width + (width - 1) / 2;
}

export class Histogram {
  readonly cells: Float64Array;

  /** Over `HISTOGRAM_CELLS` cells of somebody else's, or over memory of its own. */
  constructor(cells: Float64Array = new Float64Array(HISTOGRAM_CELLS)) {
    this.cells = cells;
  }

  /** Only by the thread that owns the cells. */
  record(micros: number, count = 1): void {
    const bucket = bucketOf(micros);
    this.cells[bucket] = (this.cells[bucket] as number) + count;
  }

  /** Afterwards as if every value of `other` had been recorded here. */
  add(other: Histogram): void {
    for (let i = 0; i < HISTOGRAM_CELLS; i++) {
      this.cells[i] = (this.cells[i] as number) + (other.cells[i] as number);
    }
  }

  /** What was recorded here since `before` was copied. */
  since(before: Histogram): Histogram {
    const difference = new Histogram();
    for (let i = 0; i < HISTOGRAM_CELLS; i++) {
      difference.cells[i] = (this.cells[i] as number) - (before.cells[i] as number);
    }
    return difference;
  }

  get count(): number {
    let count = 0;
    for (const cell of this.cells) count += cell;
    return count;
  }

  /**
   * Smallest value that at least the share `q` of all values do not exceed, in microseconds, to within 1 %: `quantile(0.5)` is the median,
   * `quantile(1)` the largest. NaN while there are none.
   */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < HISTOGRAM_CELLS; bucket++) {
      seen += this.cells[bucket] as number;
      if (seen >= rank) return middleOf(bucket);
    }
    return Number.NaN;
  }
}
