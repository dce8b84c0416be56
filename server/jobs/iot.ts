/**
 * The main job: readings of IoT devices are validated, bad ones go to the side output `errors`, good ones are keyed by device and
 * aggregated per sensor in windows; events that come too late go to the side output `late`.
 *
 *   readings ─> validate ─> watermarks ═hash(device_id)═> windows ─> results
 *                  └─ errors                                  └─ late
 */

import { ConsoleSink } from '#connectors/console/console-sink.ts';
import { CsvFormat } from '#connectors/csv/csv-format.ts';
import { FileSink } from '#connectors/file/file-sink.ts';
import { FileSource } from '#connectors/file/file-source.ts';
import { NdjsonFormat } from '#connectors/file/ndjson-format.ts';
import type { FileSourceOptions } from '#connectors/file/open-input.ts';
import {
  defectField,
  defectReason,
  FIELDS,
  LIMITS,
  type RawReading,
  Reading,
  ReadingError,
} from '#connectors/iot/reading.ts';
import type { SimulatorOptions } from '#connectors/iot-simulator/options.ts';
import { IotSimulator } from '#connectors/iot-simulator/simulator.ts';
import { ErrorsTap } from '#connectors/live/errors-tap.ts';
import { LateTap } from '#connectors/live/late-tap.ts';
import { ResultsTap } from '#connectors/live/results-tap.ts';
import type { Row } from '#engine/batch/schema.ts';
import {
  type DataStream,
  lateTag,
  OutputTag,
  type SingleOutputStream,
  StreamExecutionEnvironment,
} from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Collector, ProcessContext } from '#engine/operators/process.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
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

export interface IotParams {
  readonly source:
    | { readonly kind: 'simulator'; readonly options: SimulatorOptions }
    | { readonly kind: 'file'; readonly options: FileSourceOptions };
  readonly time: 'event' | 'processing';
  readonly window: JobWindows;
  readonly outOfOrdernessMs: number;
  readonly allowedLatenessMs: number;
  /** Null: a silent split holds the watermark back for ever. */
  readonly idleTimeoutMs: number | null;
  /** After every event that raises it, or every so many ms. */
  readonly watermarkEmit: 'on-event' | number;
  readonly parallelism: { readonly source: number; readonly window: number };
  /** Directory for `windows/`, `errors/` and `late/`; null: no files. */
  readonly output: string | null;
  readonly console: 'table' | 'lines' | null;
  /** There is a dashboard: results are kept for its Windows page, and sources emit latency markers. */
  readonly live: boolean;
  readonly rollIntervalMs: number;
}

/** Side outputs by tag. */
export const errorsTag = new OutputTag('errors', ReadingError);
export const lateReadings = lateTag('late', Reading);

/** Ids of the operators, by which control, questions and metrics address them. */
export const IOT = {
  source: 'readings',
  validate: 'validate',
  watermarks: 'watermarks',
  windows: 'windows',
  resultsFiles: 'results-files',
  resultsConsole: 'results-console',
  resultsLive: 'results-live',
  errorsFiles: 'errors-files',
  errorsLive: 'errors-live',
  lateFiles: 'late-files',
  lateLive: 'late-live',
} as const;

/** Of latency markers for the dashboard: enough for a p95 over its 10 s. */
const MARKER_INTERVAL_MS = 250;

