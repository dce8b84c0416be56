/**
 * The script anyone would write: reads the whole file as text, splits lines, `JSON.parse` in a try, range checks, a `Map` of accumulators per
 * device and window, a CSV file at the end. It knows no disorder and no watermark: it has all the data.
 */

import { readFileSync, writeFileSync } from 'node:fs';

export interface ScriptOptions {
  readonly input: string;
  readonly output: string;
}

export interface ScriptResult {
  readonly lines: number;
  readonly errors: number;
  readonly results: number;
  readonly seconds: number;
}

const WINDOW_MS = 5000;

interface Statistics {
  min: number;
  max: number;
  sum: number;
}

interface Accumulator {
  device: string;
  start: number;
  count: number;
  temperature: Statistics;
  humidity: Statistics;
  pressure: Statistics;
}

export function runScript({ input, output }: ScriptOptions): ScriptResult {
  const began = performance.now();
  const windows = new Map<string, Accumulator>();
  let lines = 0;
  let errors = 0;
  for (const line of readFileSync(input, 'utf8').split('\n')) {
    if (line === '') continue;
    lines++;
    let event: Record<string, unknown> | null;
    try {
      event = JSON.parse(line);
    } catch {
      errors++;
      continue;
    }
    const device = event?.device_id;
    const time = event?.event_timestamp;
    const temperature = event?.temperature;
    const humidity = event?.humidity;
    const pressure = event?.pressure;
    if (
      typeof device !== 'string' ||
      device.trim() === '' ||
      typeof time !== 'number' ||
      !Number.isInteger(time) ||
      time < 0 ||
      !within(temperature, -40, 85) ||
      !within(humidity, 0, 100) ||
      !within(pressure, 300, 1100)
    ) {
      errors++;
      continue;
    }
    const start = time - (time % WINDOW_MS);
    const key = `${device}|${start}`;
    let window = windows.get(key);
    if (window === undefined) {
      window = { device, start, count: 0, temperature: empty(), humidity: empty(), pressure: empty() };
      windows.set(key, window);
    }
    window.count++;
    add(window.temperature, temperature);
    add(window.humidity, humidity);
    add(window.pressure, pressure);
  }
  const rows = [HEADER];
  for (const { device, start, count, temperature, humidity, pressure } of windows.values()) {
    const row = [device, start, start + WINDOW_MS, count];
    for (const { min, max, sum } of [temperature, humidity, pressure]) row.push(min, max, sum / count);
    rows.push(row.join(','));
  }
  writeFileSync(output, `${rows.join('\n')}\n`);
  return { lines, errors, results: windows.size, seconds: (performance.now() - began) / 1000 };
}

const HEADER =
  'device_id,window_start,window_end,count,temperature_min,temperature_max,temperature_avg,' +
  'humidity_min,humidity_max,humidity_avg,pressure_min,pressure_max,pressure_avg';

function within(value: unknown, low: number, high: number): value is number {
  return typeof value === 'number' && value >= low && value <= high;
}

function empty(): Statistics {
  return { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, sum: 0 };
}

function add(to: Statistics, value: number): void {
  if (value < to.min) to.min = value;
  if (value > to.max) to.max = value;
  to.sum += value;
}
