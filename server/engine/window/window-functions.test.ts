import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf, operatorOf } from '#testing/harness-of.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { feed, take } from '#testing/value-script.ts';
import { BATCH_ROWS } from '../batch/record-batch.ts';
import { f64, i32, type Row, schema, string } from '../batch/schema.ts';
import { lateTag, OutputTag } from '../graph/data-stream.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { CachedBackend } from '../state/cached-backend.ts';
import { type AggregateFunction, valueState } from '../state/descriptors.ts';
import { avg, count, sum } from './aggregates.ts';
import { type CustomWindows, GlobalWindows } from './assign.ts';
import { TumblingEventTimeWindows } from './assigners.ts';
import { GeneralWindowOperator } from './general-operator.ts';
import { SessionOperator } from './session-operator.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';
import type { Trigger } from './trigger.ts';
import {
  ContinuousEventTimeTrigger,
  CountTrigger,
  EventTimeTrigger,
  NeverTrigger,
  PurgingTrigger,
} from './triggers.ts';
import { WindowOperator } from './window-operator.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const Text = schema({ text: string() });
const late = lateTag('late', S);
const tumbling = TumblingEventTimeWindows.of(10);

/** Texts that came out of the main output. */
const texts = (h: OperatorHarness): unknown[] =>
  h.emissions().flatMap((e) => (e.kind === 'row' && e.output === 'main' ? [e.row.text] : []));

/** Sum and number, so that merging has something to do. */
const mean: AggregateFunction<{ readonly v: number }, [sum: number, n: number], number> = {
  create: () => [0, 0],
  add: ([total, n], row) => [total + row.v, n + 1],
  result: ([total, n]) => total / n,
  merge: (a, b) => [a[0] + b[0], a[1] + b[1]],
};

