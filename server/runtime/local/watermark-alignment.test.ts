import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f64, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import type { WatermarkReport } from '#engine/operators/watermark-report.ts';
import type { WatermarkOutput } from '#engine/time/watermark-generators.ts';
import { boundedOutOfOrderness, forGenerator, type WatermarkStrategy } from '#engine/time/watermark-strategy.ts';
import { count } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink, fromRows, type TimedRow } from '#testing/collect.ts';
import { LocalExecutor } from './local-executor.ts';

const S = schema({ key: string(), v: f64() });
type S = typeof S.fields;

/** A row for each second of event time. */
const seconds = (n: number, key: string): TimedRow<S>[] =>
  Array.from({ length: n }, (_, i) => ({ row: { key, v: 1 }, time: i * 1000 }));

const plain = (): WatermarkStrategy => boundedOutOfOrderness(0, { emit: 'on-event' });

interface Pace {
  readonly name: string;
  readonly rows: readonly TimedRow<S>[];
  readonly everyMs: number;
  readonly strategy: WatermarkStrategy;
  readonly splits?: number;
  readonly splitOf?: (i: number) => number;
}

/** Sources that give a row every so many ms, each with its watermarks, into windows of a second. */
function job(paces: readonly Pace[], seed = 1): { executor: LocalExecutor; sink: CollectSink } {
  const env = new StreamExecutionEnvironment({ name: 'aligned', parallelism: 1 });
  const sink = new CollectSink();
  const [first, ...others] = paces.map(
    ({ name, strategy, rows, ...pace }): DataStream<S> =>
      env
        .fromSource(fromRows(S, rows, { cut: () => 1, ...pace }), name)
        .assignTimestampsAndWatermarks(strategy, `${name} watermarks`)
        .uid(`${name}-watermarks`),
  );
  (first as DataStream<S>)
    .union(...others)
    .keyBy('key')
    .window(TumblingEventTimeWindows.of(1000))
    .aggregate({ n: count() })
    .uid('windows')
    .sinkTo(sink, 'sink');
  return { executor: new LocalExecutor(env.jobGraph(), { seed, channels: 'mixed' }), sink };
}

function openWindows(executor: LocalExecutor): number {
  const query = { keys: ['fast', 'slow'], limit: 1e6, perKey: 1e6 };
  return (executor.inspect('windows', query) as { open: unknown[] }[]).reduce((n, { open }) => n + open.length, 0);
}

/** Flink's watermarkAlignmentDrift of a maker's only subtask, ms; NaN: nothing limits it. And the share of its splits that wait. */
function alignmentOf(executor: LocalExecutor, vertex: number): { drift: number; waiting: number } {
  const task = executor.cells[vertex]?.[0] as Float64Array;
  return {
    drift: operatorCells(task, 1)[OperatorCell.ALIGNMENT_DRIFT] as number,
    waiting: operatorCells(task, 0)[OperatorCell.WAITING] as number,
  };
}

/** Watermark of a maker's only subtask. */
function watermarkOf(executor: LocalExecutor, name: string): number {
  return (executor.inspect(`${name}-watermarks`, {})[0] as { watermark: number }).watermark;
}

/** The fast source goes through 100 s of event time a second, the slow one through 10. */
function fastAndSlow(strategy: WatermarkStrategy, seed = 1) {
  return job(
    [
      { name: 'fast', rows: seconds(1000, 'fast'), everyMs: 10, strategy },
      { name: 'slow', rows: seconds(200, 'slow'), everyMs: 100, strategy },
    ],
    seed,
  );
}

