import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { feed, take } from '#testing/window-script.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS } from '../batch/record-batch.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { count } from './aggregates.ts';
import {
  type AlignedWindows,
  CumulativeEventTimeWindows,
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
} from './assigners.ts';

const S = schema({ k: string(), v: f64() });
const late = lateTag('late', S);

type Options = Pick<HarnessOptions, 'clock' | 'restore' | 'subtask' | 'parallelism'>;

/** Counts rows per key; late rows go to the side output `late`. */
function counts(windows: AlignedWindows, lateness = 0, options: Options = {}): OperatorHarness {
  return harnessOf(
    S,
    (rows) =>
      rows.keyBy('k').window(windows).allowedLateness(lateness).sideOutputLateData(late).aggregate({ n: count() }),
    options,
  );
}

/** Goes on with what a harness held. */
const restored = (h: OperatorHarness, windows: AlignedWindows, lateness = 0, options: Options = {}): OperatorHarness =>
  counts(windows, lateness, { ...options, restore: [h.snapshot()] });

const W1 = 'k2@3999,3000 k1@20,0,999 k2@1998,1999,1000';

describe('sliding windows, as Flink’s', () => {
  it('W2 sliding 3 s every second, with a restore after each watermark', () => {
    const windows = SlidingEventTimeWindows.of(3000, 1000);
    let h = feed(counts(windows), W1);
    const out: string[] = [];
    for (const t of [999, 1999, 2999, 3999, 4999, 5999, 6999, 7999]) {
      out.push(take(h.watermark(t)));
      h = restored(h, windows);
    }
    expect(out).toEqual([
      'k1:3@999 wm 999',
      'k1:3@1999 k2:3@1999 wm 1999',
      'k1:3@2999 k2:3@2999 wm 2999',
      'k2:5@3999 wm 3999',
      'k2:2@4999 wm 4999',
      'k2:2@5999 wm 5999',
      'wm 6999',
      'wm 7999',
    ]);
  });

  it('W1 tumbling 3 s, restored in the middle as in Flink’s test', () => {
    const windows = TumblingEventTimeWindows.of(3000);
    const h = feed(counts(windows), W1).watermark(999).watermark(1999);
    expect(take(h)).toBe('wm 999 wm 1999');
    const on = restored(h, windows);
    for (const t of [2999, 3999, 4999, 5999, 6999, 7999]) on.watermark(t);
    expect(take(on)).toBe('k1:3@2999 k2:3@2999 wm 2999 wm 3999 wm 4999 k2:2@5999 wm 5999 wm 6999 wm 7999');
  });

  it('W5 a row goes to the late output only if all its windows are late', () => {
    const h = feed(counts(SlidingEventTimeWindows.of(3000, 1000)), 'k2@1000').watermark(1999);
    expect(take(h)).toBe('k2:1@1999 wm 1999');
    feed(h, 'k2@2000').watermark(3000);
    expect(take(h)).toBe('k2:2@2999 wm 3000');
    feed(h, 'k1@3001 k2@2400,2400 k1@3001 k2@3900').watermark(6000);
    expect(take(h)).toBe('k1:2@3999 k2:5@3999 k1:2@4999 k2:4@4999 k1:2@5999 k2:1@5999 wm 6000');
    feed(h, 'k1@3001').watermark(25_000);
    expect(take(h)).toBe('late k1@3001 6000 2999 wm 25000');
  });

  it('W17 sliding 3 s every second, by the clock alone', () => {
    const h = counts(SlidingProcessingTimeWindows.of(3000, 1000), 0, { clock: new ManualClock(3) });
    feed(h, 'k2@1').advance(997);
    expect(take(h)).toBe('k2:1@999');
    feed(h, 'k2@1,1').advance(1000);
    expect(take(h)).toBe('k2:3@1999');
    feed(h, 'k1@1,1').advance(1000);
    expect(take(h)).toBe('k1:2@2999 k2:3@2999');
    feed(h, 'k1@1,1,1').advance(4000);
    expect(take(h)).toBe('k1:5@3999 k2:2@3999 k1:5@4999 k1:3@5999');
  });
});

