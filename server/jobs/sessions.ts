/**
 * When was each device active? Readings of a device that follow each other within the gap are one session.
 *
 *   readings ═hash(device_id)═> session windows ─> start, end, readings, lowest and highest temperature
 */

import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { count, max, min } from '#engine/window/aggregates.ts';
import { EventTimeSessionWindows } from '#engine/window/session-windows.ts';
import { inEventTime, type ReadingsParams, showErrors, showResults, validReadings } from './readings.ts';

export interface SessionsParams extends ReadingsParams {
  /** A device that is silent for so long has ended its session, ms. */
  readonly gapMs: number;
}

export function buildSessions(params: SessionsParams): JobGraph {
  const { parallelism, rollIntervalMs } = params;
  const env = new StreamExecutionEnvironment({ name: 'sessions', parallelism: parallelism.window, rollIntervalMs });
  const valid = validReadings(env, params);
  const sessions = inEventTime(valid, params)
    .keyBy('device_id')
    .window(EventTimeSessionWindows.withGap(params.gapMs))
    .aggregate(
      { readings: count(), temperature_min: min('temperature'), temperature_max: max('temperature') },
      'sessions',
    )
    .uid('sessions');
  showResults(sessions, 'sessions', params);
  showErrors(valid, params);
  return env.jobGraph();
}
