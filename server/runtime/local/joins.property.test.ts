import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { f64, i32, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import { mapState, valueState } from '#engine/state/descriptors.ts';
import type { ValueState } from '#engine/state/keyed-state.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import {
  type AlignedWindows,
  CumulativeEventTimeWindows,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
} from '#engine/window/assigners.ts';
import { CollectSink, fromRows, type TimedRow } from '#testing/collect.ts';
import { LocalExecutor } from './local-executor.ts';

const A = schema({ k: string(), v: i32() });
const B = schema({ w: i32(), of: string() });
const Pairs = schema({ k: string(), v: i32(), w: i32() });
const Groups = schema({ k: string(), start: f64(), end: f64(), v: f64(), w: f64() });
const Totals = schema({ k: string(), at: f64(), total: f64() });

const shape = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  rows: fc.tuple(fc.nat(40), fc.nat(40)),
  keys: fc.constantFrom(1, 3, 8),
  step: fc.constantFrom(1, 3, 10),
  disorder: fc.constantFrom(0, 5, 20),
  sources: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  parallelism: fc.integer({ min: 1, max: 3 }),
  channels: fc.constantFrom('direct' as const, 'ring' as const, 'mixed' as const),
});
type Shape = typeof shape extends fc.Arbitrary<infer S> ? S : never;

interface Event {
  readonly k: string;
  readonly v: number;
  readonly time: number;
}

/** Rows of both streams, and a job over them whose watermarks leave nothing late. */
function job(s: Shape) {
  const random = new Random(s.seed);
  const events = (n: number): Event[] => {
    let clock = 0;
    return Array.from({ length: n }, (_, v) => {
      clock += random.below(s.step);
      return { k: `k${random.below(s.keys)}`, v, time: Math.max(0, clock - random.below(s.disorder + 1)) };
    });
  };
  const [lefts, rights] = [events(s.rows[0]), events(s.rows[1])];
  const env = new StreamExecutionEnvironment({ name: 'pairs', parallelism: s.parallelism });
  const strategy = boundedOutOfOrderness(s.disorder + 1, { emit: 'on-event' });
  const options = (source: number) => ({
    splits: 1 + random.below(3),
    cut: () => 1 + random.below(source === 0 ? 9 : 3),
  });
  const left: TimedRow<typeof A.fields>[] = lefts.map(({ k, v, time }) => ({ row: { k, v }, time }));
  const right: TimedRow<typeof B.fields>[] = rights.map(({ k, v, time }) => ({ row: { w: v, of: k }, time }));
  const a = env
    .fromSource(fromRows(A, left, options(0)), 'a')
    .setParallelism(s.sources[0])
    .assignTimestampsAndWatermarks(strategy)
    .setParallelism(s.sources[0]);
  const b = env
    .fromSource(fromRows(B, right, options(1)), 'b')
    .setParallelism(s.sources[1])
    .assignTimestampsAndWatermarks(strategy)
    .setParallelism(s.sources[1]);
  const run = (
    build: (a: DataStream<typeof A.fields>, b: DataStream<typeof B.fields>) => DataStream<never>,
  ): string[] => {
    const sink = new CollectSink();
    (build(a, b) as unknown as DataStream<typeof A.fields>).sinkTo(sink as Sink, 'out');
    new LocalExecutor(env.jobGraph(), { seed: s.seed, channels: s.channels }).run();
    return sink.rows.map(({ row, time }) => `${Object.values(row).join(' ')} @${time}`).sort();
  };
  return { lefts, rights, random, run };
}

/** Windows of an instant, looked for one by one. */
function windowsAround(windows: AlignedWindows, time: number): [start: number, end: number][] {
  const found: [number, number][] = [];
  for (let start = -100; start <= time; start++) {
    for (let end = time + 1; end <= start + windows.sizeMs; end++) {
      const size = end - start;
      const one =
        windows.kind === 'tumbling'
          ? start % windows.sizeMs === 0 && size === windows.sizeMs
          : windows.kind === 'sliding'
            ? start % windows.slideMs === 0 && size === windows.sizeMs
            : start % windows.sizeMs === 0 && size % windows.stepMs === 0;
      if (one) found.push([start, end]);
    }
  }
  return found;
}

