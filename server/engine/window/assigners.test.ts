import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AlignedWindows,
  CumulativeEventTimeWindows,
  CumulativeProcessingTimeWindows,
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  windowStart,
} from './assigners.ts';
import { Slices } from './slices.ts';

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
    const slices = new Slices(TumblingEventTimeWindows.of(5000, 100));
    expect([-1, 0, 1].map((n) => [slices.window(n).start, slices.maxTimestamp(n)])).toEqual([
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
        const slices = new Slices(windows);
        expect(slices.window(number).start).toBe(windowStart(t, windows.offsetMs, sizeMs));
        expect(slices.window(number).start).toBeLessThanOrEqual(t);
        expect(slices.maxTimestamp(number)).toBeGreaterThanOrEqual(t);
      }),
      { numRuns: 20_000 },
    );
  });
});

/** Starts of the windows that hold an instant, the latest first, found through its slice as the operator does. */
function startsOf(windows: AlignedWindows, timestamp: number): number[] {
  const slices = new Slices(windows);
  const slice = Math.floor((timestamp - windows.offsetMs) / slices.sliceMs);
  const starts: number[] = [];
  for (let n = slices.lastWindow(slice); n >= slices.firstWindow(slice); n--) starts.push(slices.window(n).start);
  return starts;
}

describe('sliding windows, as Flink’s', () => {
  it('A7 an instant is in size / slide windows', () => {
    const windows = SlidingEventTimeWindows.of(5000, 1000);
    expect(startsOf(windows, 0)).toEqual([0, -1000, -2000, -3000, -4000]);
    expect(startsOf(windows, 4999)).toEqual([4000, 3000, 2000, 1000, 0]);
    expect(startsOf(windows, 5000)).toEqual([5000, 4000, 3000, 2000, 1000]);
  });

  it('A8 an offset moves them', () => {
    const windows = SlidingEventTimeWindows.of(5000, 1000, 100);
    expect(startsOf(windows, 100)).toEqual([100, -900, -1900, -2900, -3900]);
    expect(startsOf(windows, 5099)).toEqual([4100, 3100, 2100, 1100, 100]);
    expect(startsOf(windows, 5100)).toEqual([5100, 4100, 3100, 2100, 1100]);
  });

  it('A9 a negative offset too', () => {
    const windows = SlidingEventTimeWindows.of(5000, 1000, -100);
    expect(startsOf(windows, 0)).toEqual([-100, -1100, -2100, -3100, -4100]);
    expect(startsOf(windows, 4899)).toEqual([3900, 2900, 1900, 900, -100]);
    expect(startsOf(windows, 4900)).toEqual([4900, 3900, 2900, 1900, 900]);
  });

  it('A10 5 s every second, with an offset of half of one', () => {
    const windows = SlidingEventTimeWindows.of(5000, 1000, 500);
    expect(startsOf(windows, 100)).toEqual([-500, -1500, -2500, -3500, -4500]);
    for (const t of [5499, 5100]) expect(startsOf(windows, t)).toEqual([4500, 3500, 2500, 1500, 500]);
  });

  it('A11 abs(offset) < slide, and size > 0, in whole milliseconds', () => {
    for (const of of [SlidingEventTimeWindows.of, SlidingProcessingTimeWindows.of]) {
      for (const [size, slide, offset] of [
        [-2000, 1000, 0],
        [2000, -1000, 0],
        [20, 10, -11],
        [20, 10, 11],
        [0, 10, 0],
        [20, 0, 0],
        [20, 1.5, 0],
        [Number.NaN, 10, 0],
      ] as const) {
        expect(() => of(size, slide, offset), `${size} ${slide} ${offset}`).toThrow(
          'abs(offset) < slide, and size > 0',
        );
      }
    }
  });
});

describe('sliding and cumulating windows, Weir’s own rules', () => {
  it('SL1 where windows leave gaps, an instant between them is in none', () => {
    const windows = SlidingEventTimeWindows.of(4, 10);
    expect([-1, 0, 3, 4, 9, 10].map((t) => startsOf(windows, t))).toEqual([[], [0], [0], [], [], [10]]);
  });

  it('SL2 for any size, slide and instant, slices and Flink’s formula agree', () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(1000, 1500, 60_000));
    fc.assert(
      fc.property(length, length, fc.nat(), fc.integer({ min: -1e6, max: 1e6 }), (size, slide, o, t) => {
        const offset = o % slide;
        const expected: number[] = [];
        for (let start = windowStart(t, offset, slide); start > t - size; start -= slide) expected.push(start);
        if (expected.length > 1000) return;
        expect(startsOf(SlidingEventTimeWindows.of(size, slide, offset), t)).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('SL3 cumulating windows begin together and end step by step; no two end at the same instant', () => {
    const slices = new Slices(CumulativeEventTimeWindows.of(60, 20, 5));
    expect([-1, 0, 1, 2, 3].map((n) => slices.window(n))).toEqual([
      { start: -55, end: 5 },
      { start: 5, end: 25 },
      { start: 5, end: 45 },
      { start: 5, end: 65 },
      { start: 65, end: 85 },
    ]);
    const windows = CumulativeEventTimeWindows.of(60, 20, 5);
    expect([4, 5, 25, 64].map((t) => startsOf(windows, t).length)).toEqual([1, 3, 2, 1]);
  });

  it('SL3 the size is a multiple of the step', () => {
    for (const of of [CumulativeEventTimeWindows.of, CumulativeProcessingTimeWindows.of]) {
      for (const [size, step, offset] of [
        [50, 20, 0],
        [60, 0, 0],
        [0, 0, 0],
        [60, -20, 0],
        [60, 20, 60],
        [60, 20.5, 0],
      ] as const) {
        expect(() => of(size, step, offset), `${size} ${step} ${offset}`).toThrow('a multiple of the step');
      }
    }
  });

  it('SL4 the last window that a watermark has ended is the last one whose last instant it has reached', () => {
    const length = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(length, length, fc.boolean(), fc.integer({ min: -200, max: 200 }), (a, b, grows, watermark) => {
        const slices = new Slices(grows ? CumulativeEventTimeWindows.of(a * b, b) : SlidingEventTimeWindows.of(a, b));
        const last = slices.lastEnded(watermark);
        expect(slices.maxTimestamp(last)).toBeLessThanOrEqual(watermark);
        expect(slices.maxTimestamp(last + 1)).toBeGreaterThan(watermark);
      }),
      { numRuns: 2000 },
    );
    const slices = new Slices(SlidingEventTimeWindows.of(10, 3));
    expect([-1, 1].map((sign) => slices.lastEnded(sign * Number.POSITIVE_INFINITY))).toEqual([-Infinity, Infinity]);
  });
});
