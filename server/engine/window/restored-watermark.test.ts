import { describe, expect, it } from 'vitest';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { pairHarnessOf } from '#testing/pair-harness.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { type DataStream, type KeyedStream, lateTag } from '../graph/data-stream.ts';
import { sum } from './aggregates.ts';
import { SlidingEventTimeWindows, TumblingEventTimeWindows, TumblingProcessingTimeWindows } from './assigners.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';
import { EventTimeTrigger } from './triggers.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const late = lateTag('late', S);
type Options = Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore'>;
type Build = (options?: Options) => OperatorHarness;

const windows =
  (of: (rows: KeyedStream<S, 'k'>) => ReturnType<KeyedStream<S, 'k'>['window']>): Build =>
  (options = {}) =>
    harnessOf(
      S,
      (rows: DataStream<S>) =>
        of(rows.keyBy('k'))
          .sideOutputLateData(late)
          .aggregate({ v: sum('v') }),
      options,
    );

const EVENT_TIME: readonly (readonly [string, Build])[] = [
  ['tumbling', windows((rows) => rows.window(TumblingEventTimeWindows.of(10)))],
  ['sliding', windows((rows) => rows.window(SlidingEventTimeWindows.of(10, 5)))],
  ['sessions', windows((rows) => rows.window(EventTimeSessionWindows.withGap(10)))],
  ['general', windows((rows) => rows.window(TumblingEventTimeWindows.of(10)).trigger(EventTimeTrigger.create()))],
];
const OTHERS: readonly (readonly [string, Build])[] = [
  ['processing time', windows((rows) => rows.window(TumblingProcessingTimeWindows.of(10)))],
  ['sessions in processing time', windows((rows) => rows.window(ProcessingTimeSessionWindows.withGap(10)))],
  ['filter', (options = {}) => harnessOf(S, (rows) => rows.filter('all', () => true), options)],
  ['map', (options = {}) => harnessOf(S, (rows) => rows.map('same', S, (row) => ({ k: row.k, v: row.v })), options)],
  [
    'process without keys',
    (options = {}) =>
      harnessOf(
        S,
        (rows) => rows.process('same', { output: S, create: () => (row, _ctx, out) => out.collect(row) }),
        options,
      ),
  ],
  [
    'async',
    (options = {}) =>
      harnessOf(
        S,
        (rows) =>
          rows.asyncWait('ask', {
            output: S,
            ordered: true,
            capacity: 1,
            timeoutMs: 1000,
            create: () => ({ asyncInvoke: (row) => Promise.resolve([row]) }),
          }),
        options,
      ),
  ],
  [
    'count windows',
    (options = {}) =>
      harnessOf(
        S,
        (rows) =>
          rows
            .keyBy('k')
            .countWindow(3)
            .aggregate({ v: sum('v') }),
        options,
      ),
  ],
  [
    'keyed process',
    (options = {}) =>
      harnessOf(
        S,
        (rows) =>
          rows
            .keyBy('k')
            .process('same', { output: S, create: () => ({ processElement: (row, _ctx, out) => out.collect(row) }) }),
        options,
      ),
  ],
];

const PAIRS: readonly (readonly [string, (a: DataStream<S>, b: DataStream<S>) => unknown])[] = [
  [
    'connected streams',
    (a, b) =>
      a
        .keyBy('k')
        .connect(b.keyBy('k'))
        .process('both', {
          output: S,
          create: () => ({ processElement1: () => {}, processElement2: () => {} }),
        }),
  ],
  [
    'interval join',
    (a, b) =>
      a
        .keyBy('k')
        .intervalJoin(b.keyBy('k'))
        .between(0, 1)
        .join('pairs', S, (l) => ({ k: l.k, v: l.v })),
  ],
  [
    'window join',
    (a, b) =>
      a
        .join(b)
        .where('k')
        .equalTo('k')
        .window(TumblingEventTimeWindows.of(10))
        .apply('join', S, (l) => ({ k: l.k, v: l.v })),
  ],
];

const row = (h: OperatorHarness, time: number, watermark?: number): OperatorHarness =>
  h.rows([{ k: 'a', v: time }], { times: [time], ...(watermark === undefined ? {} : { watermarks: [watermark] }) });

describe('operators that go on from a checkpoint', () => {
  it.each([...EVENT_TIME, ...OTHERS])(
    'SR12 %s: a watermark below the restored one takes nobody back; the first one, however low, tells the restored one downstream again',
    (_, build) => {
      const restored = build({ restore: [build().watermark(100).snapshot()] });
      expect(restored.watermark(5).take()).toEqual(['watermark 100']);
      expect(restored.watermark(50).take()).toEqual([]);
      expect(restored.snapshot().watermark).toBe(100);
      expect(restored.watermark(101).take()).toEqual(['watermark 101']);
    },
  );

  it.each(EVENT_TIME)(
    'SR12 %s: what was late stays late, whatever watermark its row comes with, and no window that is over comes back',
    (_, build) => {
      const before = row(build(), 20).watermark(40);
      expect(before.take().filter((line) => line.includes('"v":20')).length).toBeGreaterThan(0);
      for (const watermark of [undefined, Number.NEGATIVE_INFINITY, 3, 21, 40]) {
        const restored = build({ restore: [before.snapshot()] });
        expect(row(restored, 22, watermark).take()).toEqual([
          'late {"k":"a","v":22,"watermark":40,"late_by_ms":18} @22',
        ]);
        row(restored, 45, watermark).watermark(20).watermark(99);
        expect(
          restored.take().filter((line) => line.startsWith('{') && line.includes('"v":45')).length,
        ).toBeGreaterThan(0);
        expect(restored.take()).toEqual([]);
      }
    },
  );

  it.each([...EVENT_TIME, ...OTHERS])(
    'SR12 %s: a subtask goes on from its own watermark; at another parallelism all do from the lowest',
    (_, build) => {
      const restore = [build().watermark(100).snapshot(), build().watermark(70).snapshot()];
      const from = (options: Options) =>
        build({ ...options, restore })
          .resume()
          .snapshot().watermark;
      expect([0, 1].map((subtask) => from({ subtask, parallelism: 2 }))).toEqual([100, 70]);
      expect([0, 1, 2].map((subtask) => from({ subtask, parallelism: 3 }))).toEqual([70, 70, 70]);
    },
  );

  it.each(PAIRS)(
    'OS10 SR12 %s: keeps the lower watermark of its inputs, at another parallelism the lowest',
    (_, build) => {
      const pair = (first: number, second: number) => {
        const h = pairHarnessOf(S, S, build);
        h.first.watermark(first);
        h.second.watermark(second);
        return h.snapshot();
      };
      const restore = [pair(100, 80), pair(90, 120)];
      const from = (options: Options) => pairHarnessOf(S, S, build, { ...options, restore }).snapshot().watermark;
      expect([0, 1].map((subtask) => from({ subtask, parallelism: 2 }))).toEqual([80, 90]);
      expect(from({})).toBe(80);
    },
  );
});
