/** Smallest of 1, 2, 2.5, 5 × 10ⁿ that is at least `value`: a top of an axis that people can read. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5]) if (step * power >= value * (1 - 1e-9)) return step * power;
  return 10 * power;
}

/**
 * Top of a zero-based axis that follows its data: it rises at once when a value would leave the chart,
 * and sinks only when the data needs less than half of it, so that it does not tremble.
 */
export function steadyTop(previous: number, max: number, least: number): number {
  const needed = niceCeiling(Math.max(max * 1.05, least));
  return needed > previous || needed < previous / 2 ? needed : previous;
}

export interface Axis {
  domain: [number, number];
  ticks: number[];
}

/** An axis with round ticks around the data, for values whose zero means nothing (temperatures). */
export function fittedAxis(values: readonly number[], wantedTicks = 4): Axis {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { domain: [0, 1], ticks: [0, 1] };
  const step = niceCeiling(Math.max(high - low, Math.abs(high) * 1e-6, 0.2) / (wantedTicks - 1));
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { domain: [first * step, last * step], ticks };
}
