import type { WindowRow } from '../../live/windows-book.ts';
import { formatExact, MISSING } from '../../ui/format.ts';

/** One measured quantity of a window result and where its three aggregates are in `WindowResult.values`. */
export interface Sensor {
  name: string;
  unit: string;
  min: number;
  max: number;
  avg: number;
}

const UNITS: Record<string, string> = { temperature: '°C', humidity: '% RH', pressure: 'hPa' };

/** Quantities for which `<name>_min`, `_max` and `_avg` all exist, in column order. */
export function sensorsOf(aggregates: readonly string[]): Sensor[] {
  const sensors: Sensor[] = [];
  for (const [min, column] of aggregates.entries()) {
    if (!column.endsWith('_min')) continue;
    const name = column.slice(0, -4);
    const max = aggregates.indexOf(`${name}_max`);
    const avg = aggregates.indexOf(`${name}_avg`);
    if (max >= 0 && avg >= 0) sensors.push({ name, unit: UNITS[name] ?? '', min, max, avg });
  }
  return sensors;
}

export function sensorTitle(sensor: Sensor): string {
  const words = sensor.name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function formatValue(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return MISSING;
  return Math.abs(value) < 100_000 ? value.toFixed(1).replace('-', '−') : formatExact(value);
}

/** As short as a round tick allows. */
export function formatTick(value: number): string {
  return String(Number(value.toFixed(2))).replace('-', '−');
}

/** How much a device's averages moved over its last windows; what moves is worth a look. */
export function change(rows: readonly WindowRow[], sensor: Sensor, windows = 12): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const row of rows.slice(-windows)) {
    const value = row.result.values[sensor.avg];
    if (value === undefined) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high >= low ? high - low : 0;
}