describe('functions of windows', () => {
  it('GW2 an aggregate function of one’s own, alone and with a process function behind it', () => {
    const alone = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .aggregate({ ...mean, result: ([total, n]) => ({ text: `${total}/${n}` }) }, Text),
    );
    const combined = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .aggregate(mean, {
          output: Text,
          create: () => ({
            process: (key, ctx, [value], out) =>
              out.collect({ text: `${key} ${ctx.window.start}-${ctx.window.end} ${value}` }),
          }),
        }),
    );
    for (const h of [alone, combined]) feed(h, 'a:1@0 a:2@20 a:6@10 b:5@3').watermark(MAX_WATERMARK);
    expect(texts(alone).sort()).toEqual(['5/1', '9/3']);
    expect(texts(combined).sort()).toEqual(['a 0-30 3', 'b 3-13 5']);
  });

  it('GW3 declared aggregates and reduce give a process function their one row', () => {
    const declared = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(tumbling)
        .aggregate(
          { n: count(), mean: avg('v') },
          {
            output: Text,
            create: () => ({
              process: (key, _ctx, [row], out) =>
                out.collect({ text: `${key} ${row?.window_end} ${row?.n} ${row?.mean}` }),
            }),
          },
        ),
    );
    const reduced = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(tumbling)
        .reduce((a, b) => ({ k: a.k, v: a.v * b.v }), {
          output: Text,
          create: () => ({ process: (key, _ctx, [row], out) => out.collect({ text: `${key} ${row?.v}` }) }),
        }),
    );
    for (const h of [declared, reduced]) feed(h, 'a:2@0 a:4@5 a:7@12').watermark(MAX_WATERMARK);
    expect(texts(declared)).toEqual(['a 10 2 3', 'a 20 1 7']);
    expect(texts(reduced)).toEqual(['a 8', 'a 7']);
  });

  it('GW4 a process function knows window and time, remembers per window and per key, and has side outputs', () => {
    const firings = valueState<number>('firings');
    const total = valueState<number>('total');
    const side = new OutputTag('side', Text);
    const cleared: string[] = [];
    const make = (options: Pick<HarnessOptions, 'restore'> = {}) =>
      harnessOf(
        S,
        (rows) =>
          rows
            .keyBy('k')
            .window(tumbling)
            .allowedLateness(100)
            .process({
              output: Text,
              sideOutputs: [side],
              create: () => ({
                process(key, ctx, all, out) {
                  const [perWindow, perKey] = [ctx.windowState(firings), ctx.globalState(total)];
                  perWindow.update((perWindow.value() ?? 0) + 1);
                  perKey.update((perKey.value() ?? 0) + all.length);
                  const { window, currentWatermark } = ctx;
                  out.collect({
                    text: `${key} [${window.start},${window.end}) at ${currentWatermark}: ${all.map((r) => r.v)}; firing ${perWindow.value()}, total ${perKey.value()}`,
                  });
                  ctx.output(side, { text: `side ${key}` });
                },
                clear(ctx) {
                  cleared.push(`${ctx.window.start} after ${ctx.windowState(firings).value()}`);
                  ctx.windowState(firings).clear();
                },
              }),
            }),
        options,
      );
    const h = make();
    feed(h, 'a:1@0 a:2@5 a:3@12').watermark(25);
    feed(h, 'a:4@7');
    expect(h.take()).toEqual([
      '{"text":"a [0,10) at 25: 1,2; firing 1, total 2"} @9',
      '{"text":"a [10,20) at 25: 3; firing 1, total 3"} @19',
      'side {"text":"side a"} @9',
      'side {"text":"side a"} @19',
      'watermark 25',
      '{"text":"a [0,10) at 25: 1,2,4; firing 2, total 6"} @9',
      'side {"text":"side a"} @9',
    ]);
    const other = make({ restore: [h.snapshot()] });
    feed(other, 'a:5@8').watermark(200);
    expect(texts(other)).toEqual(['a [0,10) at 25: 1,2,4,5; firing 3, total 10']);
    expect(cleared).toEqual(['0 after 3', '10 after 1']);
  });

  it('GW5 windows that merge have no state of their own, and need triggers and functions that merge', () => {
    const sessions = EventTimeSessionWindows.withGap(10);
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(sessions)
        .process({
          output: Text,
          create: () => ({ process: (_key, ctx) => ctx.windowState(valueState<number>('n')).clear() }),
        }),
    );
    feed(h, 'a@0');
    expect(() => h.watermark(100)).toThrow('windows that merge have no state of their own');
    const { merge: _, ...unmerging } = mean;
    const { onMerge: __, ...stubborn } = NeverTrigger.create();
    const keyed = (build: (rows: Parameters<Parameters<typeof operatorOf<S>>[1]>[0]) => unknown) =>
      operatorOf(S, build);
    expect(() => keyed((rows) => rows.keyBy('k').window(sessions).trigger(stubborn))).toThrow('onMerge');
    const tell = { output: Text, create: () => ({ process: () => {} }) };
    expect(() => keyed((rows) => rows.keyBy('k').window(sessions).aggregate(unmerging, tell))).toThrow('merge()');
  });

  it('GW6 rows of a process function come in order of arrival, also from sessions that merge', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .process({
          output: Text,
          create: () => ({ process: (_key, _ctx, all, out) => out.collect({ text: all.map((r) => r.v).join() }) }),
        }),
    );
    feed(h, 'a:1@20 a:2@0 a:3@21 a:4@1 a:5@11').watermark(MAX_WATERMARK);
    expect(texts(h)).toEqual(['1,2,3,4,5']);
  });

  it('GW7 usual windows with their own trigger and plain functions run in the operators made for them', () => {
    const made = (build: Parameters<typeof operatorOf<S>>[1]) => operatorOf(S, build).create?.();
    expect(made((rows) => rows.keyBy('k').window(tumbling).aggregate({ n: count() }))).toBeInstanceOf(WindowOperator);
    const sessions = EventTimeSessionWindows.withGap(1);
    expect(
      made((rows) =>
        rows
          .keyBy('k')
          .window(sessions)
          .reduce((a) => a),
      ),
    ).toBeInstanceOf(SessionOperator);
    const triggered = made((rows) =>
      rows.keyBy('k').window(sessions).trigger(EventTimeTrigger.create()).aggregate({ n: count() }),
    );
    expect(triggered).toBeInstanceOf(GeneralWindowOperator);
  });
});