describe('windows that share slices, Weir’s own rules', () => {
  it('W22 a late but allowed row emits each of its windows that has fired, in the order of their ends', () => {
    const h = feed(counts(SlidingEventTimeWindows.of(30, 10), 15), 'a@5,25');
    h.watermark(29);
    expect(take(h)).toBe('a:1@9 a:1@19 a:2@29 wm 29');
    // Of its windows one is gone, two have fired, one has yet to come.
    feed(h, 'a@12');
    expect(h.take()).toEqual([
      '{"k":"a","window_start":-10,"window_end":20,"n":2} @19',
      '{"k":"a","window_start":0,"window_end":30,"n":3} @29',
    ]);
    feed(h, 'b@8');
    expect(take(h)).toBe('b:1@19 b:1@29');
    h.watermark(39);
    expect(take(h)).toBe('a:2@39 wm 39');
  });

  it('SL1 rows between windows are in none; they are late only if they are behind the watermark themselves', () => {
    const h = counts(SlidingEventTimeWindows.of(4, 10), 3);
    feed(h, 'a@5 a@3').watermark(8);
    feed(h, 'a@5').watermark(9);
    feed(h, 'a@6,7,10').watermark(99);
    expect(take(h)).toBe('a:1@3 wm 8 late a@5 8 3 wm 9 late a@6 9 3 a:1@13 wm 99');
  });

  it('SL2 a size that is no multiple of the slide', () => {
    const h = feed(counts(SlidingEventTimeWindows.of(7, 3, 1)), 'a@0,1,6,7,9').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('a:2@1 a:2@4 a:3@7 a:3@10 a:2@13 wm Infinity');
  });

  it('SL3 cumulating windows give the total so far, step by step, and begin anew', () => {
    const h = feed(counts(CumulativeEventTimeWindows.of(60, 20)), 'a@5 b@25 a@41,59 a@60').watermark(MAX_WATERMARK);
    expect(h.take()).toEqual([
      '{"k":"a","window_start":0,"window_end":20,"n":1} @19',
      '{"k":"a","window_start":0,"window_end":40,"n":1} @39',
      '{"k":"b","window_start":0,"window_end":40,"n":1} @39',
      '{"k":"a","window_start":0,"window_end":60,"n":3} @59',
      '{"k":"b","window_start":0,"window_end":60,"n":1} @59',
      '{"k":"a","window_start":60,"window_end":80,"n":1} @79',
      '{"k":"a","window_start":60,"window_end":100,"n":1} @99',
      '{"k":"a","window_start":60,"window_end":120,"n":1} @119',
      'watermark Infinity',
    ]);
  });

  it('W27 firing sliding windows of many keys goes on with one credit at a time, each result once', () => {
    const h = counts(SlidingEventTimeWindows.of(30, 10));
    const keys = Array.from({ length: 5000 }, (_, i) => `key-${i}`);
    for (let at = 0; at < keys.length; at += BATCH_ROWS) {
      const part = keys.slice(at, at + BATCH_ROWS);
      h.rows(
        part.map((k) => ({ k, v: 1 })),
        { times: part.map((_, i) => i % 20) },
      );
    }
    h.credits(1).watermark(49);
    expect(h.pending).toBe(true);
    h.drip();
    const out = h.take();
    expect([out.length, new Set(out).size, out.at(-1)]).toEqual([5000 * 3 + 1, 5000 * 3 + 1, 'watermark 49']);
  });

  it('W27 a late row that fires several windows again stops between them', () => {
    const h = feed(counts(SlidingEventTimeWindows.of(1000, 1), 1e6), 'a@0').watermark(5000);
    h.take();
    h.credits(1);
    feed(h, `a@${'0,'.repeat(9)}0`);
    h.drip();
    const values = h.emissions().flatMap((e) => (e.kind === 'row' ? [e.row.n] : []));
    expect(values).toEqual(Array.from({ length: 10_000 }, (_, i) => 2 + Math.floor(i / 1000)));
  });

  it('W30 slices are forgotten when their last window is over, partial results too', () => {
    const h = counts(SlidingEventTimeWindows.of(40, 10), 10);
    let bytes = 0;
    for (let n = 0; n < 80; n++) {
      feed(h, Array.from({ length: 300 }, (_, i) => `k${i}@${n * 10 + (i % 10)}`).join(' ')).watermark(n * 10 - 3);
      if (n === 20) bytes = h.stateBytes;
      if (n > 20) expect(h.stateBytes).toBe(bytes);
    }
  });

  it('W30 a sweep of the strings leaves the keys of open windows alone, and frees the others', () => {
    const h = counts(SlidingEventTimeWindows.of(30, 10), 5);
    const dictionary = new Dictionary(8);
    for (let n = 0; n < 300; n++) {
      feed(h, `only-${n}@${n} always@${n}`, { dictionary }).watermark(n - 20);
      dictionary.sweepIfLarge();
    }
    h.watermark(MAX_WATERMARK);
    const results = take(h).split(' ');
    const of = (key: string): string[] => results.filter((part) => part.startsWith(`${key}:`));
    expect(of('always').slice(2, -2)).toEqual(Array.from({ length: 28 }, (_, i) => `always:30@${i * 10 + 29}`));
    for (const n of [0, 77, 299]) {
      const first = Math.floor(n / 10) * 10 + 9;
      expect(of(`only-${n}`)).toEqual([0, 10, 20].map((more) => `only-${n}:1@${first + more}`));
    }
    expect(dictionary.capacity).toBeLessThan(200);
  });

  it('W31 windows that have yet to fire can be looked at, the next to fire first, without changing anything', () => {
    const h = feed(counts(SlidingEventTimeWindows.of(30, 10)), 'a@5 b@6 a@15').watermark(9);
    h.take();
    const answer = {
      open: [
        { key: 'a', start: -10, end: 20, values: [2] },
        { key: 'a', start: 0, end: 30, values: [2] },
        { key: 'a', start: 10, end: 40, values: [1] },
      ],
      count: 3,
    };
    expect(h.inspect({ keys: ['a', 'nobody'], limit: 10 })).toEqual(answer);
    expect(h.inspect({ keys: ['a', 'nobody'], limit: 10 })).toEqual(answer);
    expect(h.inspect({ keys: ['b', 'a'], limit: 10, perKey: 1 })).toMatchObject({
      open: [
        { key: 'b', end: 20 },
        { key: 'a', end: 20 },
      ],
    });
    expect(h.inspect({ keys: null, limit: 2 })).toMatchObject({ open: [{ key: 'a' }, { key: 'b', end: 20 }] });
    expect(take(h.watermark(MAX_WATERMARK))).toBe('a:2@19 b:1@19 a:2@29 b:1@29 a:1@39 wm Infinity');
  });

  it('W33 in processing time all open windows are emitted at the end of the input', () => {
    const h = counts(SlidingProcessingTimeWindows.of(30, 10), 0, { clock: new ManualClock(1005) });
    feed(h, 'a@0').watermark(MAX_WATERMARK).end();
    expect(take(h)).toBe('a:1@1009 a:1@1019 a:1@1029 wm Infinity');
  });
});

