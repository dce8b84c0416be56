import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { BACKENDS } from '#testing/backends.ts';
import type { HarnessOptions } from '#testing/harness.ts';
import { type PairHarness, pairHarnessOf } from '#testing/pair-harness.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import { OperatorCell } from '../metrics/cells.ts';
import {
  type AlignedWindows,
  CumulativeEventTimeWindows,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  windowsOf,
} from '../window/assigners.ts';

const A = schema({ k: string(), v: f64() });
const B = schema({ w: f64(), of: string() });
const Out = schema({ says: string() });
type Settings = Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore' | 'stateBackend'>;

const grouping = (windows: AlignedWindows, latenessMs = 0, settings: Settings = {}): PairHarness =>
  pairHarnessOf(
    A,
    B,
    (a, b) =>
      a
        .coGroup(b)
        .where('k')
        .equalTo('of')
        .window(windows)
        .allowedLateness(latenessMs)
        .apply('group', Out, (lefts, rights, { key, window }, out) => {
          const [l, r] = [lefts.map((row) => row.v).join('+'), rights.map((row) => row.w).join('+')];
          out.collect({ says: `${key}[${window.start},${window.end}) ${l}|${r}` });
        }),
    settings,
  );
const left = (h: PairHarness, k: string, ...times: number[]): void =>
  h.first.rows(
    times.map((v) => ({ k, v })),
    { times },
  );
const right = (h: PairHarness, k: string, ...times: number[]): void =>
  h.second.rows(
    times.map((w) => ({ w, of: k })),
    { times },
  );
const both = (h: PairHarness, watermark: number): void => {
  h.first.watermark(watermark);
  h.second.watermark(watermark);
};
const says = (h: PairHarness): string[] =>
  h.emissions().flatMap((e) => (e.kind === 'row' ? [`${e.row.says}@${e.time}`] : []));

describe('windows of an instant', () => {
  it('WJ4 tumbling, sliding newest first, cumulating', () => {
    const of = (windows: AlignedWindows, time: number): string[] =>
      windowsOf(windows, time).map(({ start, end }) => `${start},${end}`);
    expect(of(TumblingEventTimeWindows.of(10, 3), 12)).toEqual(['3,13']);
    expect(of(TumblingEventTimeWindows.of(10), -1)).toEqual(['-10,0']);
    expect(of(SlidingEventTimeWindows.of(6, 2), 7)).toEqual(['6,12', '4,10', '2,8']);
    expect(of(SlidingEventTimeWindows.of(2, 5), 3)).toEqual([]);
    expect(of(CumulativeEventTimeWindows.of(6, 2), 7)).toEqual(['6,8', '6,10', '6,12']);
    expect(of(CumulativeEventTimeWindows.of(6, 2), 10)).toEqual(['6,12']);
  });
});

