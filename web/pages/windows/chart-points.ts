import type { OpenWindow } from '#shared/live.ts';
import type { WindowRow } from '../../live/windows-book.ts';
import type { Sensor } from './sensors.ts';

/** More points than this cost frames and cannot be told apart at the size of these charts. */
const MAX_POINTS = 120;

export interface Point {
  /** Window end. */
  t: number;
  band: [min: number, max: number] | null;
  avg: number | null;
}

/** Points over window end, one every so often; where windows are missing in between, one empty point breaks the line. */
export function chartPoints(rows: readonly WindowRow[], sensor: Sensor, everyMs: number): Point[] {
  const points: Point[] = [];
  let previous: number | null = null;
  for (const { result } of rows.slice(-MAX_POINTS)) {
    const min = result.values[sensor.min];
    const max = result.values[sensor.max];
    const avg = result.values[sensor.avg];
    if (min === undefined || max === undefined || avg === undefined) continue;
    if (previous !== null && result.end - previous > 1.5 * everyMs) {
      points.push({ t: previous + everyMs, band: null, avg: null });
    }
    points.push({ t: result.end, band: [min, max], avg });
    previous = result.end;
  }
  return points.slice(-MAX_POINTS);
}

export interface Filling {
  start: number;
  end: number;
  min: number;
  max: number;
  avg: number;
  count: number | null;
  /** Share of the window that is over: what the watermark has passed, in processing time the clock; 0..1. */
  progress: number;
}

/** The oldest window of a device whose end is still to come: the one that closes next. Those kept for late events have fired already. */
export function fillingWindow(
  open: readonly OpenWindow[],
  device: string,
  sensor: Sensor,
  countColumn: number,
  time: number | null,
): Filling | null {
  let next: OpenWindow | null = null;
  for (const window of open) {
    if (window.device !== device || (time !== null && window.end <= time)) continue;
    if (!next || window.end < next.end) next = window;
  }
  const min = next?.values[sensor.min];
  const max = next?.values[sensor.max];
  const avg = next?.values[sensor.avg];
  if (!next || min === undefined || max === undefined || avg === undefined) return null;
  const passed = time === null ? 0 : (time - next.start) / (next.end - next.start);
  return {
    start: next.start,
    end: next.end,
    min,
    max,
    avg,
    count: countColumn < 0 ? null : (next.values[countColumn] ?? null),
    progress: Math.min(1, Math.max(0, passed)),
  };
}