describe('snapshots of windows', () => {
  it('SL5 go on at another parallelism: every key once, with its rows', () => {
    const windows = SlidingEventTimeWindows.of(20, 10);
    const h = counts(windows);
    const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
    feed(h, keys.map((k) => `${k}@5,15`).join(' ')).watermark(9);
    take(h);
    const three = [0, 1, 2].map((subtask) => restored(h, windows, 0, { subtask, parallelism: 3 }));
    const out = three.flatMap((part) => take(part.watermark(29)).split(' '));
    const expected = keys.flatMap((k) => [`${k}:2@19`, `${k}:1@29`]);
    expect(out.filter((text) => text.includes(':')).sort()).toEqual(expected.sort());
    expect(new Set(three.map((part) => part.stateBytes > 0))).toEqual(new Set([true]));
    const back = counts(windows, 0, { restore: three.map((part) => part.snapshot()) });
    expect(take(back.watermark(99))).toBe('wm 99');
  });

  it('SL5 hold the watermark: what was late stays late, what has fired fires again only for late rows', () => {
    const windows = SlidingEventTimeWindows.of(20, 10);
    const h = feed(counts(windows, 5), 'a@5').watermark(21);
    expect(take(h)).toBe('a:1@9 a:1@19 wm 21');
    const on = restored(h, windows, 5);
    feed(on, 'a@5 b@3');
    expect(take(on)).toBe('a:2@19 b:1@19');
    // A watermark that is behind what was known never makes it go back.
    on.watermark(15);
    feed(on, 'c@3').watermark(24);
    feed(on, 'c@3');
    expect(take(on)).toBe('wm 21 c:1@19 wm 24 late c@3 24 21');
  });

  it('SL5 keys that were kept as strings get the codes of the dictionary that the next rows bring', () => {
    const windows = TumblingEventTimeWindows.of(10);
    const h = feed(counts(windows), 'a@1 b@2 c@3');
    const on = restored(h, windows);
    const dictionary = new Dictionary();
    for (const text of ['x', 'c', 'y', 'a']) dictionary.codeOf(text);
    feed(on, 'c@4 x@4', { dictionary });
    expect(take(on.watermark(9))).toBe('a:1@9 b:1@9 c:2@9 x:1@9 wm 9');
  });

  it('SL5 windows that the clock has made overdue meanwhile come out first, for the keys that had not seen them', () => {
    const windows = TumblingProcessingTimeWindows.of(1000);
    const [behind, ahead] = [0, 1].map((subtask) =>
      counts(windows, 0, { clock: new ManualClock(500), subtask, parallelism: 2 }),
    ) as [OperatorHarness, OperatorHarness];
    // Key group 94 and 81 of 128: the first belongs to subtask 1, "device-4" (2) to subtask 0.
    feed(behind, 'device-4@0');
    feed(ahead, 'a@0').advance(700);
    feed(ahead, 'a@0');
    expect(take(ahead)).toBe('a:1@999');
    const restore = [behind.snapshot(), ahead.snapshot()];
    const on = counts(windows, 0, { clock: new ManualClock(1300), restore });
    const again = counts(windows, 0, { clock: new ManualClock(1300), restore: [on.snapshot()] });
    expect(take(again.advance(0))).toBe('device-4:1@999');
    expect(take(again.advance(1000))).toBe('a:1@1999');
  });

  /** "device-4" belongs to the subtask that is behind, at 9, "a" to the one that is ahead, at 19: a barrier has overtaken a watermark. */
  const apart = (lateness: number, rows: readonly [behind: string, ahead: string]): OperatorHarness => {
    const windows = SlidingEventTimeWindows.of(20, 10);
    const restore = rows.map((script, subtask) => {
      const h = feed(counts(windows, lateness, { subtask, parallelism: 2 }), script).watermark(subtask === 0 ? 9 : 19);
      return h.snapshot();
    });
    const once = counts(windows, lateness, { restore });
    return counts(windows, lateness, { restore: [once.snapshot()] });
  };

  it('SL8 what has fired for a key does not fire again where the watermark is behind after a restore at another parallelism', () => {
    const on = apart(0, ['device-4@5,15', 'a@5,15']);
    expect((on.inspect({ keys: null, limit: 9 }) as { open: { key: string; end: number }[] }).open).toMatchObject([
      { key: 'device-4', end: 20 },
      { key: 'device-4', end: 30 },
      { key: 'a', end: 30 },
    ]);
    feed(on, 'a@21');
    expect(take(on.watermark(19))).toBe('device-4:2@19 wm 19');
    expect(take(on.watermark(29))).toBe('a:2@29 device-4:1@29 wm 29');
  });

  it('SL8 its rows are as late as they would have been there: in time, late but allowed, too late', () => {
    const on = apart(5, ['device-4@-7,15', 'a@5,15']);
    feed(on, 'a@12');
    expect(take(on)).toBe('a:3@19');
    feed(on, 'a@-7 device-4@-7');
    expect(take(on)).toBe('late a@-7 19 26 device-4:2@9');
    feed(on, 'a@25').watermark(19);
    expect(take(on)).toBe('device-4:1@19 wm 19');
  });
});

