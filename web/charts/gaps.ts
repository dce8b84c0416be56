/** A run of missing values, as indexes `[from, to]`, both included. */
export type Gap = [from: number, to: number];

/** Runs of at least `least` missing values after the first value that is there: before it there was nothing to miss. */
export function findGaps(values: readonly (number | null | undefined)[], least = 2): Gap[] {
  const gaps: Gap[] = [];
  let start = -1;
  let begun = false;
  for (let i = 0; i <= values.length; i++) {
    const missing = i < values.length && values[i] == null;
    if (i < values.length && !missing) begun = true;
    if (missing && begun && start < 0) start = i;
    if (!missing && start >= 0) {
      if (i - start >= least) gaps.push([start, i - 1]);
      start = -1;
    }
  }
  return gaps;
}

export interface Summary {
  last: number;
  min: number;
  max: number;
  trend: 'rising' | 'falling' | 'steady';
}

/** Last, smallest, largest and direction, which is what a chart says in one sentence; null without any value. */
export function summarize(values: readonly (number | null)[]): Summary | null {
  const present = values.filter((value) => value !== null);
  const last = present.at(-1);
  if (last === undefined) return null;
  const min = Math.min(...present);
  const max = Math.max(...present);
  const half = Math.floor(present.length / 2);
  const mean = (part: number[]): number => part.reduce((sum, value) => sum + value, 0) / Math.max(1, part.length);
  const change = mean(present.slice(half)) - mean(present.slice(0, half));
  const clear = Math.abs(change) > 0.05 * Math.max(Math.abs(max), Math.abs(min));
  return { last, min, max, trend: half === 0 || !clear ? 'steady' : change > 0 ? 'rising' : 'falling' };
}