describe('aligned sources', () => {
  it('WA1 a fast source beside a slow one keeps a bounded number of windows open, and without it does not', () => {
    const most = (strategy: WatermarkStrategy): number => {
      const { executor } = fastAndSlow(strategy);
      let open = 0;
      for (let ms = 0; ms < 8000; ms += 50) {
        executor.advance(50);
        open = Math.max(open, openWindows(executor));
      }
      executor.close();
      return open;
    };
    // 5 s of drift, the slow source's second of event time per window, and what a fast one reads between two comparisons: 10 s.
    expect(most(plain().withWatermarkAlignment('group', 5000, 100))).toBeLessThanOrEqual(18);
    expect(most(plain())).toBeGreaterThan(600);
  });

  it('WA1 results are the same with it', () => {
    const results = (strategy: WatermarkStrategy): string[] => {
      const { executor, sink } = fastAndSlow(strategy);
      executor.run();
      return sink.rows.map(({ row }) => JSON.stringify(row)).sort();
    };
    expect(results(plain().withWatermarkAlignment('group', 5000))).toEqual(results(plain()));
  });

  it('WA2 WA9 WA10 a subtask beyond the smallest watermark of the group + drift reads nothing until it may, by the interval', () => {
    const strategy = plain().withWatermarkAlignment('group', 2000, 1000);
    const { executor } = job([
      { name: 'fast', rows: seconds(1000, 'fast'), everyMs: 10, strategy },
      { name: 'slow', rows: seconds(100, 'slow'), everyMs: 1500, strategy },
    ]);
    executor.advance(0);
    expect([watermarkOf(executor, 'fast'), watermarkOf(executor, 'slow')]).toEqual([-1, -1]);
    // Nothing was compared after the first watermarks yet.
    executor.advance(999);
    expect(watermarkOf(executor, 'fast')).toBe(98_999);
    executor.advance(500);
    expect(alignmentOf(executor, 0)).toEqual({ drift: 98_999 - 1999, waiting: 1 });
    expect(alignmentOf(executor, 1)).toEqual({ drift: -1 - 100_999, waiting: 0 });
    const fast = executor.inspect('fast-watermarks', {})[0] as WatermarkReport;
    const slow = executor.inspect('slow-watermarks', {})[0] as WatermarkReport;
    expect(fast.alignment).toEqual({ group: 'group', maxDriftMs: 2000, waits: true });
    expect(fast.splits).toMatchObject([{ name: 'rows-0', waits: true }]);
    expect(slow.alignment).toMatchObject({ waits: false });
    expect(slow.splits).toMatchObject([{ waits: false }]);
    expect(watermarkOf(executor, 'fast')).toBe(98_999);
    // The slow one has come to 96 s: at the next comparison the fast one may go on.
    executor.advance(96 * 1500 + 1000);
    expect(watermarkOf(executor, 'fast')).toBeGreaterThan(98_999);
  });

  it('WA2 it stops behind the batch that took it there, even where its watermark comes out later', () => {
    const strategy = boundedOutOfOrderness(0, { emit: 700 }).withWatermarkAlignment('group', 1000, 100);
    const { executor } = fastAndSlow(strategy);
    let held = 0;
    for (let ms = 0; ms < 13_000; ms += 10) {
      executor.advance(10);
      const { drift, waiting } = alignmentOf(executor, 0);
      const { watermark, splits } = executor.inspect('fast-watermarks', {})[0] as WatermarkReport;
      // Until the first comparison nothing is known.
      if (ms < 1500) continue;
      if (waiting > 0 && watermark < (splits[0]?.watermark ?? 0)) held++;
      // Once in the limit, it passes it by the one row of a batch; the first time there was none.
      if (ms > 10_000) expect(drift).toBeLessThanOrEqual(1000);
    }
    expect(held).toBeGreaterThan(10);
  });

  it('WA3 one without watermark does not count, idle and finished ones hold nobody back', () => {
    const strategy = plain().withWatermarkAlignment('group', 1000, 100);
    const silent = forGenerator(() => ({ onEvent: () => {}, onPeriodicEmit: () => {} }));
    const without = job([
      { name: 'fast', rows: seconds(100, 'fast'), everyMs: 10, strategy },
      {
        name: 'slow',
        rows: seconds(5, 'slow'),
        everyMs: 1e6,
        strategy: silent.withWatermarkAlignment('group', 1000, 100),
      },
    ]).executor;
    without.advance(900);
    expect(watermarkOf(without, 'fast')).toBeGreaterThan(80_000);

    const idle = job([
      { name: 'fast', rows: seconds(100, 'fast'), everyMs: 10, strategy: strategy.withIdleness(500) },
      { name: 'slow', rows: seconds(5, 'slow'), everyMs: 1e6, strategy: strategy.withIdleness(500) },
    ]).executor;
    idle.advance(500);
    expect(watermarkOf(idle, 'fast')).toBeLessThan(20_000);
    idle.advance(2000);
    expect(watermarkOf(idle, 'fast')).toBe(Number.POSITIVE_INFINITY);

    const finished = job([
      { name: 'fast', rows: seconds(100, 'fast'), everyMs: 10, strategy },
      { name: 'slow', rows: seconds(3, 'slow'), everyMs: 100, strategy },
    ]).executor;
    finished.advance(2500);
    expect(watermarkOf(finished, 'fast')).toBe(Number.POSITIVE_INFINITY);
  });

  it('WA4 groups know nothing of each other', () => {
    const { executor } = job([
      { name: 'fast', rows: seconds(500, 'fast'), everyMs: 10, strategy: plain().withWatermarkAlignment('a', 0, 50) },
      { name: 'slow', rows: seconds(500, 'slow'), everyMs: 500, strategy: plain().withWatermarkAlignment('b', 0, 50) },
    ]);
    executor.advance(2000);
    expect(watermarkOf(executor, 'fast')).toBeGreaterThan(30_000);
  });

  it('WM5 time in which a source waits for others counts for no timeout', () => {
    const strategy = plain().withIdleness(1000).withWatermarkAlignment('group', 1000, 100);
    const { executor } = job([
      { name: 'fast', rows: seconds(100, 'fast'), everyMs: 10, strategy },
      { name: 'slow', rows: seconds(20, 'slow'), everyMs: 900, strategy },
    ]);
    for (let ms = 0; ms < 8000; ms += 100) {
      executor.advance(100);
      expect((executor.inspect('fast-watermarks', {})[0] as { idle: boolean }).idle).toBe(false);
    }
  });

  it('WA5 a job that is stopped ends, also where a source waits', () => {
    const { executor } = fastAndSlow(plain().withWatermarkAlignment('group', 1000, 100));
    executor.advance(1000);
    executor.stop();
    executor.run();
    expect(executor.finished).toBe(true);
  });

  it('WA6 settings that cannot work, and places where nothing can be held, are refused by name', () => {
    expect(() => plain().withWatermarkAlignment('g', -1)).toThrow('The alignment drift must be 0 or more, not -1 ms.');
    expect(() => plain().withWatermarkAlignment('g', 1, 0)).toThrow('The alignment interval must be more than 0');
    const env = new StreamExecutionEnvironment({ name: 'x', parallelism: 2 });
    env
      .fromSource(fromRows(S, []), 'rows')
      .rebalance()
      .assignTimestampsAndWatermarks(plain().withWatermarkAlignment('g', 1), 'late watermarks')
      .sinkTo(new CollectSink(), 'sink');
    expect(() => env.jobGraph()).toThrow(
      'late watermarks: watermarks can be aligned only where they are made in the source',
    );
  });

  it('WA7 in any pace and order nobody passes the smallest watermark + drift by more than it reads between two comparisons', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 5, max: 200 }), { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(1000),
        (paces, driftSeconds, intervalMs, seed) => {
          const strategy = plain().withWatermarkAlignment('group', driftSeconds * 1000, intervalMs);
          const { executor } = job(
            paces.map((everyMs, i) => ({ name: `s${i}`, rows: seconds(100_000, 'k'), everyMs, strategy })),
            seed,
          );
          for (let ms = 0; ms < 2000; ms += 37) {
            executor.advance(37);
            const all = paces.map((_, i) => watermarkOf(executor, `s${i}`));
            const least = Math.min(...all);
            for (const [i, watermark] of all.entries()) {
              const between = Math.ceil(intervalMs / (paces[i] as number)) + 2;
              expect(watermark - least).toBeLessThanOrEqual((driftSeconds + between) * 1000);
            }
          }
          executor.close();
        },
      ),
      { numRuns: 20, seed: 3 },
    );
  });
});

