import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { feed, take } from '#testing/window-script.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, RecordBatch } from '../batch/record-batch.ts';
import { bytes, f64, i32, nullable, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { count, sum } from './aggregates.ts';
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows } from './assigners.ts';

const S = schema({ k: string(), v: f64() });
const late = lateTag('late', S);

interface Setup {
  readonly size: number;
  readonly offset?: number;
  readonly lateness?: number;
  readonly sides?: readonly string[];
  readonly clock?: ManualClock;
  readonly processing?: boolean;
}

/** Counts rows per key; late rows go to the side output `late`. */
function windows({ size, offset = 0, lateness = 0, processing = false, ...options }: Setup): OperatorHarness {
  const assigner = processing ? TumblingProcessingTimeWindows : TumblingEventTimeWindows;
  return harnessOf(
    S,
    (rows) =>
      rows
        .keyBy('k')
        .window(assigner.of(size, offset))
        .allowedLateness(lateness)
        .sideOutputLateData(late)
        .aggregate({ n: count() }),
    options,
  );
}

describe('tumbling windows in event time, as Flink’s', () => {
  it('W1 tumbling 3 s without lateness', () => {
    const h = windows({ size: 3000 });
    feed(h, 'k2@3999,3000 k1@20,0,999 k2@1998,1999,1000');
    h.watermark(999).watermark(1999);
    expect(take(h)).toBe('wm 999 wm 1999');
    h.watermark(2999);
    expect(take(h)).toBe('k1:3@2999 k2:3@2999 wm 2999');
    h.watermark(3999).watermark(4999);
    expect(take(h)).toBe('wm 3999 wm 4999');
    h.watermark(5999);
    expect(take(h)).toBe('k2:2@5999 wm 5999');
    h.watermark(6999).watermark(7999);
    expect(take(h)).toBe('wm 6999 wm 7999');
  });

  it('W3 tumbling 2 s, lateness 500: accumulating where Flink’s case purges', () => {
    const h = windows({ size: 2000, lateness: 500 });
    feed(h, 'k2@500').watermark(1500);
    feed(h, 'k2@1300').watermark(2300);
    expect(take(h)).toBe('wm 1500 k2:2@1999 wm 2300');
    feed(h, 'k2@1997');
    expect(take(h)).toBe('k2:3@1999');
    h.watermark(6000);
    feed(h, 'k2@1998').watermark(7000);
    expect(take(h)).toBe('wm 6000 late k2@1998 6000 4002 wm 7000');
  });

  it('W4 tumbling 2 s, late rows to the side output', () => {
    const h = windows({ size: 2000 });
    feed(h, 'k2@1000').watermark(1985);
    feed(h, 'k2@1980').watermark(1999);
    expect(take(h)).toBe('wm 1985 k2:2@1999 wm 1999');
    feed(h, 'k2@1998');
    feed(h, 'k2@2001').watermark(2999);
    expect(take(h)).toBe('late k2@1998 1999 1 wm 2999');
    h.watermark(3999);
    expect(take(h)).toBe('k2:1@3999 wm 3999');
  });

  it('W10 a lateness beyond all time never cleans up', () => {
    const h = windows({ size: 1000, lateness: Number.POSITIVE_INFINITY });
    const t = 8.64e15 - 1750;
    feed(h, `k@${t}`).watermark(8.64e15 - 1500);
    expect(take(h)).toBe(`wm ${8.64e15 - 1500}`);
    h.watermark(8.64e15 - 1001);
    expect(take(h)).toBe(`k:1@${8.64e15 - 1001} wm ${8.64e15 - 1001}`);
    h.watermark(8.64e15 + 1e9);
    feed(h, `k@${t}`);
    h.watermark(MAX_WATERMARK);
    expect(take(h)).toBe(`wm ${8.64e15 + 1e9} k:2@${8.64e15 - 1001} wm Infinity`);
  });

  const job = 'd1@1000,12000,9000,14999,15000,9999,16999,8000,17000,7000,25001';
  const times = (job.split('@')[1] as string).split(',').map(Number);
  /** In force before each row: what the watermark operator of the job makes (`WM2`). */
  const inForce = times.map((_, i) => Math.max(...times.slice(0, i), Number.NEGATIVE_INFINITY) - 5001);

  for (const lateness of [0, 2000]) {
    it(`${lateness === 0 ? 'W19' : 'W20'} our job: 10 s windows, 5 s bound, lateness ${lateness}, row by row`, () => {
      const h = windows({ size: 10_000, lateness });
      let last = Number.NEGATIVE_INFINITY;
      for (const [i, t] of times.entries()) {
        const w = inForce[i] as number;
        if (w > last) h.watermark(w);
        last = Math.max(last, w);
        feed(h, `d1@${t}`);
      }
      h.watermark(20000).watermark(MAX_WATERMARK);
      const out = take(h);
      expect(out).toBe(
        lateness === 0
          ? 'wm -4001 wm 6999 wm 9998 d1:2@9999 wm 9999 late d1@9999 9999 0 wm 11998 late d1@8000 11998 3998 wm 11999 late d1@7000 11999 4999 d1:5@19999 wm 20000 d1:1@29999 wm Infinity'
          : 'wm -4001 wm 6999 wm 9998 d1:2@9999 wm 9999 d1:3@9999 wm 11998 d1:4@9999 wm 11999 late d1@7000 11999 4999 d1:5@19999 wm 20000 d1:1@29999 wm Infinity',
      );
    });

    it(`${lateness === 0 ? 'W19' : 'W20'} the same as one batch whose watermarks travel inside: same results, same late rows, same order`, () => {
      const h = windows({ size: 10_000, lateness });
      feed(h, job, { watermarks: inForce });
      h.watermark(20000).watermark(MAX_WATERMARK);
      const out = take(h).replaceAll(/wm -?\d+ ?/g, '');
      expect(out).toBe(
        lateness === 0
          ? 'd1:2@9999 late d1@9999 9999 0 late d1@8000 11998 3998 late d1@7000 11999 4999 d1:5@19999 d1:1@29999 wm Infinity'
          : 'd1:2@9999 d1:3@9999 d1:4@9999 late d1@7000 11999 4999 d1:5@19999 d1:1@29999 wm Infinity',
      );
    });
  }
});

