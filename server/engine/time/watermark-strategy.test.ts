import { describe, expect, it } from 'vitest';
import {
  ascendingTimestamps,
  BoundedOutOfOrderness,
  boundedOutOfOrderness,
  IdlenessTimer,
} from './watermark-strategy.ts';

const watermarkAfter = (...timestamps: number[]): number => {
  const generator = new BoundedOutOfOrderness(10);
  for (const t of timestamps) generator.onEvent(t);
  return generator.watermark;
};

describe('bounded out-of-orderness', () => {
  it('M1 no watermark before the first row', () => expect(watermarkAfter()).toBe(Number.NEGATIVE_INFINITY));
  it('M2 maximum - bound - 1: equal timestamps may still come', () => expect(watermarkAfter(1337)).toBe(1326));
  it('M3 only the largest timestamp counts', () => expect(watermarkAfter(12345, 12300, 12340, 12280)).toBe(12334));
  it('M4 asking twice gives the same', () => {
    const generator = new BoundedOutOfOrderness(10);
    generator.onEvent(723456);
    expect([generator.watermark, generator.watermark]).toEqual([723445, 723445]);
  });
  it('WM1 ascending timestamps are a bound of 0; negative timestamps are fine', () => {
    const generator = new BoundedOutOfOrderness(ascendingTimestamps().outOfOrdernessMs);
    generator.onEvent(-5);
    expect(generator.watermark).toBe(-6);
  });
});

describe('idleness', () => {
  it('M5 idle only once more than the timeout has passed between two checks without a row', () => {
    const timer = new IdlenessTimer(10);
    expect(timer.isIdle(0)).toBe(false);
    expect(timer.isIdle(10)).toBe(false);
    expect(timer.isIdle(11)).toBe(true);
    expect(timer.isIdle(11)).toBe(true);
    timer.activity();
    expect(timer.isIdle(12)).toBe(false);
    expect(timer.isIdle(100)).toBe(false); // starts the clock
    expect(timer.isIdle(110)).toBe(false);
    expect(timer.isIdle(111)).toBe(true);
  });

  it('M6 a timeout of 0 or less is an error', () => {
    for (const ms of [0, -1, Number.NaN]) {
      expect(() => new IdlenessTimer(ms)).toThrow('must be more than 0');
      expect(() => boundedOutOfOrderness(0, { idleTimeoutMs: ms })).toThrow('The idle timeout must be more than 0');
    }
  });
});

describe('a strategy', () => {
  it('WM10 refuses settings that can never work, by name', () => {
    expect(() => boundedOutOfOrderness(-1)).toThrow('Out-of-orderness must be 0 or more, not -1 ms.');
    expect(() => boundedOutOfOrderness(Number.NaN)).toThrow('Out-of-orderness');
    expect(() => boundedOutOfOrderness(0, { emit: 0 })).toThrow(
      'The watermark interval must be more than 0, not 0 ms.',
    );
  });

  it('WM10 is periodic every 200 ms without idle timeout unless told otherwise, as in Flink', () => {
    expect(boundedOutOfOrderness(5)).toEqual({ outOfOrdernessMs: 5, emit: 200, idleTimeoutMs: null });
  });
});
