import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { harnessOf, operatorOf } from '#testing/harness-of.ts';
import { feed, take } from '#testing/value-script.ts';
import { f64, type Row, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { valueState } from '../state/descriptors.ts';
import { count, sum } from './aggregates.ts';
import { type CustomWindows, GlobalWindows } from './assign.ts';
import { TumblingEventTimeWindows } from './assigners.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';
import type { Trigger } from './trigger.ts';
import { ContinuousEventTimeTrigger, CountTrigger, EventTimeTrigger } from './triggers.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const late = lateTag('late', S);
const tumbling = TumblingEventTimeWindows.of(10);

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
