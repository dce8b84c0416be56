import { describe, expect, it } from 'vitest';
import { ManualClock, systemClock } from './clock.ts';

describe('clocks', () => {
  it('a manual clock stands still until it is told to move, and moves forward only', () => {
    const clock = new ManualClock(1000);
    expect([clock.now(), clock.nanos()]).toEqual([1000, 1e9]);
    clock.advance(1.5);
    expect([clock.now(), clock.nanos()]).toEqual([1001, 1_001_500_000]);
    expect(() => clock.advance(-1)).toThrow('A clock moves forward only, not by -1 ms.');
    expect(() => clock.advance(Number.NaN)).toThrow('forward only');
    clock.set(5);
    expect(clock.now()).toBe(5);
  });

  it('the system clock counts whole milliseconds and rising nanoseconds', () => {
    expect(Number.isInteger(systemClock.now())).toBe(true);
    const before = systemClock.nanos();
    expect(systemClock.nanos()).toBeGreaterThanOrEqual(before);
  });
});