export function buildIot(params: IotParams): JobGraph {
  const { source: sourceParallelism, window: windowParallelism } = params.parallelism;
  const env = new StreamExecutionEnvironment({
    name: 'iot',
    parallelism: windowParallelism,
    rollIntervalMs: params.rollIntervalMs,
    latencyTracking: { intervalMs: params.live ? MARKER_INTERVAL_MS : 0, granularity: 'operator' },
  });

  const raw: SingleOutputStream<typeof RawReading.fields> =
    params.source.kind === 'simulator'
      ? env.fromSource(new IotSimulator(params.source.options), 'readings')
      : env.fromSource(new FileSource(params.source.options), 'readings');
  raw.setParallelism(sourceParallelism).uid(IOT.source);

  const valid = raw
    .process('validate', { output: Reading, sideOutputs: [errorsTag], create: () => validate })
    .setParallelism(sourceParallelism)
    .uid(IOT.validate);

  const strategy = boundedOutOfOrderness(params.outOfOrdernessMs, {
    emit: params.watermarkEmit,
    idleTimeoutMs: params.idleTimeoutMs,
  });
  const timed: DataStream<typeof Reading.fields> =
    params.time === 'event'
      ? valid
          .assignTimestampsAndWatermarks(strategy, 'watermarks')
          .setParallelism(sourceParallelism)
          .uid(IOT.watermarks)
      : valid;

  const results = timed
    .keyBy('device_id')
    .window(windowsOf(params.window, params.time))
    .allowedLateness(params.allowedLatenessMs)
    .sideOutputLateData(lateReadings)
    .aggregate(
      {
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
      },
      'windows',
    )
    .uid(IOT.windows);
  const errors = valid.sideOutput(errorsTag);
  const late = results.sideOutput(lateReadings);

  if (params.live) results.sinkTo(new ResultsTap(), 'live results').uid(IOT.resultsLive);
  if (params.console !== null)
    results.sinkTo(new ConsoleSink({ terminal: params.console === 'table' }), 'console').uid(IOT.resultsConsole);
  if (params.output !== null) {
    const file = (directory: string, format: CsvFormat | NdjsonFormat): FileSink =>
      new FileSink({ directory: `${params.output}/${directory}`, format });
    results.sinkTo(file('windows', new CsvFormat()), 'window files').uid(IOT.resultsFiles);
    errors
      .sinkTo(file('errors', new NdjsonFormat({ omitNull: ['payload_bytes'] })), 'error log')
      .setParallelism(sourceParallelism)
      .uid(IOT.errorsFiles);
    late.sinkTo(file('late', new NdjsonFormat()), 'late log').uid(IOT.lateFiles);
  }
  errors.sinkTo(new ErrorsTap(), 'live errors').setParallelism(sourceParallelism).uid(IOT.errorsLive);
  late.sinkTo(new LateTap(), 'live late events').uid(IOT.lateLive);
  return env.jobGraph();
}

function windowsOf(window: JobWindows, time: IotParams['time']): AlignedWindows | SessionWindows {
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

/**
 * Passes readings on that obey every rule; the others go to the side output `errors` with the first rule they break.
 * The limits are `LIMITS`, written out: numbers loaded from a table cost half as much again per row.
 */
function validate(
  row: Row<typeof RawReading.fields>,
  ctx: ProcessContext,
  out: Collector<typeof Reading.fields>,
): void {
  if (row.defect === 0) {
    const time = row.event_timestamp;
    const temperature = row.temperature;
    const humidity = row.humidity;
    const pressure = row.pressure;
    if (
      time >= 0 &&
      time <= 8.64e15 &&
      temperature >= -40 &&
      temperature <= 85 &&
      humidity >= 0 &&
      humidity <= 100 &&
      pressure >= 300 &&
      pressure <= 1100
    ) {
      out.forward();
      return;
    }
  }
  refuse(row, ctx);
}

function refuse(row: Row<typeof RawReading.fields>, ctx: ProcessContext): void {
  const { reason, field } = firstBroken(row);
  ctx.output(errorsTag, {
    reason,
    field,
    payload: row.payload,
    payload_bytes: row.payload_bytes,
    source: row.source,
    offset: row.offset,
    ingested_at: ctx.currentProcessingTime,
  });
}

/** Fields are judged in order; one that the decoder could not use counts only if all before it are in range. */
function firstBroken(row: Row<typeof RawReading.fields>): { reason: string; field: string | null } {
  const field = row.defect === 0 ? null : defectField(row.defect);
  if (row.defect === 0 || field !== null) {
    for (const name of FIELDS) {
      if (name === field) break;
      if (name === 'device_id') continue;
      const value = row[name];
      const [low, high] = LIMITS[name];
      if (value < low || value > high) return { reason: 'out_of_range', field: name };
    }
  }
  return { reason: defectReason(row.defect), field };
}
