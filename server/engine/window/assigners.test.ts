import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  maxTimestampOf,
  startOf,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  windowStart,
} from './assigners.ts';

const windowOf = (size: number, offset: number, timestamp: number): string => {
  const start = windowStart(timestamp, offset, size);
  return `[${start},${start + size})`;
};

describe('tumbling windows, as Flink’s', () => {
  it('A1 half-open windows aligned to the epoch', () => {
    expect([0, 4999, 5000].map((t) => windowOf(5000, 0, t))).toEqual(['[0,5000)', '[0,5000)', '[5000,10000)']);
  });

  it('A2 an offset moves them', () => {
    expect([100, 5099, 5100].map((t) => windowOf(5000, 100, t))).toEqual(['[100,5100)', '[100,5100)', '[5100,10100)']);
  });

  it('A3 a negative offset too', () => {
    expect([0, 4899, 4900].map((t) => windowOf(5000, -100, t))).toEqual(['[-100,4900)', '[-100,4900)', '[4900,9900)']);
  });

  it('A5 5 s with an offset of 1 s', () => {
    expect([1000, 5999, 6000].map((t) => windowOf(5000, 1000, t))).toEqual([
      '[1000,6000)',
      '[1000,6000)',
      '[6000,11000)',
    ]);
  });

  it('A6 abs(offset) < size, and size > 0, in whole milliseconds', () => {
    for (const of of [TumblingEventTimeWindows.of, TumblingProcessingTimeWindows.of]) {
      for (const [size, offset] of [
        [-1000, 0],
        [0, 0],
        [10_000, 20_000],
        [10_000, -11_000],
        [10_000, 10_000],
        [1.5, 0],
        [10, 0.5],
        [Number.NaN, 0],
      ] as const) {
        expect(() => of(size, offset), `${size} ${offset}`).toThrow('abs(offset) < size');
      }
      expect(of(10_000, 9999)).toMatchObject({ sizeMs: 10_000, offsetMs: 9999 });
    }
  });

  it('A17 window numbers count from the offset, and the last instant of a window is its end - 1', () => {
    const windows = TumblingEventTimeWindows.of(5000, 100);
    expect([-1, 0, 1].map((n) => [startOf(windows, n), maxTimestampOf(windows, n)])).toEqual([
      [-4900, 99],
      [100, 5099],
      [5100, 10099],
    ]);
  });

  it('A17 for every instant a Date can name, number and formula agree', () => {
    const instant = fc.integer({ min: -8.64e15, max: 8.64e15 });
    const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 1e9 }));
    fc.assert(
      fc.property(instant, size, fc.nat(), (t, sizeMs, o) => {
        const windows = TumblingEventTimeWindows.of(sizeMs, o % sizeMs);
        const number = Math.floor((t - windows.offsetMs) / sizeMs);
        expect(startOf(windows, number)).toBe(windowStart(t, windows.offsetMs, sizeMs));
        expect(startOf(windows, number)).toBeLessThanOrEqual(t);
        expect(maxTimestampOf(windows, number)).toBeGreaterThanOrEqual(t);
      }),
      { numRuns: 20_000 },
    );
  });
});
