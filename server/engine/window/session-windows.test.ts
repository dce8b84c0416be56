import { describe, expect, it } from 'vitest';
import { harnessOf } from '#testing/harness-of.ts';
import { schema, string } from '../batch/schema.ts';
import { count } from './aggregates.ts';
import { EventTimeSessionWindows, mergeWindows, ProcessingTimeSessionWindows } from './session-windows.ts';

const S = schema({ k: string() });
const windows = (...pairs: [number, number][]) => pairs.map(([start, end]) => ({ start, end }));

describe('session windows, as Flink’s', () => {
  it('A12 a row opens a window of the length of the gap', () => {
    const h = harnessOf(S, (rows) =>
      rows.keyBy('k').window(EventTimeSessionWindows.withGap(5000)).aggregate({ n: count() }),
    );
    h.rows([{ k: 'a' }, { k: 'b' }], { times: [0, 4999] }).watermark(10_000);
    expect(h.take()).toEqual([
      '{"k":"a","window_start":0,"window_end":5000,"n":1} @4999',
      '{"k":"b","window_start":4999,"window_end":9999,"n":1} @9998',
      'watermark 10000',
    ]);
  });

  it('A13 windows that touch are one', () => {
    expect(mergeWindows(windows([4, 5], [0, 1], [1, 2], [5, 6], [2, 3]))).toEqual([
      { cover: { start: 0, end: 3 }, members: windows([0, 1], [1, 2], [2, 3]) },
      { cover: { start: 4, end: 6 }, members: windows([4, 5], [5, 6]) },
    ]);
  });

  it('A14 windows that lie in others are one with them', () => {
    const merged = mergeWindows(windows([1, 1], [0, 2], [4, 7], [5, 6]));
    expect(merged.map((group) => group.cover)).toEqual(windows([0, 2], [4, 7]));
  });

  it('A15 a single window merges with nothing', () => {
    expect(mergeWindows(windows([0, 0]))).toEqual([]);
    expect(mergeWindows(windows([0, 1]))).toEqual([]);
  });

  it('A16 a gap of 0 or less is refused', () => {
    for (const assigner of [EventTimeSessionWindows, ProcessingTimeSessionWindows]) {
      for (const gap of [0, -1000, 0.5, Number.NaN]) expect(() => assigner.withGap(gap)).toThrow('0 < size');
    }
  });
});