describe.each(BACKENDS)('two streams in windows on %s', (_name, stateBackend) => {
  it('WJ1 a join makes all pairs of a key and window; rows without a partner make none', () => {
    const h = pairHarnessOf(
      A,
      B,
      (a, b) =>
        a
          .join(b)
          .where('k')
          .equalTo('of')
          .window(TumblingEventTimeWindows.of(10))
          .apply('join', Out, (l, r, { window }) => ({ says: `${l.k}${l.v}-${r.w} in ${window.start}` })),
      { stateBackend },
    );
    left(h, 'a', 1, 12, 3);
    right(h, 'a', 4, 25, 5);
    left(h, 'b', 1);
    both(h, 100);
    expect(says(h)).toEqual(['a1-4 in 0@9', 'a1-5 in 0@9', 'a3-4 in 0@9', 'a3-5 in 0@9']);
  });

  it('WJ2 a co-group gets the rows of both, of one only as well, when the lower watermark has reached the end', () => {
    const h = grouping(TumblingEventTimeWindows.of(10), 0, { stateBackend });
    left(h, 'a', 1, 11);
    right(h, 'a', 5);
    right(h, 'b', 22);
    h.first.watermark(50);
    h.second.watermark(8);
    expect(says(h)).toEqual([]);
    h.second.watermark(9);
    expect(says(h)).toEqual(['a[0,10) 1|5@9']);
    h.second.watermark(40);
    expect(says(h)).toEqual(['a[10,20) 11|@19', 'b[20,30) |22@29']);
  });

  it('WJ3 rows of windows that are over are dropped and counted; within the allowed lateness each makes its window fire again', () => {
    const h = grouping(TumblingEventTimeWindows.of(10), 5, { stateBackend });
    left(h, 'a', 1);
    both(h, 9);
    expect(says(h)).toEqual(['a[0,10) 1|@9']);
    right(h, 'a', 2, 3);
    expect(says(h)).toEqual(['a[0,10) 1|2@9', 'a[0,10) 1|2+3@9']);
    both(h, 13);
    left(h, 'a', 9);
    expect(says(h)).toEqual(['a[0,10) 1+9|2+3@9']);
    both(h, 14);
    left(h, 'a', 9, 4);
    right(h, 'a', 9);
    expect(says(h)).toEqual([]);
    expect(h.cells[OperatorCell.LATE_DROPPED]).toBe(3);
  });

  it('WJ4 sliding and cumulating windows have a row more than once', () => {
    const h = grouping(SlidingEventTimeWindows.of(6, 2), 0, { stateBackend });
    left(h, 'a', 7);
    right(h, 'a', 8);
    both(h, 100);
    expect(says(h)).toEqual(['a[2,8) 7|@7', 'a[4,10) 7|8@9', 'a[6,12) 7|8@11', 'a[8,14) |8@13']);
    const g = grouping(CumulativeEventTimeWindows.of(6, 2), 0, { stateBackend });
    left(g, 'a', 6);
    right(g, 'a', 9);
    both(g, 100);
    expect(says(g)).toEqual(['a[6,8) 6|@7', 'a[6,10) 6|9@9', 'a[6,12) 6|9@11']);
  });

  it('WJ5 processing time: windows close by the clock, and nothing is late', () => {
    const h = grouping(TumblingProcessingTimeWindows.of(10), 0, { stateBackend });
    h.clock.set(1000);
    left(h, 'a', 1);
    h.advance(5);
    right(h, 'a', 999);
    both(h, 5000);
    left(h, 'a', 2);
    expect(says(h)).toEqual([]);
    h.advance(4);
    left(h, 'a', 3);
    expect(says(h)).toEqual([]);
    h.advance(1);
    expect(says(h)).toEqual(['a[1000,1010) 1+2+3|999@1009']);
    h.clock.set(1003);
    right(h, 'a', 4);
    h.advance(16);
    expect(says(h)).toEqual([]);
    h.advance(1);
    expect(says(h)).toEqual(['a[1010,1020) |4@1019']);
  });

  it('WJ5 windows in processing time that are open at the end are emitted, before the last watermark', () => {
    const h = grouping(TumblingProcessingTimeWindows.of(10), 0, { stateBackend });
    h.clock.set(1000);
    left(h, 'a', 1);
    h.advance(9);
    right(h, 'b', 2);
    h.first.end();
    expect(says(h)).toEqual([]);
    h.second.end();
    const said = h.emissions().map((e) => (e.kind === 'row' ? `${e.row.says}@${e.time}` : e.kind));
    expect(said).toEqual(['a[1000,1010) 1|@1009', 'b[1000,1010) |2@1009', 'watermark', 'end']);
  });

  it('WJ6 open windows, fired or not, move by key group to any parallelism', async () => {
    const one = grouping(TumblingEventTimeWindows.of(10), 5, { stateBackend });
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    for (const k of keys) {
      left(one, k, 1);
      right(one, k, 12);
    }
    both(one, 10);
    says(one);
    const restore = [await one.snapshotLater()];
    for (const subtask of [0, 1, 2]) {
      const h = grouping(TumblingEventTimeWindows.of(10), 5, { subtask, parallelism: 3, restore, stateBackend });
      const mine = keys.filter((k) => subtaskOf(keyGroupOf(javaHash(k), 128), 3, 128) === subtask);
      both(h, 10);
      for (const k of mine) {
        right(h, k, 2);
        expect(says(h)).toEqual([`${k}[0,10) 1|2@9`]);
      }
      both(h, 19);
      expect(says(h).sort()).toEqual(mine.map((k) => `${k}[10,20) |12@19`).sort());
    }
  });
});

