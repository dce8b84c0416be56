import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { BACKENDS } from '#testing/backends.ts';
import { A, B, both, grouping, lateA, lateB, left, Out, right, says } from '#testing/co-group-script.ts';
import { fromRows } from '#testing/collect.ts';
import { pairHarnessOf } from '#testing/pair-harness.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import { lateTag, StreamExecutionEnvironment } from '../graph/data-stream.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { GlobalWindows } from './assign.ts';
import {
  type AlignedWindows,
  CumulativeEventTimeWindows,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  windowsOf,
} from './assigners.ts';
import type { EitherRow } from './co-group.ts';
import { EventTimeSessionWindows } from './session-windows.ts';
import type { Trigger } from './trigger.ts';
import { ContinuousEventTimeTrigger, CountTrigger, NeverTrigger, PurgingTrigger } from './triggers.ts';

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

  it('WJ4 sessions go on across both streams, merge, and keep the order of arrival on each side', () => {
    const h = grouping(EventTimeSessionWindows.withGap(5), 4, { stateBackend });
    left(h, 'a', 0, 10);
    right(h, 'a', 9, 3);
    right(h, 'b', 4);
    // Brings two sessions together.
    right(h, 'a', 6);
    both(h, 100);
    expect(says(h)).toEqual(['b[4,9) |4@8', 'a[0,15) 0+10|9+3+6@14']);
    left(h, 'a', 98);
    right(h, 'a', 97);
    expect(says(h)).toEqual([]);
    both(h, 103);
    expect(says(h)).toEqual(['a[97,103) 98|97@102']);
    // Late, but a session that is still there takes it.
    right(h, 'a', 95);
    expect(says(h)).toEqual(['a[95,103) 98|97+95@102']);
  });

  it('WJ4 the gap of a session may depend on which stream a row is of', () => {
    type Either = EitherRow<typeof A.fields, typeof B.fields>;
    const gap = (row: Either): number => (row.left === null ? row.right.w : 2);
    const h = grouping(EventTimeSessionWindows.withDynamicGap(gap), 0, { stateBackend });
    left(h, 'a', 1, 30);
    right(h, 'a', 3, 20);
    both(h, 100);
    expect(says(h)).toEqual(['a[1,6) 1|3@5', 'a[20,40) 30|20@39']);
  });

  it('WJ4 windows of all time, and counts over both streams together', () => {
    const h = grouping(GlobalWindows.create(), 0, { stateBackend }, (rows) =>
      rows.trigger(PurgingTrigger.of(CountTrigger.of(3))),
    );
    left(h, 'a', 1, 2);
    right(h, 'b', 1);
    right(h, 'a', 3, 4);
    left(h, 'a', 5, 6);
    both(h, Number.POSITIVE_INFINITY);
    expect(says(h)).toEqual(['a[-Infinity,Infinity) 1+2|3@Infinity', 'a[-Infinity,Infinity) 5+6|4@Infinity']);
  });

  it('WJ10 triggers: early results, purging, one of one’s own that looks at the stream', () => {
    const early = grouping(TumblingEventTimeWindows.of(10), 0, { stateBackend }, (rows) =>
      rows.trigger(ContinuousEventTimeTrigger.of(4)),
    );
    left(early, 'a', 1);
    both(early, 4);
    right(early, 'a', 5);
    both(early, 9);
    expect(says(early)).toEqual(['a[0,10) 1|@9', 'a[0,10) 1|5@9', 'a[0,10) 1|5@9']);
    const asked: Trigger<EitherRow<typeof A.fields, typeof B.fields>> = {
      onElement: (row) => (row.right === null ? 'CONTINUE' : 'FIRE_AND_PURGE'),
      onEventTime: () => 'CONTINUE',
      onProcessingTime: () => 'CONTINUE',
      clear: () => {},
    };
    const h = grouping(TumblingEventTimeWindows.of(10), 0, { stateBackend }, (rows) => rows.trigger(asked));
    left(h, 'a', 1, 2);
    right(h, 'a', 3, 4);
    expect(says(h)).toEqual(['a[0,10) 1+2|3@9', 'a[0,10) |4@9']);
  });

  it('WJ11 late rows of each stream go to its side output', () => {
    const h = grouping(TumblingEventTimeWindows.of(10), 2, { stateBackend }, (rows) =>
      rows.sideOutputLeftLateData(lateA).sideOutputRightLateData(lateB),
    );
    both(h, 15);
    left(h, 'a', 9, 12);
    right(h, 'a', 3);
    const late = h
      .emissions()
      .flatMap((e) => (e.kind === 'row' ? [`${e.output} ${JSON.stringify(e.row)} ${e.time}`] : []));
    expect(late).toEqual([
      'late-a {"k":"a","v":9,"watermark":15,"late_by_ms":6} 9',
      'late-b {"w":3,"of":"a","watermark":15,"late_by_ms":12} 3',
    ]);
    expect(h.cells[OperatorCell.LATE_DROPPED]).toBe(0);
  });

  it('WJ12 with a time to live, a window that gets rows of neither stream is forgotten', () => {
    const clock = new ManualClock(0);
    const h = grouping(GlobalWindows.create(), 0, { stateBackend, clock }, (rows) =>
      rows.trigger(CountTrigger.of(3)).contentsTimeToLive(100),
    );
    left(h, 'a', 1);
    h.advance(99);
    right(h, 'a', 2);
    h.advance(99);
    right(h, 'a', 3);
    expect(says(h)).toEqual(['a[-Infinity,Infinity) 1|2+3@Infinity']);
    h.advance(100);
    expect(h.cells[OperatorCell.EXPIRED]).toBe(1);
    left(h, 'a', 4, 5);
    expect(says(h)).toEqual([]);
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
    expect(h.snapshot().keyed.length).toBe(1);
    both(h, 14);
    expect(h.snapshot().keyed.length).toBe(0);
  });

  it('WJ7 what cannot work is refused', () => {
    const never: Trigger = { ...NeverTrigger.create() };
    delete never.onMerge;
    expect(() => grouping(EventTimeSessionWindows.withGap(3), 0, {}, (rows) => rows.trigger(never))).toThrow('onMerge');
    expect(() =>
      grouping(TumblingEventTimeWindows.of(3), 0, {}, (rows) =>
        rows.sideOutputLeftLateData(lateA).sideOutputRightLateData(lateTag('late-a', B)),
      ),
    ).toThrow('tags of their own, not "late-a" for both');
    const job = (name: string) => new StreamExecutionEnvironment({ name }).fromSource(fromRows(A, []), 'rows');
    expect(() => job('one').join(job('other'))).toThrow('both streams must be of the same job');
    expect(() => grouping(TumblingEventTimeWindows.of(10), -1)).toThrow('allowed lateness');
    const h = grouping(TumblingEventTimeWindows.of(10));
    expect(() => h.first.rows([{ k: 'a', v: 1 }])).toThrow('A row without event timestamp');
  });
});
