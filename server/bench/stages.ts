/**
 * Bench `stages`: where the time of a row goes. The whole job at parallelism 2 in one thread, every exchange a ring, with a look at the clock
 * between any two stages of a batch; so each stage finds the caches as the one before left them.
 *
 *   2 sources ─> validate ─> watermarks ─> partition, write ══ rings ══> read ─> windows
 *
 * Text is measured apart, on 256 KiB that are read again and again.
 */

import { systemClock } from '#base/clock.ts';
import { CsvFormat } from '#connectors/csv/csv-format.ts';
import { LineBuffer } from '#connectors/file/line-buffer.ts';
import { NdjsonDecoder } from '#connectors/file/ndjson-decoder.ts';
import { OutputBuffer } from '#connectors/file/output-buffer.ts';
import { ReadingRows } from '#connectors/file/reading-rows.ts';
import { RawReading } from '#connectors/iot/reading.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { BATCH_ROWS, RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import { warmUpHere } from './local-warm-up.ts';
import { type Series, series } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { STAGES, StagedJob, type StageTimes } from './staged-job.ts';
import { type Digits, TextReadings } from './text-input.ts';

const ROUNDS = 9;
const WARM_UP_ROUNDS = 3;
const ROUND_ROWS = 2_000_000;
const TEXT_BYTES = 1 << 18;
const RESULT_ROWS = 20_000;

export async function stagesBench({ say }: BenchOptions): Promise<Report> {
  say('other jobs first …');
  warmUpHere();
  const pipelines = [1000, 100_000].map((devices) => {
    say(`${devices} devices …`);
    return { devices, stages: pipeline(devices) };
  });
  say('text …');
  const text = [
    { stage: 'decode NDJSON, 2 decimals', ...decode('short') },
    { stage: 'decode NDJSON, 17 digits', ...decode('long') },
    { stage: 'encode CSV results', ...encode() },
  ];
  const [few, many] = pipelines.map((p) => p.stages) as [Record<string, Series>, Record<string, Series>];
  return {
    bench: 'stages',
    question: 'nanoseconds per row of each stage, one thread',
    columns: ['stage', '1000 devices', '100000 devices'],
    rows: [
      ...[...STAGES, 'sum'].map((stage) => [stage, nanos(few[stage]), nanos(many[stage])]),
      ...text.map(({ stage, ...times }) => [stage, nanos(times)]),
    ],
    notes: [
      `Medians [min..max] of ${ROUNDS} rounds of ${ROUND_ROWS / 1e6} M rows. The two stages of the exchange are paid only by rows that cross to`,
      'another thread: half of them at parallelism 2. Results are rows of thirteen columns, three of them averages with all their digits.',
    ],
    data: { pipelines, text },
  };
}

function pipeline(devices: number): Record<string, Series> {
  const job = new StagedJob(parseSimulate(`profile=noise,rate=max,devices=${devices},events=1G`));
  const rounds: StageTimes[] = [];
  for (let i = 0; i < WARM_UP_ROUNDS + ROUNDS; i++) {
    const times = job.run(ROUND_ROWS);
    if (i >= WARM_UP_ROUNDS) rounds.push(times);
  }
  const of = (read: (times: StageTimes) => number): Series => series(rounds.map((t) => read(t) / t.rows));
  return {
    ...Object.fromEntries(STAGES.map((stage) => [stage, of((t) => t.nanos[stage])])),
    sum: of((t) => STAGES.reduce((sum, stage) => sum + t.nanos[stage], 0)),
  };
}

function decode(digits: Digits): Series {
  const readings = new TextReadings(digits);
  let text = '';
  while (text.length < TEXT_BYTES) text += readings.next();
  const dictionary = new Dictionary();
  const decoder = new NdjsonDecoder(dictionary);
  const rows = new ReadingRows(1 << 20);
  const batch = RecordBatch.allocate(RawReading, dictionary);
  const buffer = new LineBuffer(text.length);
  buffer.compact(text.length);
  buffer.added(buffer.bytes.write(text, buffer.end, 'latin1'));
  return rounds(() => {
    let decoded = 0;
    buffer.position = 0;
    while (buffer.position < buffer.stop) {
      rows.bind(batch);
      decoder.decode(buffer, rows);
      rows.finish(batch, buffer.bytes, 0);
      decoded += batch.size;
    }
    return decoded;
  });
}

function encode(): Series {
  const schema = StagedJob.results();
  const batch = resultRows(schema);
  const encoder = new CsvFormat().createEncoder(schema);
  const out = new OutputBuffer(1 << 20);
  return rounds(() => {
    encoder.bind(batch);
    out.length = 0;
    for (let k = 0; k < batch.size; k++) encoder.encode(out, k);
    return batch.size;
  });
}

/** As windows give them: bounds, a count, minima and maxima with two decimals, averages with all their digits. */
function resultRows(schema: Schema): RecordBatch {
  const batch = RecordBatch.allocate(schema);
  const dictionary = batch.dictionaries[0] as Dictionary;
  batch.size = BATCH_ROWS;
  for (const { name, kind } of schema.columns) {
    for (let k = 0; k < BATCH_ROWS; k++) {
      if (kind === 'string') batch.codes(name)[k] = dictionary.codeOf(`device-${k % 1000}`);
      else if (name === 'window_start') batch.f64(name)[k] = 1_700_000_000_000;
      else if (name === 'window_end') batch.f64(name)[k] = 1_700_000_005_000;
      else if (name === 'count') batch.f64(name)[k] = 90 + (k % 9);
      else batch.f64(name)[k] = name.endsWith('_avg') ? 20 + Math.sqrt(k + 2) : (2000 + ((k * 37) % 500)) / 100;
    }
  }
  return batch;
}

/** Nanoseconds per row; `pass` says how many it did. */
function rounds(pass: () => number): Series {
  const values: number[] = [];
  for (let i = 0; i < WARM_UP_ROUNDS + ROUNDS; i++) {
    let done = 0;
    const began = systemClock.nanos();
    while (done < RESULT_ROWS * 10) done += pass();
    if (i >= WARM_UP_ROUNDS) values.push((systemClock.nanos() - began) / done);
  }
  return series(values);
}

function nanos(of: Series | undefined): string {
  if (of === undefined) return '';
  const digits = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
  return `${digits(of.median)} [${digits(of.min)}..${digits(of.max)}]`;
}