describe('tumbling windows in event time, Weir’s own rules', () => {
  it('EX15 a null key that somebody vouched for is an error at the window too, and counts for no other key', () => {
    const dictionary = new Dictionary();
    const batch = RecordBatch.allocate(S, dictionary);
    batch.codes('k').set([dictionary.codeOf('a'), dictionary.codeOf('b'), -1]);
    batch.time.set([10, 1010, 1020]);
    batch.size = 3;
    expect(() => windows({ size: 1000 }).feed(batch)).toThrow(/null key/);
  });

  it('W21 windows fire in the order of their ends, and results precede the watermark that fired them', () => {
    const h = windows({ size: 10 });
    feed(h, 'b@25 a@5 c@999 b@15 a@6');
    h.watermark(29);
    expect(h.take()).toEqual([
      '{"k":"a","window_start":0,"window_end":10,"n":2} @9',
      '{"k":"b","window_start":10,"window_end":20,"n":1} @19',
      '{"k":"b","window_start":20,"window_end":30,"n":1} @29',
      'watermark 29',
    ]);
  });

  it('W21 a window fires when the watermark reaches its last instant, not a millisecond before', () => {
    const h = windows({ size: 5000, offset: 100 });
    feed(h, 'a@100,5099,5100,99').watermark(98);
    expect(take(h)).toBe('wm 98');
    h.watermark(99);
    expect(take(h)).toBe('a:1@99 wm 99');
    h.watermark(5098);
    expect(take(h)).toBe('wm 5098');
    h.watermark(5099);
    expect(take(h)).toBe('a:2@5099 wm 5099');
  });

  it('W22 with lateness L rows are taken while the watermark is below end - 1 + L, and refused from there on', () => {
    const h = windows({ size: 1000, lateness: 300 });
    feed(h, 'a@1').watermark(999);
    take(h);
    h.watermark(1298);
    feed(h, 'a@2');
    expect(take(h)).toBe('wm 1298 a:2@999');
    h.watermark(1299);
    feed(h, 'a@3');
    expect(take(h)).toBe('wm 1299 late a@3 1299 1296');
  });

  it('W22 a late row opens a window that nobody was in, and fires it at once', () => {
    const h = windows({ size: 1000, lateness: 5000 });
    h.watermark(3000);
    feed(h, 'a@1500 b@1501 a@1502');
    expect(h.take()).toEqual([
      'watermark 3000',
      '{"k":"a","window_start":1000,"window_end":2000,"n":1} @1999',
      '{"k":"b","window_start":1000,"window_end":2000,"n":1} @1999',
      '{"k":"a","window_start":1000,"window_end":2000,"n":2} @1999',
    ]);
    h.watermark(6999);
    feed(h, 'a@1503');
    expect(take(h)).toBe('wm 6999 late a@1503 6999 5496');
  });

  it('W23 a late row keeps its fields and its timestamp, and says against which watermark it was late, and by how much', () => {
    const Wide = schema({ k: string(), note: nullable(string()), p: nullable(bytes()) });
    const tag = lateTag('too late', Wide);
    const h = harnessOf(Wide, (rows) =>
      rows.keyBy('k').window(TumblingEventTimeWindows.of(10)).sideOutputLateData(tag).aggregate({ n: count() }),
    );
    h.watermark(100).rows(
      [
        { k: 'a', note: 'x', p: Uint8Array.of(7) },
        { k: 'b', note: null, p: null },
      ],
      { times: [5, 105] },
    );
    h.rows([{ k: 'c', note: null, p: Uint8Array.of(8) }], { times: [6] });
    const rows = h.emissions().flatMap((e) => (e.kind === 'row' ? [[e.output, e.time, e.row]] : []));
    expect(rows).toEqual([
      ['too late', 5, { k: 'a', note: 'x', p: Uint8Array.of(7), watermark: 100, late_by_ms: 95 }],
      ['too late', 6, { k: 'c', note: null, p: Uint8Array.of(8), watermark: 100, late_by_ms: 94 }],
    ]);
  });

  it('W24 late rows that nobody reads are dropped and counted', () => {
    const h = windows({ size: 10, sides: [] });
    h.watermark(100);
    feed(h, 'a@5,6,105');
    expect([h.cells[OperatorCell.LATE_DROPPED], take(h)]).toEqual([2, 'wm 100']);
    const read = windows({ size: 10 });
    read.watermark(100);
    feed(read, 'a@5');
    expect(read.cells[OperatorCell.LATE_DROPPED]).toBe(0);
  });

  it('W25 a row is late against the watermark in force before it, also inside a batch', () => {
    const h = windows({ size: 10 });
    feed(h, 'a@5 a@30 a@6 a@31', { watermarks: [Number.NEGATIVE_INFINITY, 4, 29, 29] });
    h.watermark(30);
    expect(take(h)).toBe('a:1@9 wm 29 late a@6 29 23 wm 30');
  });

  it('W25 windows opened inside a batch fire inside it', () => {
    const h = windows({ size: 10 });
    feed(h, 'a@1 a@12 a@23 b@34 a@45', { watermarks: [-100, 0, 11, 22, 33] });
    expect(h.take()).toEqual([
      '{"k":"a","window_start":0,"window_end":10,"n":1} @9',
      'watermark 11',
      '{"k":"a","window_start":10,"window_end":20,"n":1} @19',
      'watermark 22',
      '{"k":"a","window_start":20,"window_end":30,"n":1} @29',
      'watermark 33',
    ]);
  });

  it('W26 a row without timestamp fails the job and says what to do', () => {
    const h = windows({ size: 10 });
    expect(() => h.rows([{ k: 'a', v: 1 }], { times: [null] })).toThrow(
      'A row without event timestamp reached an event-time window: assign timestamps and watermarks before it',
    );
  });

  it('W27 firing 100,000 windows stops and goes on with one credit at a time, each result once', () => {
    const h = windows({ size: 10 });
    const keys = Array.from({ length: 100_000 }, (_, i) => `key-${i}`);
    for (let at = 0; at < keys.length; at += BATCH_ROWS) {
      const part = keys.slice(at, at + BATCH_ROWS);
      h.rows(
        part.map((k) => ({ k, v: 1 })),
        { times: part.map(() => 5) },
      );
    }
    h.credits(1).watermark(9);
    expect(h.pending).toBe(true);
    expect(h.take().length).toBe(BATCH_ROWS);
    h.resume();
    expect(h.take()).toEqual([]);
    h.drip();
    const rest = h.take();
    expect(rest.length).toBe(100_000 - BATCH_ROWS + 1);
    expect(rest.at(-1)).toBe('watermark 9');
    expect(new Set(rest).size).toBe(rest.length);
    expect(rest[0]).toBe(`{"k":"key-${BATCH_ROWS}","window_start":0,"window_end":10,"n":1} @9`);
    expect(h.watermark(10).take()).toEqual(['watermark 10']);
  });

  it('W27 a batch that stops in its middle goes on with the row behind', () => {
    const h = windows({ size: 10, lateness: 1e6 });
    h.watermark(100);
    take(h);
    // Every row fires its window again: 5,000 results in three batches of input, with one credit at a time.
    let n = 0;
    for (let b = 0; b < 3; b++) {
      h.credits(1);
      feed(h, `a@${Array.from({ length: 2000 }, () => 5).join(',')}`);
      h.drip();
      const values = h.emissions().flatMap((e) => (e.kind === 'row' ? [e.row.n] : []));
      expect(values).toEqual(Array.from({ length: 2000 }, (_, i) => n + i + 1));
      n += 2000;
    }
  });

  it('W27 late rows stay readable while their consumer has no credits', () => {
    const h = windows({ size: 10 });
    h.watermark(100);
    h.credits(1, 'late');
    feed(h, 'a@5 b@6');
    h.credits(1, 'late');
    feed(h, 'c@7');
    h.credits(1, 'late');
    expect(take(h)).toBe('wm 100 late a@5 100 95 late b@6 100 94 late c@7 100 93');
  });

  it('W28 a jump into the future and back, and many open windows, change nothing', () => {
    const h = windows({ size: 10 });
    const numbers = [0, 1e9, 8, 64, 1e12, 16, 3, 1e9 + 64, 24, 32, 40, 48, 56, 72, 80];
    feed(h, numbers.map((n) => `a@${n * 10} b@${n * 10 + 9}`).join(' '));
    feed(h, numbers.map((n) => `a@${n * 10 + 1}`).join(' '));
    h.watermark(MAX_WATERMARK);
    const expected = [...numbers].sort((x, y) => x - y).flatMap((n) => [`a:2@${n * 10 + 9}`, `b:1@${n * 10 + 9}`]);
    expect(take(h)).toBe([...expected, 'wm Infinity'].join(' '));
  });

  it('W28 instants before the epoch too', () => {
    const h = windows({ size: 10 });
    feed(h, 'a@-1 a@-10 a@0 a@-11').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('a:1@-11 a:2@-1 a:1@9 wm Infinity');
  });

  it('W29 whole-number keys appear as themselves, and forgotten ones cost nothing', () => {
    const I = schema({ id: i32(), v: f64() });
    const h = harnessOf(I, (rows) =>
      rows
        .keyBy('id')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ n: count(), s: sum('v') }),
    );
    h.rows(
      [7, -3, 7, 2147483647].map((id) => ({ id, v: id })),
      { times: [1, 1, 1, 1] },
    ).watermark(9);
    expect(h.take()).toEqual([
      '{"id":7,"window_start":0,"window_end":10,"n":2,"s":14} @9',
      '{"id":-3,"window_start":0,"window_end":10,"n":1,"s":-3} @9',
      '{"id":2147483647,"window_start":0,"window_end":10,"n":1,"s":2147483647} @9',
      'watermark 9',
    ]);
    // The operator gives them codes of its own, and has these swept.
    expect(h.owned.map((d) => d.size)).toContain(3);
  });

  it('W30 state is forgotten with its window', () => {
    const h = windows({ size: 10 });
    let bytes = 0;
    for (let n = 0; n < 50; n++) {
      feed(h, Array.from({ length: 500 }, (_, i) => `k${i}@${n * 10}`).join(' '));
      h.watermark(n * 10 + 9);
      const now = h.stateBytes;
      if (n === 2) bytes = now;
      if (n > 2) expect(now).toBe(bytes);
    }
    expect(bytes).toBeGreaterThan(0);
  });

  it('W30 a sweep of the strings leaves the keys of open windows alone, and frees the others', () => {
    const h = windows({ size: 10, lateness: 5 });
    const dictionary = new Dictionary(8);
    const expected: string[] = [];
    for (let n = 0; n < 200; n++) {
      feed(h, `only-${n}@${n} always@${n}`, { dictionary });
      h.watermark(n - 20);
      // Between batches, as its owner does.
      dictionary.sweepIfLarge();
    }
    h.watermark(MAX_WATERMARK);
    for (let end = 9; end < 200; end += 10) {
      expected.push(`always:10@${end}`, ...Array.from({ length: 10 }, (_, i) => `only-${end - 9 + i}:1@${end}`).sort());
    }
    const results = take(h)
      .split(' ')
      .filter((part) => part.includes(':'));
    expect(results).toEqual(expected);
    expect(dictionary.capacity).toBeLessThan(120);
  });

  it('W31 the open windows can be looked at, all or by key', () => {
    const h = windows({ size: 10 });
    feed(h, 'a@1 b@2 a@11 a@12');
    const open = (query: unknown): unknown => h.inspect(query);
    expect(open({ keys: ['a', 'nobody'], limit: 10 })).toEqual({
      open: [
        { key: 'a', start: 0, end: 10, values: [1] },
        { key: 'a', start: 10, end: 20, values: [2] },
      ],
      count: 3,
    });
    expect(open({ keys: null, limit: 2 })).toMatchObject({ open: [{}, {}], count: 3 });
    h.watermark(MAX_WATERMARK);
    expect(open({ keys: null, limit: 2 })).toEqual({ open: [], count: 0 });
  });
});

