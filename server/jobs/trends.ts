/**
 * How does each device change? The highest temperature of every window beside that of the window before, where there is one.
 *
 *   readings ═hash(device_id)═> windows ═hash(device_id)══> interval join ─> device, window, highest temperature, change
 *                                       ╰hash(device_id)══╯
 */

import { f64, schema, string, timestamp } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { count, max } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { inEventTime, type ReadingsParams, showErrors, showResults, validReadings } from './readings.ts';

export const Trend = schema({
  device_id: string(),
  window_start: timestamp(),
  window_end: timestamp(),
  readings: f64(),
  temperature_max: f64(),
  /** Against the window before. */
  change: f64(),
});

export interface TrendsParams extends ReadingsParams {
  /** Length of the windows, ms. */
  readonly windowMs: number;
}

export function buildTrends(params: TrendsParams): JobGraph {
  const { parallelism, rollIntervalMs, windowMs } = params;
  const env = new StreamExecutionEnvironment({ name: 'trends', parallelism: parallelism.window, rollIntervalMs });
  const valid = validReadings(env, params);
  const windows = inEventTime(valid, params)
    .keyBy('device_id')
    .window(TumblingEventTimeWindows.of(windowMs))
    .aggregate({ readings: count(), temperature_max: max('temperature') }, 'windows')
    .uid('windows')
    .keyBy('device_id');
  // A result's timestamp is the last instant of its window: those of neighbours are one length apart.
  const trends = windows
    .intervalJoin(windows)
    .between(windowMs, windowMs)
    .join('trends', Trend, (before, now) => ({
      ...now,
      change: now.temperature_max - before.temperature_max,
    }))
    .uid('trends');
  showResults(trends, 'trends', params);
  showErrors(valid, params);
  return env.jobGraph();
}