describe('windows of other kinds', () => {
  it('GW8 countWindow gives a result for every n rows of a key, without borders of time', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .countWindow(3)
        .aggregate({ s: sum('v') }),
    );
    feed(h, 'a:1@5 a:2@9 b:7@1 a:3@0 a:4@1 b:7@1 a:5@2 a:6@3').watermark(MAX_WATERMARK);
    expect(h.take()).toEqual(['{"k":"a","s":6} @Infinity', '{"k":"a","s":15} @Infinity', 'watermark Infinity']);
    expect(() => operatorOf(S, (rows) => rows.keyBy('k').countWindow(0))).toThrow('whole number of rows');
  });

  it('GW9 a dynamic gap is the row’s own, and more than 0', () => {
    for (const assigner of [EventTimeSessionWindows, ProcessingTimeSessionWindows]) {
      const h = harnessOf(S, (rows) =>
        rows
          .keyBy('k')
          .window(assigner.withDynamicGap((row: Row<S>) => row.v))
          .aggregate({ s: sum('v') }),
      );
      if (assigner === EventTimeSessionWindows) {
        feed(h, 'a:5@0 a:100@5 a:1@50 a:1@106 b:3@0 b:3@4').watermark(MAX_WATERMARK);
        expect(take(h).split(' ').sort()).toEqual(['a:106[0,105)', 'a:1[106,107)', 'b:3[0,3)', 'b:3[4,7)']);
      }
      expect(() => feed(h, 'a:0@1000')).toThrow('more than 0 ms');
    }
  });

  it('GW10 a row whose window is exactly one in flight joins it, also if its contents lie elsewhere', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withDynamicGap((row: Row<S>) => row.v))
        .aggregate({ s: sum('v') }),
    );
    feed(h, 'a:3@0 a:2@3 a:5@0 a:5@0').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('a:15[0,5)');
  });

  it('GW11 windows of one’s own, in no window at all, or merging', () => {
    const custom = (merging: boolean): CustomWindows<Row<S>> => ({
      kind: 'custom',
      time: 'event',
      merging,
      assign: (row, t) => (row.v > 8 ? [] : [{ start: t, end: t + row.v }]),
    });
    const make = (merging: boolean) =>
      harnessOf(S, (rows) =>
        rows
          .keyBy('k')
          .window(custom(merging))
          .sideOutputLateData(late)
          .aggregate({ s: sum('v') }),
      );
    const [apart, merged] = [make(false), make(true)];
    for (const h of [apart, merged]) feed(h, 'a:4@0 a:4@2 a:9@3').watermark(50);
    expect(take(apart)).toBe('a:4[0,4) a:4[2,6)');
    expect(take(merged)).toBe('a:8[0,6)');
    // In no window: late by its own timestamp only.
    feed(apart, 'a:9@51 a:9@50 a:1@50');
    expect(take(apart)).toBe('late:a@50,50,0 late:a@50,50,0');
  });

  it('GW12 a trigger of one’s own, with state and timers: silence for 5 ms of the clock', () => {
    const lastSeen = valueState<number>('last-seen');
    const silence: Trigger = {
      onElement(_row, _timestamp, _window, ctx) {
        const seen = ctx.getState(lastSeen);
        const before = seen.value();
        if (before !== null) ctx.deleteProcessingTimeTimer(before + 5);
        seen.update(ctx.currentProcessingTime());
        ctx.registerProcessingTimeTimer(ctx.currentProcessingTime() + 5);
        return 'CONTINUE';
      },
      onEventTime: () => 'CONTINUE',
      onProcessingTime: () => 'FIRE_AND_PURGE',
      clear: (_window, ctx) => ctx.getState(lastSeen).clear(),
    };
    const clock = new ManualClock(100);
    const h = harnessOf(
      S,
      (rows) =>
        rows
          .keyBy('k')
          .window(GlobalWindows.create())
          .trigger(silence)
          .aggregate({ s: sum('v') }),
      { clock },
    );
    feed(h, 'a@1').advance(3);
    feed(h, 'a@1').advance(5);
    expect(take(h)).toBe('');
    h.advance(1);
    expect(take(h)).toBe('a:2@Infinity');
    feed(h, 'a@1').watermark(MAX_WATERMARK);
    // Left at the end of the input.
    expect(take(h)).toBe('');
  });

  it('GW13 a trigger of one’s own replaces the default: nothing fires at the end of the window any more', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(tumbling)
        .trigger(CountTrigger.of(2))
        .sideOutputLateData(late)
        .aggregate({ s: sum('v') }),
    );
    feed(h, 'a:1@1 b:5@1 a:2@2 a:4@3').watermark(9);
    expect(take(h)).toBe('a:3[0,10)');
    feed(h, 'a:8@4 a:1@11').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('late:a@4,9,5');
  });

  it('GW12 a timer at no time is an error that asks for timestamps', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(GlobalWindows.create())
        .trigger(ContinuousEventTimeTrigger.of(10))
        .aggregate({ n: count() }),
    );
    expect(() => h.rows([{ k: 'a', v: 1 }])).toThrow('does the row have a timestamp?');
    for (const every of [0, -1, Number.NaN])
      expect(() => ContinuousEventTimeTrigger.of(every)).toThrow('more than 0 ms');
  });

  it('GW13 a result PURGE drops the contents and gives nothing', () => {
    const forgetful: Trigger<Row<S>> = {
      ...EventTimeTrigger.create(),
      onElement: (row, timestamp, window, ctx) =>
        row.v === 0 ? 'PURGE' : EventTimeTrigger.create().onElement(row, timestamp, window, ctx),
    };
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(tumbling)
        .trigger(forgetful)
        .aggregate({ s: sum('v') }),
    );
    feed(h, 'a:5@1 a:0@2 a:7@3').watermark(9);
    expect(take(h)).toBe('a:7[0,10)');
    feed(h, 'b:5@11 b:0@12').watermark(19);
    expect(take(h)).toBe('');
  });
});

