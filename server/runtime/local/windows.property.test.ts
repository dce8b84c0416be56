import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { f64, schema, string, timestamp } from '#engine/batch/schema.ts';
import { lateTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { avg, count, max, min } from '#engine/window/aggregates.ts';
import { SlidingEventTimeWindows, TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink, fromRows, type TimedRow } from '#testing/collect.ts';
import { type ModelResult, runModel, sliding, tumbling } from '#testing/reference-model.ts';
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

interface Run {
  readonly rows: readonly TimedRow<Reading>[];
  readonly sizeMs: number;
  /** Null: tumbling windows. */
  readonly slideMs: number | null;
  readonly boundMs: number;
  readonly latenessMs: number;
  readonly source: { readonly parallelism: number; readonly splits: number };
  readonly windows: number;
  readonly channels: 'direct' | 'ring' | 'mixed';
  readonly seed: number;
}

/** The main job: validation that forwards or makes rows, watermarks, windows, late rows. */
function runEngine(run: Run): { windows: unknown[][]; late: unknown[][] } {
  const random = new Random(run.seed);
  const large = random.next() < 0.5;
  const env = new StreamExecutionEnvironment({ name: 'iot', parallelism: run.windows });
  const copies = random.below(3);
  const windows = env
    .fromSource(
      fromRows(Reading, run.rows, { splits: run.source.splits, cut: () => 1 + random.below(large ? 300 : 4) }),
      'readings',
    )
    .setParallelism(run.source.parallelism)
    .process('validate', {
      output: Reading,
      create: () => (row, _ctx, out) => {
        if (copies === 2 || (copies === 1 && row.temperature > 20)) out.collect(row);
        else out.forward();
      },
    })
    .setParallelism(run.source.parallelism)
    .assignTimestampsAndWatermarks(boundedOutOfOrderness(run.boundMs, { emit: 'on-event' }))
    .setParallelism(run.source.parallelism)
    .keyBy('device_id')
    .window(
      run.slideMs === null
        ? TumblingEventTimeWindows.of(run.sizeMs)
        : SlidingEventTimeWindows.of(run.sizeMs, run.slideMs),
    )
    .allowedLateness(run.latenessMs)
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
  const results = new CollectSink();
  const lateRows = new CollectSink();
  windows.sinkTo(results as Sink, 'results');
  windows
    .sideOutput(late)
    .sinkTo(lateRows as Sink, 'late')
    .setParallelism(1 + random.below(2));
  new LocalExecutor(env.jobGraph(), { seed: run.seed, channels: run.channels }).run();
  return {
    windows: results.rows.map((r) => Object.values(r.row)),
    late: lateRows.rows.map(({ row }) => [row.device_id, row.event_timestamp, row.temperature, row.watermark]),
  };
}

function runReference(run: Run): ModelResult {
  const lines = run.rows.map(({ row }) => JSON.stringify(row)).join('\n');
  return runModel(Buffer.from(lines), {
    assign: run.slideMs === null ? tumbling(run.sizeMs) : sliding(run.sizeMs, run.slideMs),
    outOfOrdernessMs: run.boundMs,
    allowedLatenessMs: run.latenessMs,
  });
}

const byText = (rows: readonly unknown[]): string[] => rows.map((r) => JSON.stringify(r)).sort();
const lateOf = (model: ModelResult): unknown[][] =>
  model.late.map((l) => [l.device_id, l.event_timestamp, l.temperature, l.watermark]);

/** The same windows; averages to 1e-9 relative, because with several readers, and with slices, sums add up in another order. */
function expectSameWindows(engine: readonly (readonly unknown[])[], model: readonly (readonly unknown[])[]): void {
  const inOrder = (rows: typeof engine) =>
    [...rows].sort((x, y) => String(x[0]).localeCompare(String(y[0])) || Number(x[1]) - Number(y[1]));
  const [got, wanted] = [inOrder(engine), inOrder(model)];
  const averages = [6, 9, 12];
  const exact = (rows: typeof engine) => rows.map((row) => row.filter((_, i) => !averages.includes(i)));
  expect(exact(got)).toEqual(exact(wanted));
  for (const [n, row] of got.entries()) {
    for (const i of averages) {
      const [a, b] = [row[i] as number, wanted[n]?.[i] as number];
      expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(b)));
    }
  }
}

const readings = (
  random: Random,
  n: number,
  step: number,
  disorder: number,
  devices: number,
  jump: boolean,
): TimedRow<Reading>[] => {
  let clock = 1_000_000;
  return Array.from({ length: n }, (_, i) => {
    clock += random.below(step);
    if (jump && i === n >> 1) clock += 10_000_000;
    const event_timestamp = Math.max(0, clock - Math.floor(random.exponential() * disorder));
    const row = {
      device_id: `device-${random.below(devices)}`,
      event_timestamp,
      temperature: Math.round(random.normal() * 1000) / 100 + 20,
      humidity: random.below(101),
      pressure: 1000 + random.below(9) / 8,
    };
    return { row, time: event_timestamp };
  });
};

