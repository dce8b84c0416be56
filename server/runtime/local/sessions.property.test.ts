import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { f64, schema, string, timestamp } from '#engine/batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '#engine/exchange/key-groups.ts';
import { type KeyedStream, lateTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { avg, count, max, min } from '#engine/window/aggregates.ts';
import { EventTimeSessionWindows } from '#engine/window/session-windows.ts';
import { CollectSink, fromRows, type TimedRow } from '#testing/collect.ts';
import type { OperatorHarness, PlainRow } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { judge, linesOf, type ModelReading, type ModelResult, runModel, session } from '#testing/reference-model.ts';
import { LocalExecutor } from './local-executor.ts';

const Reading = schema({
  device_id: string(),
  event_timestamp: timestamp(),
  temperature: f64(),
  humidity: f64(),
  pressure: f64(),
});
type Reading = typeof Reading.fields;
const late = lateTag('late', Reading);

interface Settings {
  readonly gapMs: number;
  readonly boundMs: number;
  readonly latenessMs: number;
}

/** The windows of the IoT job. */
function windowsOf(keyed: KeyedStream<Reading, 'device_id'>, { gapMs, latenessMs }: Settings) {
  return keyed
    .window(EventTimeSessionWindows.withGap(gapMs))
    .allowedLateness(latenessMs)
    .sideOutputLateData(late)
    .aggregate({
      count: count(),
      tMin: min('temperature'),
      tMax: max('temperature'),
      tAvg: avg('temperature'),
      hMin: min('humidity'),
      hMax: max('humidity'),
      hAvg: avg('humidity'),
      pMin: min('pressure'),
      pMax: max('pressure'),
      pAvg: avg('pressure'),
    });
}

function model(readings: readonly ModelReading[], settings: Settings): ModelResult {
  return runModel(Buffer.from(readings.map((reading) => JSON.stringify(reading)).join('\n')), {
    assign: session(settings.gapMs),
    merging: true,
    outOfOrdernessMs: settings.boundMs,
    allowedLatenessMs: settings.latenessMs,
  });
}

const byText = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
const lateRow = (r: PlainRow | ModelReading) => {
  const { device_id, event_timestamp, temperature, watermark } = r as PlainRow;
  return [device_id, event_timestamp, temperature, watermark];
};
/** All firings of each device in order: those of different devices come in no order. */
function byDevice(rows: readonly (readonly unknown[])[]): Map<unknown, unknown[]> {
  const devices = new Map<unknown, unknown[]>();
  for (const row of rows) devices.set(row[0], [...(devices.get(row[0]) ?? []), row]);
  return new Map([...devices].sort());
}

/** Devices that send in bursts, fall silent, and come late. */
function readings(random: Random, n: number, devices: number, settings: Settings): ModelReading[] {
  let clock = 1_000_000;
  return Array.from({ length: n }, () => {
    clock += random.below(4) === 0 ? random.below(3 * settings.gapMs) : random.below(Math.max(1, settings.gapMs >> 2));
    const delay = random.below(3) === 0 ? random.below(4 * settings.gapMs + settings.boundMs) : 0;
    return {
      device_id: `device-${random.below(devices)}`,
      event_timestamp: clock - delay,
      temperature: Math.round(random.normal() * 1000) / 100 + 20,
      humidity: random.below(101),
      pressure: 1000 + random.below(9) / 8,
    };
  });
}

const settingsOf = fc.record({
  gapMs: fc.constantFrom(1, 3, 10, 1000),
  boundMs: fc.constantFrom(0, 5, 30, 2000),
  latenessMs: fc.constantFrom(0, 0, 1, 20, 3000),
});

describe('session windows against the reference model', () => {
  it('SE5 batches cut anywhere, watermarks inside them, state taken along to another parallelism at any moment', () => {
    const shape = fc.record({
      seed: fc.integer({ min: 1, max: 2 ** 31 }),
      n: fc.integer({ min: 0, max: 40 }),
      devices: fc.constantFrom(1, 2, 5),
    });
    const seen = { late: 0, again: 0, merged: 0 };
    fc.assert(
      fc.property(shape, settingsOf, ({ seed, n, devices }, settings) => {
        const random = new Random(seed);
        const rows = readings(random, n, devices, settings);
        const wanted = model(rows, settings);
        const got = throughHarnesses(rows, settings, random);
        expect(byDevice(got.windows)).toEqual(byDevice(wanted.windows));
        expect(byText(got.late)).toEqual(byText(wanted.late.map(lateRow)));
        seen.late += wanted.late.length;
        seen.again += wanted.windows.length - new Set(wanted.windows.map((w) => `${w[0]} ${w[1]}`)).size;
        seen.merged += wanted.windows.filter((w) => w[3] > 1).length;
      }),
      { numRuns: 3000 },
    );
    // That there was something to see at all.
    expect([seen.late > 2000, seen.again > 400, seen.merged > 5000]).toEqual([true, true, true]);
  });

  it('SE5 in whole jobs, whatever the channels, and at any parallelism behind one source', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 4 }),
        settingsOf,
        (seed, n, parallelism, settings) => {
          const rows = readings(new Random(seed), n, 7, settings);
          const wanted = model(rows, settings);
          const got = throughJob(rows, settings, parallelism, seed);
          expect(byDevice(got.windows)).toEqual(byDevice(wanted.windows));
          expect(byText(got.late)).toEqual(byText(wanted.late.map(lateRow)));
        },
      ),
      { numRuns: 200 },
    );
  });

  for (const latenessMs of [0, 2000]) {
    it(`SE5 what a real Flink gave for devices that fall silent, lateness ${latenessMs}`, () => {
      const golden = new URL('../../../e2e/golden/sessions/', import.meta.url);
      const read = (file: string) => gunzipSync(readFileSync(new URL(file, golden)));
      const lines = (file: string): unknown[][] =>
        read(`session-3000-late${latenessMs}/${file}`)
          .toString()
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
      const rows = linesOf(read('input.ndjson.gz')).flatMap(({ line }) => {
        const verdict = judge(line);
        return 'reason' in verdict ? [] : [verdict];
      });
      const settings = { gapMs: 3000, boundMs: 5000, latenessMs };
      for (const parallelism of [1, 3]) {
        const got = throughJob(rows, settings, parallelism, 7);
        expect(byText(got.windows)).toEqual(byText(lines('windows.ndjson.gz')));
        const wanted = lines('late.ndjson.gz').map((row) => row.slice(0, 3));
        expect(byText(got.late.map((row) => row.slice(0, 3)))).toEqual(byText(wanted));
      }
    });
  }
});