describe('the general operator, Weir’s own rules', () => {
  it('GW14 contents that nothing would clean up go when their time to live is over, and are counted', () => {
    const clock = new ManualClock(1000);
    const h = harnessOf(
      S,
      (rows) =>
        rows
          .keyBy('k')
          .window(GlobalWindows.create())
          .trigger(PurgingTrigger.of(CountTrigger.of(3)))
          .contentsTimeToLive(100)
          .aggregate({ s: sum('v') }),
      { clock },
    );
    feed(h, 'a:1@0 a:1@0').advance(99);
    feed(h, 'b:1@0 a:1@0');
    expect(take(h)).toBe('a:3@Infinity');
    feed(h, 'a:5@0 a:5@0').advance(100);
    // Three rows again, not one more to two that are gone.
    feed(h, 'a:1@0 a:1@0');
    expect(take(h)).toBe('');
    feed(h, 'a:1@0');
    expect(take(h)).toBe('a:3@Infinity');
    expect([h.cells[OperatorCell.EXPIRED]]).toEqual([2]);
  });

  it('GW14 a session whose time stands still goes too: a new row begins another one', () => {
    const clock = new ManualClock(0);
    const h = harnessOf(
      S,
      (rows) =>
        rows
          .keyBy('k')
          .window(EventTimeSessionWindows.withGap(10))
          .contentsTimeToLive(1000)
          .aggregate({ s: sum('v') }),
      { clock },
    );
    feed(h, 'a:1@0 b:2@0').advance(600);
    feed(h, 'a:4@5').advance(600);
    expect(h.cells[OperatorCell.EXPIRED]).toBe(1);
    feed(h, 'a:8@7 b:16@5').watermark(MAX_WATERMARK);
    expect(take(h).split(' ').sort()).toEqual(['a:13[0,17)', 'b:16[5,15)']);
    feed(h, 'a:8@7').advance(5000);
    expect([h.cells[OperatorCell.EXPIRED], h.snapshot().keyed.size]).toEqual([1, 0]);
  });

  it('W25 timers run before the row whose watermark has passed them, inside a batch too', () => {
    const make = () =>
      harnessOf(S, (rows) =>
        rows
          .keyBy('k')
          .window(tumbling)
          .trigger(EventTimeTrigger.create())
          .allowedLateness(5)
          .sideOutputLateData(late)
          .aggregate({ s: sum('v') }),
      );
    const h = make();
    const [script, watermarks] = ['a@1 a@12 a@2 a@3 a@4', [-1, 5, 9, 13, 14]];
    feed(h, script, { watermarks }).watermark(MAX_WATERMARK);
    expect(take(h)).toBe('a:1[0,10) a:2[0,10) a:3[0,10) late:a@4,14,10 a:1[10,20)');
  });

  it('W26 a row without timestamp is an error in event time; EX15 so is a null key', () => {
    const make = () =>
      harnessOf(S, (rows) =>
        rows
          .keyBy('k')
          .window(tumbling)
          .trigger(EventTimeTrigger.create())
          .aggregate({ s: sum('v') }),
      );
    expect(() => make().rows([{ k: 'a', v: 1 }])).toThrow('A row without event timestamp');
    const h = make();
    const batch = h.batch([{ k: 'a', v: 1 }], { times: [1] });
    batch.codes('k')[0] = -1;
    expect(() => h.feed(batch)).toThrow('null key');
  });

  it('W27 firing 10,000 windows, and a batch of firings, go on with one credit at a time, each result once', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(tumbling)
        .trigger(EventTimeTrigger.create())
        .allowedLateness(1000)
        .aggregate({ s: sum('v') }),
    );
    for (let from = 0; from < 5 * BATCH_ROWS; from += BATCH_ROWS) {
      const rows = Array.from({ length: BATCH_ROWS }, (_, i) => ({ k: `k${from + i}`, v: 1 }));
      h.rows(rows, { times: rows.map(() => 5) });
    }
    h.credits(1).watermark(9);
    expect(h.drip()).toBeGreaterThanOrEqual(5);
    const results = h.emissions().filter((e) => e.kind === 'row');
    expect([results.length, new Set(results.map((e) => e.row.k)).size]).toEqual([5 * BATCH_ROWS, 5 * BATCH_ROWS]);
    const again = Array.from({ length: BATCH_ROWS }, () => ({ k: 'k1', v: 1 }));
    h.credits(1).rows(again, { times: again.map(() => 5) });
    h.drip();
    expect(h.emissions().flatMap((e) => (e.kind === 'row' ? [e.row.s] : []))).toEqual(again.map((_, i) => i + 2));
  });

  it('W29 whole numbers as keys come back as numbers, and move by their key group', () => {
    const Numbers = schema({ id: i32(), v: f64() });
    const make = (options: Pick<HarnessOptions, 'restore' | 'subtask' | 'parallelism'> = {}) =>
      harnessOf(
        Numbers,
        (rows) =>
          rows
            .keyBy('id')
            .countWindow(2)
            .aggregate({ s: sum('v') }),
        options,
      );
    const first = make();
    const ids = Array.from({ length: 40 }, (_, i) => i * 7 - 100);
    first.rows(ids.map((id) => ({ id, v: id })));
    const parts = [0, 1, 2].map((subtask) => make({ restore: [first.snapshot()], subtask, parallelism: 3 }));
    const whole = make({ restore: parts.map((part) => part.snapshot()) });
    whole.rows(ids.map((id) => ({ id, v: 1000 })));
    expect(whole.emissions().map((e) => (e.kind === 'row' ? e.row : e))).toEqual(
      ids.map((id) => ({ id, s: id + 1000 })),
    );
  });

  it('GW16 waits for state that is being loaded, before rows and before timers, and goes on where it was', () => {
    const store = new MemoryStore(new Random(7));
    const make = (options: Pick<HarnessOptions, 'stateBackend'>) =>
      harnessOf(
        S,
        (rows) =>
          rows
            .keyBy('k')
            .window(EventTimeSessionWindows.withGap(10))
            .trigger(EventTimeTrigger.create())
            .allowedLateness(20)
            .aggregate({ s: sum('v') }),
        options,
      );
    const [loading, heap] = [
      make({ stateBackend: (options) => new CachedBackend({ ...options, store, cacheBytes: 1000 }) }),
      make({}),
    ];
    let waits = 0;
    const random = new Random(1);
    for (let round = 0; round < 60; round++) {
      const rows = Array.from({ length: 20 }, () => `k${random.below(40)}:1@${round * 5 + random.below(30)}`).join(' ');
      for (const h of [loading, heap]) {
        for (const step of [() => feed(h, rows), () => h.watermark(round * 5)]) {
          step();
          for (; h.pending; waits++) {
            if (!store.answer()) throw new Error('Nothing is being loaded.');
            h.resume();
          }
        }
      }
    }
    expect(waits).toBeGreaterThan(50);
    const results = take(heap).split(' ').sort();
    expect(results.length).toBeGreaterThan(100);
    expect(take(loading).split(' ').sort()).toEqual(results);
  });

  it('W30 nothing is left of windows that are gone', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .trigger(EventTimeTrigger.create())
        .aggregate({ s: sum('v') }),
    );
    const bytes: number[] = [];
    for (let round = 0; round < 20; round++) {
      feed(h, Array.from({ length: 100 }, (_, i) => `k${i}@${round * 1000 + i}`).join(' '));
      h.watermark(round * 1000 + 500);
      bytes.push(h.stateBytes);
    }
    expect(h.snapshot().keyed.size).toBe(0);
    expect(bytes.at(-1)).toBe(bytes[0]);
    // A session that grows has the timers of its end only.
    feed(h, Array.from({ length: 1000 }, (_, i) => `a@${100_000 + i}`).join(' '));
    expect([...h.snapshot().keyed.values()].map((group) => group.length < 250)).toEqual([true]);
  });

  it('W33 windows in processing time that are open at the end of the input are emitted', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(ProcessingTimeSessionWindows.withDynamicGap((row: Row<S>) => row.v))
        .aggregate({ s: sum('v') }),
    );
    feed(h, 'a:100@1 b:7@1').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('b:7[0,7) a:100[0,100)');
  });
});