describe('reduce and process windows that share slices', () => {
  const V = schema({ k: string(), v: f64() });
  const windows = SlidingEventTimeWindows.of(20, 10);

  it('W35 reduce combines the rows of a window in the order of its slices, and leaves the rows of slices as they are', () => {
    const h = harnessOf(V, (rows) =>
      rows
        .keyBy('k')
        .window(windows)
        .reduce((a, b) => ({ k: a.k, v: a.v * 10 + b.v })),
    );
    h.rows(
      [2, 1, 3].map((v) => ({ k: 'a', v })),
      { times: [12, 5, 13] },
    ).watermark(MAX_WATERMARK);
    expect(h.take()).toEqual([
      '{"k":"a","v":1} @9',
      '{"k":"a","v":33} @19',
      '{"k":"a","v":23} @29',
      'watermark Infinity',
    ]);
  });

  it('W36 a process window sees the rows of all its slices in order of arrival, after a restore too', () => {
    const Out = schema({ text: string() });
    const build = (restore?: HarnessOptions['restore']): OperatorHarness =>
      harnessOf(
        V,
        (rows) =>
          rows
            .keyBy('k')
            .window(windows)
            .process(Out, (key, { start, end }, all, out) =>
              out.collect({ text: `${key} [${start},${end}) ${all.map((r) => r.v).join()}` }),
            ),
        restore === undefined ? {} : { restore },
      );
    const h = build().rows(
      [1, 2, 3].map((v) => ({ k: 'a', v })),
      { times: [12, 5, 13] },
    );
    const on = build([h.snapshot()]).rows([{ k: 'a', v: 4 }], { times: [6] });
    expect(on.watermark(MAX_WATERMARK).take()).toEqual([
      '{"text":"a [-10,10) 2,4"} @9',
      '{"text":"a [0,20) 1,2,3,4"} @19',
      '{"text":"a [10,30) 1,3"} @29',
      'watermark Infinity',
    ]);
  });
});