/** One source subtask whose splits take turns, a row each; of each split the event times of its rows. */
function splitJob(times: readonly (readonly number[])[], strategy: WatermarkStrategy, everyMs = 10) {
  const of = times.flatMap((own, split) => own.map(() => split));
  const rows = times.flatMap((own, split) => own.map((time) => ({ row: { key: `s${split}`, v: 1 }, time })));
  return job([{ name: 'source', rows, everyMs, strategy, splits: times.length, splitOf: (i) => of[i] as number }]);
}

/** `n` rows, one every `stepMs` of event time. */
const every = (stepMs: number, n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i * stepMs);

const reportOf = (executor: LocalExecutor): WatermarkReport =>
  executor.inspect('source-watermarks', {})[0] as WatermarkReport;

function keysOpen(executor: LocalExecutor, keys: readonly string[]): number {
  const answers = executor.inspect('windows', { keys, limit: 1e6, perKey: 1e6 }) as { open: unknown[] }[];
  return answers.reduce((n, { open }) => n + open.length, 0);
}

describe('aligned splits of one subtask', () => {
  const aligned = plain().withWatermarkAlignment('group', 5000, 100);

  it('WA8 a split that is too far ahead waits while the others go on, and keeps a bounded number of windows open', () => {
    const run = (strategy: WatermarkStrategy) => {
      // In turns one split goes through 10 s of event time while the other goes through 1 s.
      const { executor, sink } = splitJob([every(10_000, 100), every(1000, 1000)], strategy);
      let most = 0;
      let waiting = 0;
      for (let ms = 0; ms < 2000; ms += 10) {
        executor.advance(10);
        most = Math.max(most, keysOpen(executor, ['s0', 's1']));
        if (alignmentOf(executor, 0).waiting === 0.5) waiting++;
      }
      executor.run();
      return { most, waiting, results: sink.rows.map(({ row }) => JSON.stringify(row)).sort() };
    };
    const [with_, without] = [run(aligned), run(plain())];
    expect(with_.most).toBeLessThanOrEqual(4);
    expect(with_.waiting).toBeGreaterThan(100);
    expect(without.most).toBeGreaterThan(50);
    expect(with_.results).toEqual(without.results);
    expect(with_.results).toHaveLength(1100);
  });

  it('WA10 tells of every split whether it waits', () => {
    const { executor } = splitJob([every(10_000, 100), every(1000, 1000), []], aligned);
    executor.advance(100);
    expect(reportOf(executor).alignment).toEqual({ group: 'group', maxDriftMs: 5000, waits: false });
    expect(reportOf(executor).splits.map(({ waits }) => waits)).toEqual([true, false]);
    const free = splitJob([every(1000, 10)], plain()).executor;
    free.advance(20);
    expect(reportOf(free)).toMatchObject({ alignment: null, splits: [{ waits: false }] });
  });

  it('WA8 with a drift of 0 splits of one pace go on side by side, and nobody waits for the next comparison', () => {
    const { executor } = splitJob(
      [every(1000, 50), every(1000, 50), every(1000, 50)],
      plain().withWatermarkAlignment('g', 0, 1e6),
    );
    // A row every 10 ms and none lost: the comparison of subtasks, which comes once in 1,000 s, has no part in it.
    executor.advance(1600);
    expect(executor.finished).toBe(true);
  });

  it('WA8 splits wait for other subtasks as well', () => {
    const strategy = plain().withWatermarkAlignment('group', 2000, 100);
    const rows = [every(1000, 500), every(1000, 500, 60_000)].flatMap((own, split) =>
      own.map((time) => ({ row: { key: `s${split}`, v: 1 }, time })),
    );
    const { executor } = job([
      { name: 'source', rows, everyMs: 10, strategy, splits: 2, splitOf: (i) => Math.floor(i / 500) },
      { name: 'slow', rows: seconds(100, 'slow'), everyMs: 1000, strategy },
    ]);
    executor.advance(5500);
    const [first, second] = reportOf(executor).splits;
    // The slow source is at 5 s. One split is as far as it may; the other was a minute ahead from the start.
    expect(first?.watermark).toBeGreaterThanOrEqual(6999);
    expect(first?.watermark).toBeLessThan(20_000);
    expect(second?.watermark).toBeLessThan(75_000);
    expect(alignmentOf(executor, 0).waiting).toBe(1);
    expect(reportOf(executor).splits.map(({ waits }) => waits)).toEqual([true, true]);
    executor.run();
    expect(executor.finished).toBe(true);
  });

  it('WA3 a split without watermark does not count, one that is idle or has ended holds nobody back', () => {
    const furthest = (onSecond: (time: number, output: WatermarkOutput) => void): number => {
      const strategy = forGenerator<S>(
        () => ({
          onEvent: ({ key }, time, output) => (key === 's1' ? onSecond : move)(time, output),
          onPeriodicEmit: () => {},
        }),
        { emit: 'on-event' },
      ).withWatermarkAlignment('group', 5000, 100) as unknown as WatermarkStrategy;
      const { executor } = splitJob([every(1000, 200), every(1, 200)], strategy);
      executor.advance(1500);
      return reportOf(executor).splits[0]?.watermark ?? 0;
    };
    const move = (time: number, output: WatermarkOutput): void => output.emitWatermark(time - 1);
    expect(furthest(move)).toBeLessThan(10_000);
    expect(furthest(() => {})).toBeGreaterThan(70_000);
    expect(
      furthest((time, output) => {
        move(time, output);
        output.markIdle();
      }),
    ).toBeGreaterThan(70_000);

    const ended = splitJob([every(1000, 200), every(1, 10)], aligned).executor;
    ended.advance(1000);
    expect(reportOf(ended).splits.map(({ name }) => name)).toEqual(['rows-0']);
    expect(reportOf(ended).watermark).toBeGreaterThan(50_000);
  });

  it('WM5 time in which a split waits for others counts for no timeout', () => {
    // The first row of one split is so far ahead that it waits for all of the other's.
    const strategy = aligned.withIdleness(1000);
    const { executor } = splitJob([[1e6, 1e6 + 1], every(1000, 600)], strategy);
    for (let ms = 0; ms < 5000; ms += 100) {
      executor.advance(100);
      expect(reportOf(executor).splits.map(({ idle }) => idle)).toEqual([false, false]);
    }
  });

  it('WA7 WA8 in any pace and order no split passes the smallest watermark of the others + drift by more than one batch', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 0, max: 20_000 }),
        fc.nat(1000),
        (steps, driftMs, seed) => {
          const strategy = plain().withWatermarkAlignment('group', driftMs, 1e6);
          const { executor } = splitJob(
            steps.map((stepMs) => every(stepMs, 60, seed)),
            strategy,
          );
          while (!executor.finished) {
            executor.advance(10);
            const all = reportOf(executor).splits.filter(({ watermark }) => Number.isFinite(watermark));
            for (const { name, watermark } of all) {
              const others = all.filter((other) => other.name !== name).map((other) => other.watermark);
              const step = steps[Number(name?.slice('rows-'.length))] as number;
              if (others.length > 0) expect(watermark - Math.min(...others)).toBeLessThanOrEqual(driftMs + step);
            }
          }
        },
      ),
      { numRuns: 30, seed: 5 },
    );
  });
});
