import type { Filling } from './chart-points.ts';

/** Space that the chart leaves around its plot for axes, in pixels. */
export const PLOT = { left: 48, right: 8, top: 6, bottom: 20 } as const;

export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
  /** Of the average, from the top of the bar. */
  avg: number;
}

export interface PlotSize {
  domainX: readonly [number, number];
  domainY: readonly [number, number];
  width: number;
  height: number;
}

/** Where the bar of an open window belongs in a chart; it is drawn over the chart, so that the chart itself can stand still. */
export function placeFilling(filling: Filling, size: PlotSize): Place {
  const { domainX, domainY, width, height } = size;
  const x = (time: number): number =>
    PLOT.left + ((time - domainX[0]) / Math.max(1, domainX[1] - domainX[0])) * (width - PLOT.left - PLOT.right);
  const y = (value: number): number => {
    const share = (domainY[1] - value) / (domainY[1] - domainY[0] || 1);
    return PLOT.top + Math.min(1, Math.max(0, share)) * (height - PLOT.top - PLOT.bottom);
  };
  const left = x(filling.start);
  const top = y(filling.max);
  return {
    left,
    top,
    width: Math.max(2, x(filling.end) - left),
    height: Math.max(2, y(filling.min) - top),
    avg: y(filling.avg) - top,
  };
}
