/**
 * The main job: readings of IoT devices are validated, bad ones go to the side output `errors`, good ones are keyed by device and
 * aggregated per sensor in windows; events that come too late go to the side output `late`.
 *
 *   readings ─> validate ─> watermarks ═hash(device_id)═> windows ─> results
 *                  └─ errors                                  └─ late
 */

import { FileSink } from '#connectors/file/file-sink.ts';
import { NdjsonFormat } from '#connectors/file/ndjson-format.ts';
import { Reading } from '#connectors/iot/reading.ts';
import { LateTap } from '#connectors/live/late-tap.ts';
import { ResultsTap } from '#connectors/live/results-tap.ts';
import { type PostgresMode, PostgresSink } from '#connectors/postgres/postgres-sink.ts';
import { lateTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { avg, count, max, min } from '#engine/window/aggregates.ts';
import {
  type AlignedWindows,
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
} from '#engine/window/assigners.ts';
import {
  EventTimeSessionWindows,
  ProcessingTimeSessionWindows,
  type SessionWindows,
} from '#engine/window/session-windows.ts';
import type { JobWindows } from '#shared/live.ts';
import { inEventTime, READINGS, type ReadingsParams, showErrors, showResults, validReadings } from './readings.ts';

/** Where windows go in PostgreSQL; without a password (`connectors/postgres`). */
export interface PostgresParams {
  readonly url: string;
  readonly table: string;
  readonly mode: PostgresMode;
}

export interface IotParams extends ReadingsParams {
  readonly time: 'event' | 'processing';
  readonly window: JobWindows;
  readonly allowedLatenessMs: number;
  readonly postgres: PostgresParams | null;
  /** There is a dashboard: results are kept for its Windows page, and sources emit latency markers. */
  readonly live: boolean;
}

export const lateReadings = lateTag('late', Reading);

/** Columns of a window of readings: how many, then least, greatest and mean of each sensor. */
export const sensorAggregates = () => ({
  count: count(),
  temperature_min: min('temperature'),
  temperature_max: max('temperature'),
  temperature_avg: avg('temperature'),
  humidity_min: min('humidity'),
  humidity_max: max('humidity'),
  humidity_avg: avg('humidity'),
  pressure_min: min('pressure'),
  pressure_max: max('pressure'),
  pressure_avg: avg('pressure'),
});

/** Ids of the operators, by which control, questions and metrics address them. */
export const IOT = {
  ...READINGS,
  windows: 'windows',
  resultsLive: 'results-live',
  resultsTable: 'results-table',
  lateFiles: 'late-files',
  lateLive: 'late-live',
} as const;

/** Of latency markers for the dashboard: enough for a p95 over its 10 s. */
const MARKER_INTERVAL_MS = 250;

export function buildIot(params: IotParams): JobGraph {
  const env = new StreamExecutionEnvironment({
    name: 'iot',
    parallelism: params.parallelism.window,
    rollIntervalMs: params.rollIntervalMs,
    latencyTracking: { intervalMs: params.live ? MARKER_INTERVAL_MS : 0, granularity: 'operator' },
  });

  const valid = validReadings(env, params);
  const timed = params.time === 'event' ? inEventTime(valid, params) : valid;
  const results = timed
    .keyBy('device_id')
    .window(windowsOf(params.window, params.time))
    .allowedLateness(params.allowedLatenessMs)
    .sideOutputLateData(lateReadings)
    .aggregate(sensorAggregates(), 'windows')
    .uid(IOT.windows);
  const late = results.sideOutput(lateReadings);

  if (params.live) results.sinkTo(new ResultsTap(), 'live results').uid(IOT.resultsLive);
  showResults(results, 'windows', params);
  if (params.postgres !== null) {
    const { table } = params.postgres;
    const keys = ['device_id', 'window_start', 'window_end'];
    const sink = new PostgresSink({ ...params.postgres, schema: results.schema, keys, name: `iot:${table}` });
    results.sinkTo(sink, `table ${table}`).uid(IOT.resultsTable);
  }
  showErrors(valid, params);
  if (params.output !== null) {
    const files = new FileSink({ directory: `${params.output}/late`, format: new NdjsonFormat() });
    late.sinkTo(files, 'late log').uid(IOT.lateFiles);
  }
  late.sinkTo(new LateTap(), 'live late events').uid(IOT.lateLive);
  return env.jobGraph();
}

export function windowsOf(window: JobWindows, time: IotParams['time']): AlignedWindows | SessionWindows {
  const event = time === 'event';
  switch (window.kind) {
    case 'tumbling':
      return (event ? TumblingEventTimeWindows : TumblingProcessingTimeWindows).of(window.sizeMs);
    case 'sliding':
      return (event ? SlidingEventTimeWindows : SlidingProcessingTimeWindows).of(window.sizeMs, window.slideMs);
    case 'session':
      return (event ? EventTimeSessionWindows : ProcessingTimeSessionWindows).withGap(window.gapMs);
  }
}
