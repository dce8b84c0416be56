import { niceCeiling } from '../../charts/scale.ts';

export interface Bin {
  from: number;
  to: number;
  count: number;
}

export interface Histogram {
  bins: Bin[];
  /** Right end of the axis, ms. */
  top: number;
  highest: number;
}

/** Equal bins of a readable width from 0 to the latest event; null without events. */
export function lateHistogram(lateBy: readonly number[], atLeast: number, wantedBins = 24): Histogram | null {
  if (lateBy.length === 0) return null;
  const largest = Math.max(atLeast, ...lateBy);
  const width = niceCeiling(largest / wantedBins);
  const bins: Bin[] = Array.from({ length: Math.max(1, Math.ceil((largest + 1) / width)) }, (_, i) => ({
    from: i * width,
    to: (i + 1) * width,
    count: 0,
  }));
  for (const value of lateBy) {
    const bin = bins[Math.min(bins.length - 1, Math.max(0, Math.floor(value / width)))];
    if (bin) bin.count++;
  }
  return { bins, top: bins.length * width, highest: Math.max(...bins.map((bin) => bin.count)) };
}
