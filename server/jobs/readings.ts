/**
 * Where the jobs of this directory begin and end: readings of devices from files or a simulation, validated, with watermarks; and the sinks that
 * results and refused lines go to.
 *
 *   readings ─> validate ─> watermarks ─> (the job) ─> results
 *                  └─ errors
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
import type { Fields, Row } from '#engine/batch/schema.ts';
import {
  type DataStream,
  OutputTag,
  type SingleOutputStream,
  type StreamExecutionEnvironment,
} from '#engine/graph/data-stream.ts';
import type { Collector, ProcessContext } from '#engine/operators/process.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';

/** What every job on readings is told. */
export interface ReadingsParams {
  readonly source:
    | { readonly kind: 'simulator'; readonly options: SimulatorOptions }
    | { readonly kind: 'file'; readonly options: FileSourceOptions };
  readonly outOfOrdernessMs: number;
  /** Null: a silent split holds the watermark back for ever. */
  readonly idleTimeoutMs: number | null;
  /** Subtasks and splits of the source wait where they are further than this ahead of the others in event time, ms; null: they never do. */
  readonly alignmentMs: number | null;
  /** After every event that raises it, or every so many ms. */
  readonly watermarkEmit: 'on-event' | number;
  readonly parallelism: { readonly source: number; readonly window: number };
  /** Directory for results, `errors/` and whatever else a job writes; null: no files. */
  readonly output: string | null;
  readonly console: 'table' | 'lines' | null;
  readonly rollIntervalMs: number;
}

/** Ids of the operators that all jobs have, by which control, questions and metrics address them. */
export const READINGS = {
  source: 'readings',
  validate: 'validate',
  watermarks: 'watermarks',
  resultsFiles: 'results-files',
  resultsConsole: 'results-console',
  errorsFiles: 'errors-files',
  errorsLive: 'errors-live',
} as const;

/** Side output of `validate`. */
export const errorsTag = new OutputTag('errors', ReadingError);

/** Readings that obey every rule; the others are in the side output `errors`. */
export function validReadings(
  env: StreamExecutionEnvironment,
  { source, parallelism }: ReadingsParams,
): SingleOutputStream<typeof Reading.fields> {
  const raw: SingleOutputStream<typeof RawReading.fields> =
    source.kind === 'simulator'
      ? env.fromSource(new IotSimulator(source.options), 'readings')
      : env.fromSource(new FileSource(source.options), 'readings');
  return raw
    .setParallelism(parallelism.source)
    .uid(READINGS.source)
    .process('validate', { output: Reading, sideOutputs: [errorsTag], create: () => validate })
    .setParallelism(parallelism.source)
    .uid(READINGS.validate);
}

/** Event time: each reading's own. */
export function inEventTime(
  valid: DataStream<typeof Reading.fields>,
  { outOfOrdernessMs, watermarkEmit, idleTimeoutMs, alignmentMs, parallelism }: ReadingsParams,
): SingleOutputStream<typeof Reading.fields> {
  const bounded = boundedOutOfOrderness(outOfOrdernessMs, { emit: watermarkEmit, idleTimeoutMs });
  const strategy = bounded.withOrigin<typeof Reading.fields>('device_id');
  return valid
    .assignTimestampsAndWatermarks(
      alignmentMs === null ? strategy : strategy.withWatermarkAlignment(READINGS.source, alignmentMs),
      'watermarks',
    )
    .setParallelism(parallelism.source)
    .uid(READINGS.watermarks);
}

/** Results to the console, or as CSV to a directory of that name. */
export function showResults<F extends Fields>(
  results: DataStream<F>,
  directory: string,
  { console, output }: ReadingsParams,
): void {
  if (console !== null)
    results.sinkTo(new ConsoleSink({ terminal: console === 'table' }), 'console').uid(READINGS.resultsConsole);
  if (output !== null)
    results
      .sinkTo(new FileSink({ directory: `${output}/${directory}`, format: new CsvFormat() }), `${directory} files`)
      .uid(READINGS.resultsFiles);
}

/** Refused lines to the error log, and counted by reason. */
export function showErrors(valid: SingleOutputStream<typeof Reading.fields>, params: ReadingsParams): void {
  const errors = valid.sideOutput(errorsTag);
  if (params.output !== null) {
    const format = new NdjsonFormat({ omitNull: ['payload_bytes'] });
    errors
      .sinkTo(new FileSink({ directory: `${params.output}/errors`, format }), 'error log')
      .setParallelism(params.parallelism.source)
      .uid(READINGS.errorsFiles);
  }
  errors.sinkTo(new ErrorsTap(), 'live errors').setParallelism(params.parallelism.source).uid(READINGS.errorsLive);
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
