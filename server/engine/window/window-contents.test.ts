import { describe, expect, it } from 'vitest';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { TumblingEventTimeWindows } from './assigners.ts';

describe('reduce and process windows', () => {
  const V = schema({ k: string(), v: f64() });

  it('W35 reduce keeps one row per key and window; the row it is given may be its answer', () => {
    const h = harnessOf(V, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .reduce((a, b) => (b.v > a.v ? b : a)),
    );
    h.rows(
      [1, 9, 4].map((v) => ({ k: 'a', v })),
      { times: [1, 2, 3] },
    );
    h.rows(
      [5, 2].map((v) => ({ k: v === 2 ? 'b' : 'a', v })),
      { times: [4, 5] },
    ).watermark(9);
    expect(h.take()).toEqual(['{"k":"a","v":9} @9', '{"k":"b","v":2} @9', 'watermark 9']);
  });

  it('W35 a late row fires the reduced row again', () => {
    const h = harnessOf(V, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .allowedLateness(100)
        .reduce((a, b) => ({ k: a.k, v: a.v + b.v })),
    );
    h.rows([{ k: 'a', v: 1 }], { times: [1] })
      .watermark(9)
      .rows([{ k: 'a', v: 2 }], { times: [2] });
    expect(h.take()).toEqual(['{"k":"a","v":1} @9', 'watermark 9', '{"k":"a","v":3} @9']);
  });

  const Out = schema({ text: string() });

  it('W36 a process window sees key, window and all its rows in order of arrival, and makes any number of rows', () => {
    const h = harnessOf(V, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .process(Out, (key, window, all, out) => {
          out.collect({ text: `${key} [${window.start},${window.end})` });
          for (const row of all) out.collect({ text: `${row.k}${row.v}` });
        }),
    );
    h.rows(
      [3, 1, 2].map((v) => ({ k: v === 1 ? 'b' : 'a', v })),
      { times: [1, 2, 13] },
    ).watermark(99);
    expect(h.take()).toEqual([
      '{"text":"a [0,10)"} @9',
      '{"text":"a3"} @9',
      '{"text":"b [0,10)"} @9',
      '{"text":"b1"} @9',
      '{"text":"a [10,20)"} @19',
      '{"text":"a2"} @19',
      'watermark 99',
    ]);
  });

  for (const lateness of [0, 1000]) {
    it(`W36 more rows than a batch holds come out once and in order, with one credit at a time (lateness ${lateness})`, () => {
      let calls = 0;
      const h = harnessOf(V, (rows) =>
        rows
          .keyBy('k')
          .window(TumblingEventTimeWindows.of(10))
          .allowedLateness(lateness)
          .process(Out, (key, _window, all, out) => {
            calls++;
            for (let i = 0; i < 5000; i++) out.collect({ text: `${key}${all.length}/${i}` });
          }),
      );
      const expected = (k: string, n: number): string[] => Array.from({ length: 5000 }, (_, i) => `${k}${n}/${i}`);
      const texts = (): unknown[] => h.emissions().flatMap((e) => (e.kind === 'row' ? [e.row.text] : []));
      h.rows(
        ['a', 'b'].map((k) => ({ k, v: 0 })),
        { times: [1, 1] },
      );
      h.credits(1).watermark(9);
      h.drip();
      expect(texts()).toEqual([...expected('a', 1), ...expected('b', 1)]);
      if (lateness > 0) {
        h.credits(1).rows(
          ['b', 'a'].map((k) => ({ k, v: 0 })),
          { times: [2, 2] },
        );
        h.drip();
        expect(texts()).toEqual([...expected('b', 2), ...expected('a', 2)]);
      }
      expect(calls).toBe(lateness > 0 ? 4 : 2);
    });
  }
});