describe('two streams in windows', () => {
  it('WJ3 nothing is kept of windows that are over', () => {
    const h = grouping(TumblingEventTimeWindows.of(10), 5);
    left(h, 'a', 1);
    right(h, 'a', 2);
    both(h, 13);
    expect(h.snapshot().keyed.size).toBe(1);
    both(h, 14);
    expect(h.snapshot().keyed.size).toBe(0);
  });

  it('WJ9 random rows, watermarks, lateness, credits and restores give the firings and drops of a plain model', () => {
    let again = 0;
    let drops = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const windows = [
          TumblingEventTimeWindows.of(7),
          SlidingEventTimeWindows.of(6, 4),
          CumulativeEventTimeWindows.of(6, 2),
        ][random.below(3)] as AlignedWindows;
        const latenessMs = random.below(3) * 4;
        let h = grouping(windows, latenessMs);
        const watermarks = [0, 0];
        let now = 0;
        let dropped = 0;
        let counted = 0;
        const open = new Map<string, { k: string; start: number; end: number; sides: [number[], number[]] }>();
        const said: string[] = [];
        const got: string[] = [];
        const fire = (w: { k: string; start: number; end: number; sides: [number[], number[]] }): void => {
          const [l, r] = w.sides;
          said.push(`${w.k}[${w.start},${w.end}) ${l.join('+')}|${r.join('+')}@${w.end - 1}`);
        };
        both(h, 0);
        for (let step = 0; step < 25; step++) {
          const input = random.below(2);
          const what = random.below(8);
          if (what < 5) {
            const k = 'ab'[random.below(2)] as string;
            const times = Array.from({ length: 1 + random.below(4) }, () => Math.max(0, now + random.below(14) - 7));
            for (const time of times) {
              let late = time + latenessMs <= now;
              for (const { start, end } of windowsOf(windows, time)) {
                if (end - 1 + latenessMs <= now) continue;
                late = false;
                const name = `${k} ${start} ${end}`;
                const w = open.get(name) ?? { k, start, end, sides: [[], []] };
                open.set(name, w);
                w.sides[input as 0 | 1].push(time);
                if (end - 1 > now) continue;
                fire(w);
                again++;
              }
              if (late) dropped++;
            }
            if (random.below(3) === 0) h.credits(1);
            (input === 0 ? left : right)(h, k, ...times);
            while (h.pending) h.credits(1).resume();
            h.credits(Number.POSITIVE_INFINITY);
          } else if (what < 7) {
            watermarks[input] = (watermarks[input] as number) + random.below(9);
            (input === 0 ? h.first : h.second).watermark(watermarks[input] as number);
            const before = now;
            now = Math.min(...watermarks);
            for (const [name, w] of open) {
              if (w.end - 1 > before && w.end - 1 <= now) fire(w);
              if (w.end - 1 + latenessMs <= now) open.delete(name);
            }
          } else {
            got.push(...says(h));
            counted += h.cells[OperatorCell.LATE_DROPPED] as number;
            h = grouping(windows, latenessMs, { restore: [h.snapshot()] });
            for (const i of [0, 1]) (i === 0 ? h.first : h.second).watermark(watermarks[i] as number);
          }
        }
        got.push(...says(h));
        expect(got.sort()).toEqual(said.sort());
        expect(counted + (h.cells[OperatorCell.LATE_DROPPED] as number)).toBe(dropped);
        drops += dropped;
      }),
      { numRuns: 400 },
    );
    expect([again > 500, drops > 500]).toEqual([true, true]);
  });

  it('WJ7 what cannot work is refused', () => {
    expect(() => grouping(TumblingEventTimeWindows.of(10), -1)).toThrow('allowed lateness');
    const h = grouping(TumblingEventTimeWindows.of(10));
    expect(() => h.first.rows([{ k: 'a', v: 1 }])).toThrow('group: event-time windows need rows with timestamps.');
  });
});
