import { describe, expect, it } from 'vitest';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf, operatorOf } from '#testing/harness-of.ts';
import { feed } from '#testing/value-script.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { OutputTag } from '../graph/data-stream.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { type AggregateFunction, valueState } from '../state/descriptors.ts';
import { avg, count } from './aggregates.ts';
import { TumblingEventTimeWindows } from './assigners.ts';
import { GeneralWindowOperator } from './general-operator.ts';
import { SessionOperator } from './session-operator.ts';
import { EventTimeSessionWindows } from './session-windows.ts';
import { EventTimeTrigger, NeverTrigger } from './triggers.ts';
import { WindowOperator } from './window-operator.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const Text = schema({ text: string() });
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
