import { describe, expect, it } from 'vitest';
import { compare, comparison, series, slope } from './measure.ts';

describe('measures', () => {
  it('take the middle value, and the mean of the two in the middle of an even number', () => {
    expect(series([3, 1, 2]).median).toBe(2);
    expect(series([4, 1, 2, 3])).toMatchObject({ median: 2.5, min: 1, max: 4 });
  });

  it('compare medians, and tell how far runs next to each other were apart', () => {
    const found = comparison(
      [2, 4, 6].map((rate) => ({ rate, cpu: 10 })),
      [4, 4, 4].map((rate) => ({ rate, cpu: 5 })),
    );
    expect(found).toMatchObject({ ratio: 1, ratioMin: 0.5, ratioMax: 1.5, cpuRatio: 0.5 });
  });

  it('run both sides in turns and leave the warm-up out', async () => {
    const order: string[] = [];
    const run = (name: string, rate: number) => async () => {
      order.push(name);
      return { units: 1, rate: order.length <= 2 ? 1000 : rate };
    };
    const found = await compare(2, run('a', 1), run('b', 2), 1);
    expect(order.join('')).toBe('ababab');
    expect(found.subject.values).toEqual([1, 1]);
    expect(found.ratio).toBe(0.5);
  });

  it('find a slope that outliers do not bend', () => {
    const points = Array.from({ length: 20 }, (_, x) => [x, 3 * x + (x === 7 ? 1000 : 0)] as const);
    expect(slope(points)).toBeCloseTo(3);
    expect(slope([[1, 1]])).toBe(0);
  });
});