describe('jobs with two inputs against plain models, whatever the batches, channels and parallelism', () => {
  it('IJ8 interval join: all pairs within the bounds', () => {
    let seen = 0;
    fc.assert(
      fc.property(shape, fc.integer({ min: -8, max: 8 }), fc.nat(9), (s, lower, width) => {
        const { lefts, rights, run } = job(s);
        const upper = lower + width;
        const got = run(
          (a, b) =>
            a
              .keyBy('k')
              .intervalJoin(b.keyBy('of'))
              .between(lower, upper)
              .join('pairs', Pairs, (l, r) => ({ k: l.k, v: l.v, w: r.w })) as unknown as DataStream<never>,
        );
        const wanted = lefts.flatMap((l) =>
          rights
            .filter((r) => r.k === l.k && r.time - l.time >= lower && r.time - l.time <= upper)
            .map((r) => `${l.k} ${l.v} ${r.v} @${Math.max(l.time, r.time)}`),
        );
        expect(got).toEqual(wanted.sort());
        seen += wanted.length;
      }),
      { numRuns: 400 },
    );
    expect(seen).toBeGreaterThan(5000);
  });

  it('WJ8 window join and co-group: all pairs, and all rows, of a key and window', () => {
    const windows = fc.constantFrom<AlignedWindows>(
      TumblingEventTimeWindows.of(7),
      SlidingEventTimeWindows.of(9, 4),
      SlidingEventTimeWindows.of(3, 5),
      CumulativeEventTimeWindows.of(9, 3),
    );
    let seen = 0;
    fc.assert(
      fc.property(shape, windows, fc.boolean(), (s, assigner, join) => {
        const { lefts, rights, run } = job(s);
        const got = run((a, b) => {
          const sums = join
            ? a
                .join(b)
                .where('k')
                .equalTo('of')
                .window(assigner)
                .apply('join', Groups, (l, r, { window }) => ({ k: l.k, ...window, v: l.v, w: r.w }))
            : a
                .coGroup(b)
                .where('k')
                .equalTo('of')
                .window(assigner)
                .apply('group', Groups, (ls, rs, { key, window }, out) => {
                  const sum = (all: readonly number[]): number => all.reduce((x, y) => x + y, 0);
                  out.collect({ k: `${key}`, ...window, v: sum(ls.map((l) => l.v)), w: sum(rs.map((r) => r.w)) });
                });
          return sums as unknown as DataStream<never>;
        });
        const groups = new Map<string, { k: string; start: number; end: number; v: number[]; w: number[] }>();
        for (const [side, events] of [['v', lefts] as const, ['w', rights] as const]) {
          for (const { k, v, time } of events) {
            for (const [start, end] of windowsAround(assigner, time)) {
              const group = groups.get(`${k} ${start} ${end}`) ?? { k, start, end, v: [], w: [] };
              groups.set(`${k} ${start} ${end}`, group);
              group[side].push(v);
            }
          }
        }
        const line = (g: { k: string; start: number; end: number }, v: number, w: number): string =>
          `${g.k} ${g.start} ${g.end} ${v} ${w} @${g.end - 1}`;
        const sum = (all: readonly number[]): number => all.reduce((x, y) => x + y, 0);
        const wanted = [...groups.values()].flatMap((g) =>
          join ? g.v.flatMap((v) => g.w.map((w) => line(g, v, w))) : [line(g, sum(g.v), sum(g.w))],
        );
        expect(got).toEqual(wanted.sort());
        seen += wanted.length;
      }),
      { numRuns: 400 },
    );
    expect(seen).toBeGreaterThan(5000);
  });

  it('TI13 connect with timers: what both streams have added of a key by an instant', () => {
    fc.assert(
      fc.property(shape, fc.boolean(), (s, forward) => {
        const { lefts, rights, run } = job(s);
        const asks = 5;
        const got = run((a, b) => {
          // Rows wait in state until the watermark has passed the last of them: what comes out depends on times only.
          const totals = (forward ? a.filter('all', () => true) : a)
            .keyBy('k')
            .connect(b.keyBy('of'))
            .process('totals', {
              output: Totals,
              create: () => {
                let sums: ValueState<Record<string, number>>;
                const add = (time: number, amount: number): void => {
                  const kept = { ...(sums.value() ?? {}) };
                  kept[time] = (kept[time] ?? 0) + amount;
                  sums.update(kept);
                };
                return {
                  open: (ctx) => {
                    sums = ctx.getState(valueState<Record<string, number>>('sums'));
                  },
                  processElement1: (row, { timestamp, timerService }) => {
                    add(timestamp as number, row.v);
                    timerService.registerEventTimeTimer((timestamp as number) + asks);
                  },
                  processElement2: (row, ctx) => add(ctx.timestamp as number, 1000 * row.w),
                  onTimer: (time, ctx, out) => {
                    const until = Object.entries(sums.value() ?? {}).filter(([at]) => Number(at) <= time - asks);
                    const total = until.reduce((sum, [, amount]) => sum + amount, 0);
                    out.collect({ k: `${ctx.currentKey}`, at: time, total });
                  },
                };
              },
            });
          return totals as unknown as DataStream<never>;
        });
        const instants = new Set(lefts.map((l) => `${l.k} ${l.time + asks}`));
        const wanted = [...instants].map((name) => {
          const [k, at] = name.split(' ') as [string, string];
          const by = (events: readonly Event[]): number =>
            events.filter((e) => e.k === k && e.time <= Number(at) - asks).reduce((sum, e) => sum + e.v, 0);
          return `${k} ${at} ${by(lefts) + 1000 * by(rights)} @${at}`;
        });
        expect(got).toEqual(wanted.sort());
      }),
      { numRuns: 300 },
    );
  });
});