describe('tumbling windows in processing time', () => {
  const started = (ms: number, size = 3000): OperatorHarness =>
    windows({ size, processing: true, clock: new ManualClock(ms) });

  it('W16 tumbling 3 s by the clock alone', () => {
    const h = started(3);
    feed(h, 'k2@1 k2@99999999 k2@5 k1@7 k1@8');
    h.advance(4997);
    expect(take(h)).toBe('k1:2@2999 k2:3@2999');
    feed(h, 'k1@0,0,0').advance(2000);
    expect(take(h)).toBe('k1:3@5999');
  });

  it('W32 a window is emitted once, when the clock has passed its last millisecond', () => {
    const h = started(2999);
    feed(h, 'a@0');
    feed(h, 'a@0');
    h.advance(0);
    expect(take(h)).toBe('');
    h.advance(1);
    expect(take(h)).toBe('a:2@2999');
  });

  it('W32 rows find their window by the clock even if the timer has not run yet', () => {
    const h = started(2000);
    feed(h, 'a@0');
    h.clock.set(4000);
    feed(h, 'a@0');
    expect(take(h)).toBe('a:1@2999');
    h.advance(2000);
    expect(take(h)).toBe('a:1@5999');
  });

  it('W32 a clock that steps back opens no window again', () => {
    const h = started(2000);
    feed(h, 'a@0').advance(1000);
    expect(take(h)).toBe('a:1@2999');
    h.clock.set(2500);
    feed(h, 'a@0');
    expect(take(h)).toBe('');
    h.clock.set(6000);
    h.advance(0);
    expect(take(h)).toBe('a:1@5999');
  });

  it('W33 at the end of the input open windows are emitted, before the last watermark; Flink drops them', () => {
    const h = started(0);
    feed(h, 'a@0 b@0').watermark(MAX_WATERMARK).end();
    expect(h.take()).toEqual([
      '{"k":"a","window_start":0,"window_end":3000,"n":1} @2999',
      '{"k":"b","window_start":0,"window_end":3000,"n":1} @2999',
      'watermark Infinity',
      'end',
    ]);
  });

  it('W34 nothing is late, whatever lateness says, and timestamps are not needed', () => {
    const h = started(0);
    h.watermark(1e9).rows([{ k: 'a', v: 1 }]);
    feed(h, 'a@5').advance(3000);
    expect(take(h)).toBe('wm 1000000000 a:2@2999');
  });
});