const shape = fc
  .record({
    seed: fc.integer({ min: 1, max: 2 ** 31 }),
    n: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 600 })),
    step: fc.constantFrom(1, 3, 20, 400),
    devices: fc.constantFrom(1, 2, 7, 50),
    sizeMs: fc.constantFrom(1, 7, 100, 1000, 5000),
    slide: fc.constantFrom(null, null, 0.05, 0.4, 1.5),
    channels: fc.constantFrom('direct' as const, 'ring' as const, 'mixed' as const),
    jump: fc.boolean(),
  })
  .map((s) => ({ ...s, slideMs: s.slide === null ? null : Math.ceil(s.sizeMs * s.slide) }));

describe('the IoT job against the reference model', () => {
  it('DT3 at parallelism 1, watermarks after every row: the same windows, re-firings and late rows in order, whatever the batches, channels and parallelism behind', () => {
    const disorderly = fc.record({
      disorder: fc.constantFrom(0, 5, 50, 2000),
      boundMs: fc.constantFrom(0, 10, 500),
      latenessMs: fc.constantFrom(0, 1, 100, 3000),
      windows: fc.integer({ min: 1, max: 4 }),
    });
    let lateSeen = 0;
    let again = 0;
    fc.assert(
      fc.property(shape, disorderly, (s, d) => {
        const rows = readings(new Random(s.seed), s.n, s.step, d.disorder, s.devices, s.jump);
        const run: Run = {
          rows,
          sizeMs: s.sizeMs,
          slideMs: s.slideMs,
          boundMs: d.boundMs,
          latenessMs: d.latenessMs,
          source: { parallelism: 1, splits: 1 },
          windows: d.windows,
          channels: s.channels,
          seed: s.seed,
        };
        const engine = runEngine(run);
        const model = runReference(run);
        // Windows that one watermark fires come in no order between keys; the firings of one window do.
        expectSameWindows(engine.windows, model.windows);
        if (s.slideMs === null) expect(byText(engine.windows)).toEqual(byText(model.windows));
        expect(byText(engine.late)).toEqual(byText(lateOf(model)));
        const last = (all: readonly (readonly unknown[])[]): string[] =>
          byText([...new Map(all.map((r) => [`${r[0]} ${r[1]}`, r.slice(0, 6)])).values()]);
        expect(last(engine.windows)).toEqual(last(model.windows));
        lateSeen += model.late.length;
        again += model.windows.length - last(model.windows).length;
      }),
      { numRuns: 300 },
    );
    // That there was something to see at all: of 300 random inputs some 6,000 rows are late and 900 to 1,700 windows fire again.
    expect([lateSeen > 1000, again > 300]).toEqual([true, true]);
  });

  it('DT4 at parallelism 1 to 4 with several splits, where nothing can be late: the same windows', () => {
    const wide = fc.record({
      sources: fc.integer({ min: 1, max: 4 }),
      splits: fc.integer({ min: 1, max: 6 }),
      windows: fc.integer({ min: 1, max: 4 }),
      latenessMs: fc.constantFrom(0, 1000),
      disorder: fc.nat(50),
    });
    fc.assert(
      fc.property(shape, wide, (s, w) => {
        const rows = readings(new Random(s.seed), s.n, s.step, w.disorder, s.devices, s.jump);
        // The bound covers the largest disorder there is, so that no row is behind the watermark of its split.
        let highest = 0;
        let boundMs = 0;
        for (const { time } of rows) {
          highest = Math.max(highest, time ?? 0);
          boundMs = Math.max(boundMs, highest - (time ?? 0));
        }
        const run: Run = {
          rows,
          sizeMs: s.sizeMs,
          slideMs: s.slideMs,
          boundMs,
          latenessMs: w.latenessMs,
          source: { parallelism: w.sources, splits: w.splits },
          windows: w.windows,
          channels: s.channels,
          seed: s.seed,
        };
        const engine = runEngine(run);
        expect(engine.late).toEqual([]);
        expectSameWindows(engine.windows, runReference(run).windows);
      }),
      { numRuns: 300 },
    );
  });

  it('DT5 the same input cut differently gives the same rows in the same order, to the last bit', () => {
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 2 ** 31 }), (s, other) => {
        const rows = readings(new Random(s.seed), s.n, s.step, 100, s.devices, s.jump);
        const run: Run = {
          rows,
          sizeMs: s.sizeMs,
          slideMs: s.slideMs,
          boundMs: 50,
          latenessMs: 500,
          source: { parallelism: 1, splits: 1 },
          windows: 1,
          channels: 'direct',
          seed: s.seed,
        };
        const [one, two] = [runEngine(run), runEngine({ ...run, seed: other, channels: s.channels })];
        expect(byText(two.windows)).toEqual(byText(one.windows));
        expect(byText(two.late)).toEqual(byText(one.late));
      }),
      { numRuns: 100 },
    );
  });
});