describe('a job with a broadcast stream', () => {
  it('BC1 every subtask gets every broadcast row, whatever the channels', () => {
    const limits = mapState<number, string>('limits');
    for (const channels of ['direct', 'ring', 'mixed'] as const) {
      for (let seed = 1; seed <= 20; seed++) {
        const random = new Random(seed);
        const env = new StreamExecutionEnvironment({ name: 'rules', parallelism: 3 });
        const keys = Array.from({ length: 12 }, (_, v) => ({ row: { k: `k${v}`, v }, time: v }));
        const rules = Array.from({ length: 30 }, (_, w) => ({ row: { w, of: `rule${w}` }, time: w }));
        const cut = () => 1 + random.below(5);
        const a = env.fromSource(fromRows(A, keys, { cut }), 'a').setParallelism(1);
        const b = env.fromSource(fromRows(B, rules, { cut, splits: 2 }), 'b').setParallelism(2);
        const sink = new CollectSink();
        a.keyBy('k')
          .connect(b.broadcast(limits))
          .process('rules', {
            output: schema({ k: string(), rules: i32() }),
            create: () => ({
              processElement: (_row, ctx) => ctx.timerService.registerEventTimeTimer(1_000_000),
              processBroadcastElement: (row, ctx) => ctx.getBroadcastState(limits).put(row.w, row.of),
              // Runs at the end of both streams.
              onTimer: (_time, ctx, out) => {
                out.collect({ k: `${ctx.currentKey}`, rules: [...ctx.getBroadcastState(limits).keys()].length });
              },
            }),
          })
          .sinkTo(sink as Sink, 'out');
        new LocalExecutor(env.jobGraph(), { seed, channels }).run();
        const got = sink.rows.map(({ row }) => `${row.k} ${row.rules}`).sort();
        expect(got).toEqual(keys.map(({ row }) => `${row.k} 30`).sort());
      }
    }
  });
});
