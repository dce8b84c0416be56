import { describe, expect, it } from 'vitest';
import { bytes, count, duration, idleTimeout, parallelism, watermarkEmit, windowSize } from './flags.ts';

describe('values of flags', () => {
  it('parallelism is one number for all, or one per operator', () => {
    expect(parallelism('3')).toEqual({ source: 3, window: 3 });
    expect(parallelism('source=1,window=4')).toEqual({ source: 1, window: 4 });
    expect(parallelism('window=4')).toEqual({ source: 1, window: 4 });
    for (const wrong of ['0', '1.5', '-1', '129', '', 'source', 'source=', 'sauce=2', 'source=1,', '2k']) {
      expect(() => parallelism(wrong), wrong).toThrow();
    }
  });

  it('a window is one duration above 0', () => {
    expect(windowSize('5s')).toBe(5000);
    expect(windowSize('250ms')).toBe(250);
    for (const wrong of ['5', '0s', '0', '101d', 'x', '']) expect(() => windowSize(wrong), wrong).toThrow();
    expect(() => windowSize('10s/2s')).toThrow('only tumbling windows');
  });

  it('an idle timeout is off or a duration, a watermark interval on-event or one', () => {
    expect(idleTimeout('off')).toBe('off');
    expect(idleTimeout('30s')).toBe(30_000);
    expect(watermarkEmit('on-event')).toBe('on-event');
    expect(watermarkEmit('200ms')).toBe(200);
    for (const wrong of ['0s', 'on', 'never', '2d']) {
      expect(() => idleTimeout(wrong), wrong).toThrow();
      expect(() => watermarkEmit(wrong), wrong).toThrow();
    }
  });

  it('bounds are inclusive', () => {
    const short = duration({ min: 0, max: 1000, says: 'at most 1s' });
    expect([short('0s'), short('1s')]).toEqual([0, 1000]);
    expect(() => short('1001ms')).toThrow('at most 1s');
    expect(bytes({ min: 1, max: 1024 })('1KiB')).toBe(1024);
    expect(() => bytes({ min: 1, max: 1024 })('1025')).toThrow('from 1 to 1024');
    expect(count({ min: 1, max: 64 })('64')).toBe(64);
    expect(() => count({ min: 1, max: 64 })('65')).toThrow('from 1 to 64');
  });
});
