/** How long checkpoints took and what they wrote, over all that were completed (`flink-reference` §4.4). */

import type { CheckpointRow, CheckpointSummary, Spread } from '#shared/checkpoints.ts';

/** Of so many, quantiles are known; minimum, average and maximum are over all. **Flink:** 10,000. */
export const SUMMARY_WINDOW = 1000;

const FIGURES = ['durationMs', 'bytes', 'fullBytes', 'processedBytes', 'persistedBytes'] as const;
type Figure = (typeof FIGURES)[number];

export class SummaryOfCheckpoints {
  readonly #values = Object.fromEntries(FIGURES.map((figure) => [figure, new Values()])) as Record<Figure, Values>;

  add(row: Pick<CheckpointRow, Figure>): void {
    for (const figure of FIGURES) this.#values[figure].add(row[figure]);
  }

  /** Null: there was none. */
  view(): CheckpointSummary | null {
    if (this.#values.bytes.count === 0) return null;
    return Object.fromEntries(FIGURES.map((figure) => [figure, this.#values[figure].spread()])) as {
      [F in Figure]: Spread;
    };
  }
}

class Values {
  count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0;
  /** The last ones, in no order. */
  readonly #last: number[] = [];

  add(value: number): void {
    this.#last[this.count % SUMMARY_WINDOW] = value;
    this.count++;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.#sum += value;
  }

  spread(): Spread {
    const sorted = Float64Array.from(this.#last).sort();
    return {
      min: this.#min,
      avg: this.#sum / this.count,
      max: this.#max,
      p50: quantile(sorted, 0.5),
      p90: quantile(sorted, 0.9),
      p95: quantile(sorted, 0.95),
      p99: quantile(sorted, 0.99),
      p999: quantile(sorted, 0.999),
    };
  }
}

/** Between the neighbours of place `q * (n + 1)`, as Flink's histogram has it (the default of Apache Commons Math). */
function quantile(sorted: Float64Array, q: number): number {
  const place = q * (sorted.length + 1);
  const below = Math.floor(place);
  if (below < 1) return sorted[0] as number;
  if (below >= sorted.length) return sorted[sorted.length - 1] as number;
  const lower = sorted[below - 1] as number;
  return lower + (place - below) * ((sorted[below] as number) - lower);
}
