import { describe, expect, it } from 'vitest';
import { fittedAxis, niceCeiling, steadyTop } from './scale.ts';

describe('scales', () => {
  it.each([
    [0.3, 0.5],
    [1, 1],
    [1.2, 2],
    [23, 25],
    [26, 50],
    [7000, 10_000],
    [0, 1],
  ])('%s rounds up to %s', (value, nice) => {
    expect(niceCeiling(value)).toBeCloseTo(nice);
  });
  it('tops rise at once and sink late', () => {
    expect(steadyTop(100, 120, 1)).toBe(200);
    expect(steadyTop(200, 120, 1)).toBe(200);
    expect(steadyTop(200, 40, 1)).toBe(50);
  });
  it('fits round ticks around values whose zero means nothing', () => {
    const { domain, ticks } = fittedAxis([18.3, 21.7]);
    expect(domain[0]).toBeLessThanOrEqual(18.3);
    expect(domain[1]).toBeGreaterThanOrEqual(21.7);
    expect(ticks.length).toBeLessThanOrEqual(5);
    expect(fittedAxis([]).ticks).toEqual([0, 1]);
    expect(fittedAxis([1013, 1013]).domain[1]).toBeGreaterThan(1013);
  });
});
