import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { both, grouping, lateA, lateB, left, Out, right, says } from '#testing/co-group-script.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { OperatorCell } from '../metrics/cells.ts';
import {
  type AlignedWindows,
  CumulativeEventTimeWindows,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  windowsOf,
} from './assigners.ts';
import { EventTimeSessionWindows, type SessionWindows } from './session-windows.ts';

describe('two streams in windows against plain models', () => {
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
      { numRuns: 700 },
    );
    expect([again > 500, drops > 500]).toEqual([true, true]);
  });

  it('WJ13 firings and late rows are those of one stream of tagged rows, in the operators made for it', () => {
    const Tagged = schema({ k: string(), v: f64(), side: string() });
    const late = lateTag('late', Tagged);
    let lateRows = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const windows = [
          EventTimeSessionWindows.withGap(4),
          EventTimeSessionWindows.withGap(9),
          TumblingEventTimeWindows.of(7),
          SlidingEventTimeWindows.of(6, 4),
          CumulativeEventTimeWindows.of(6, 2),
        ][random.below(5)] as AlignedWindows | SessionWindows;
        const latenessMs = random.below(3) * 4;
        let pair = grouping(windows, latenessMs, {}, (rows) =>
          rows.sideOutputLeftLateData(lateA).sideOutputRightLateData(lateB),
        );
        const one = harnessOf(Tagged, (rows) =>
          rows
            .keyBy('k')
            .window(windows)
            .allowedLateness(latenessMs)
            .sideOutputLateData(late)
            .process(Out, (key, { start, end }, all, out) => {
              const [l, r] = ['l', 'r'].map((side) =>
                all
                  .filter((row) => row.side === side)
                  .map((row) => row.v)
                  .join('+'),
              );
              out.collect({ says: `${key}[${start},${end}) ${l}|${r}` });
            }),
        );
        const got: string[] = [];
        const collect = (): void => {
          for (const e of pair.emissions()) {
            if (e.kind !== 'row') continue;
            if (e.output === 'main') got.push(`${e.row.says}@${e.time}`);
            else
              got.push(`late ${e.output === 'late-a' ? 'l' : 'r'} ${e.row.k ?? e.row.of} ${e.time} ${e.row.watermark}`);
          }
        };
        let now = 0;
        both(pair, now);
        one.watermark(now);
        for (let step = 0; step < 25; step++) {
          const what = random.below(8);
          if (what < 5) {
            const side = random.below(2) === 0 ? 'l' : 'r';
            const k = 'ab'[random.below(2)] as string;
            const times = Array.from({ length: 1 + random.below(4) }, () => Math.max(0, now + random.below(24) - 12));
            (side === 'l' ? left : right)(pair, k, ...times);
            one.rows(
              times.map((v) => ({ k, v, side })),
              { times },
            );
          } else if (what < 7) {
            now += random.below(9);
            both(pair, now);
            one.watermark(now);
          } else {
            collect();
            pair = grouping(windows, latenessMs, { restore: [pair.snapshot()] }, (rows) =>
              rows.sideOutputLeftLateData(lateA).sideOutputRightLateData(lateB),
            );
            both(pair, now);
          }
        }
        both(pair, 1000);
        one.watermark(1000);
        collect();
        const wanted = one.emissions().flatMap((e) => {
          if (e.kind !== 'row') return [];
          if (e.output === 'main') return [`${e.row.says}@${e.time}`];
          lateRows++;
          return [`late ${e.row.side} ${e.row.k} ${e.time} ${e.row.watermark}`];
        });
        expect(got.sort()).toEqual(wanted.sort());
      }),
      { numRuns: 300 },
    );
    expect(lateRows).toBeGreaterThan(500);
  });
});
