import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, HISTOGRAM_CELLS, Histogram, LONGEST_MICROS, middleOf } from './histogram.ts';

const micros = fc.oneof(
  fc.nat(300),
  fc.nat(1_000_000),
  fc.integer({ min: 0, max: LONGEST_MICROS }),
  fc.double({ min: 0, max: 1e9, noNaN: true }),
);
const of = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
};
/** Nearest rank, as `quantile` is defined. */
const exact = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.max(1, Math.ceil(q * values.length)) - 1] as number;

describe('a histogram', () => {
  it('HG1 knows a value to within 1 %, from 0 to 9.5 hours', () => {
    fc.assert(
      fc.property(micros, (value) => {
        const whole = Math.floor(value);
        expect(Math.abs(middleOf(bucketOf(value)) - whole)).toBeLessThanOrEqual(whole / 128);
      }),
      { seed: 1, numRuns: 5000 },
    );
    for (let value = 0; value < 128; value++) expect(middleOf(bucketOf(value))).toBe(value);
  });

  it('HG1 its buckets follow each other without gap or overlap', () => {
    let last = -1;
    for (let bucket = 0; bucket < HISTOGRAM_CELLS; bucket++) {
      expect(bucketOf(middleOf(bucket))).toBe(bucket);
      expect(middleOf(bucket)).toBeGreaterThan(last);
      last = middleOf(bucket);
    }
    for (let power = 6; power < 35; power++) {
      expect(bucketOf(2 ** power) - bucketOf(2 ** power - 1)).toBe(1);
    }
  });

  it('HG2 longer values count as the longest, negative ones as 0; nothing is lost', () => {
    const histogram = of([-5, -0.1, 1e12, Number.POSITIVE_INFINITY]);
    expect(histogram.count).toBe(4);
    expect(histogram.cells[0]).toBe(2);
    expect(histogram.cells[HISTOGRAM_CELLS - 1]).toBe(2);
    expect(histogram.quantile(1)).toBeGreaterThan(LONGEST_MICROS * 0.99);
  });

  it('HG3 a quantile is that of the sorted values, to within 1 %; there is none of nothing', () => {
    fc.assert(
      fc.property(
        fc.array(micros, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const whole = values.map(Math.floor);
          const wanted = exact(whole, q);
          expect(Math.abs(of(values).quantile(q) - wanted)).toBeLessThanOrEqual(wanted / 128);
        },
      ),
      { seed: 2, numRuns: 1000 },
    );
    expect(new Histogram().quantile(0.5)).toBeNaN();
    expect(of([1, 2, 3, 4]).quantile(0.5)).toBe(2);
    expect(of([1, 2, 3, 4]).quantile(1)).toBe(4);
  });

  it('HG4 adding histograms gives that of all their values, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.array(micros, { maxLength: 50 }), { maxLength: 6 }), (parts) => {
        const whole = of(parts.flat());
        const merged = new Histogram();
        for (const part of [...parts].reverse()) merged.add(of(part));
        expect(merged.cells).toEqual(whole.cells);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('HG4 a count stands for as many equal values', () => {
    const histogram = new Histogram();
    histogram.record(1500, 3);
    expect(histogram.cells).toEqual(of([1500, 1500, 1500]).cells);
  });

  it('HG5 two copies differ by what was recorded in between, whoever else reads', () => {
    fc.assert(
      fc.property(fc.array(micros), fc.array(micros), (before, after) => {
        const shared = new Float64Array(new SharedArrayBuffer(HISTOGRAM_CELLS * 8));
        const owner = new Histogram(shared);
        const reader = new Histogram(shared);
        for (const value of before) owner.record(value);
        const copy = new Histogram(reader.cells.slice());
        for (const value of after) owner.record(value);
        expect(reader.since(copy).cells).toEqual(of(after).cells);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
