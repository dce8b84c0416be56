import { describe, expect, it } from 'vitest';
import { faultOf, Yardstick } from './yardstick.ts';

describe('yardstick', () => {
  it('counts every event in exactly one window, pass after pass', () => {
    const yardstick = new Yardstick(1000);
    for (let pass = 0; pass < 3; pass++) {
      const result = yardstick.run({ events: 6_000_000, form: 'plain' });
      expect(faultOf(result)).toBeNull();
      // 6 M events are 12 s of event time and touch at least three windows of 1000 devices.
      expect(result.results).toBeGreaterThanOrEqual(3000);
    }
  });

  it('gives the same results in both forms', () => {
    const plain = new Yardstick(100).run({ events: 3_000_000, form: 'plain' });
    const touch = new Yardstick(100).run({ events: 3_000_000, form: 'touch' });
    expect({ ...touch, seconds: 0 }).toEqual({ ...plain, seconds: 0 });
  });

  it('is at fault when an event is missing, late or refused', () => {
    const good = new Yardstick(10).run({ events: 100_000, form: 'plain' });
    expect(faultOf({ ...good, counted: good.counted - 1 })).toMatch(/counted/);
    expect(faultOf({ ...good, late: 1 })).toMatch(/late 1/);
    expect(faultOf({ ...good, results: 0 })).toMatch(/0 results/);
  });
});