/** Operators at a parallelism that changes between batches, each time with the state of those before. */
function throughHarnesses(rows: readonly ModelReading[], settings: Settings, random: Random) {
  const result: { windows: unknown[][]; late: unknown[][] } = { windows: [], late: [] };
  const start = (parallelism: number, before: readonly OperatorHarness[]): OperatorHarness[] => {
    const restore = before.map((h) => h.snapshot());
    return Array.from({ length: parallelism }, (_, subtask) =>
      harnessOf(Reading, (stream) => windowsOf(stream.keyBy('device_id'), settings), {
        subtask,
        parallelism,
        ...(before.length > 0 ? { restore } : {}),
      }),
    );
  };
  const collect = (): void => {
    for (const e of harnesses.flatMap((h) => h.emissions())) {
      if (e.kind !== 'row') continue;
      if (e.output === 'main') result.windows.push(Object.values(e.row));
      else result.late.push(lateRow(e.row));
    }
  };
  let harnesses = start(1 + random.below(3), []);
  let highest = Number.NEGATIVE_INFINITY;
  for (let next = 0; next < rows.length; ) {
    const batch = rows.slice(next, next + 1 + random.below(12));
    next += batch.length;
    const marked = batch.map((row) => {
      const watermark = highest - settings.boundMs - 1;
      highest = Math.max(highest, row.event_timestamp);
      return { row, watermark };
    });
    for (const [subtask, h] of harnesses.entries()) {
      const mine = marked.filter(({ row }) => {
        const group = keyGroupOf(javaHash(row.device_id), 128);
        return subtaskOf(group, harnesses.length, 128) === subtask;
      });
      const times = mine.map(({ row }) => row.event_timestamp);
      if (random.below(3) === 0) h.credits(1);
      h.rows(
        mine.map(({ row }) => ({ ...row })),
        { times, watermarks: mine.map(({ watermark }) => watermark) },
      );
      h.drip();
      h.credits(Number.POSITIVE_INFINITY);
      h.watermark(highest - settings.boundMs - 1);
    }
    if (random.below(3) === 0) {
      collect();
      harnesses = start(1 + random.below(3), harnesses);
    }
  }
  for (const h of harnesses) h.watermark(Number.POSITIVE_INFINITY);
  collect();
  return result;
}

function throughJob(rows: readonly ModelReading[], settings: Settings, parallelism: number, seed: number) {
  const random = new Random(seed);
  const timed: TimedRow<Reading>[] = rows.map((row) => ({ row: { ...row }, time: row.event_timestamp }));
  const env = new StreamExecutionEnvironment({ name: 'sessions', parallelism });
  const keyed = env
    .fromSource(fromRows(Reading, timed, { cut: () => 1 + random.below(200) }), 'readings')
    .setParallelism(1)
    .assignTimestampsAndWatermarks(boundedOutOfOrderness(settings.boundMs, { emit: 'on-event' }))
    .setParallelism(1)
    .keyBy('device_id');
  const windows = windowsOf(keyed, settings);
  const results = new CollectSink();
  const lateRows = new CollectSink();
  windows.sinkTo(results as Sink, 'results');
  windows.sideOutput(late).sinkTo(lateRows as Sink, 'late');
  const channels = (['direct', 'ring', 'mixed'] as const)[random.below(3)] ?? 'direct';
  new LocalExecutor(env.jobGraph(), { seed, channels }).run();
  return {
    windows: results.rows.map((r) => Object.values(r.row)),
    late: lateRows.rows.map(({ row }) => lateRow(row)),
  };
}
