import { describe, expect, it } from 'vitest';
import { bytes, count, duration, idleTimeout, parallelism, sessionGap, watermarkEmit, windows } from './flags.ts';

describe('values of flags', () => {
  it('parallelism is one number for all, or one per operator', () => {
    expect(parallelism('3')).toEqual({ source: 3, window: 3 });
    expect(parallelism('source=1,window=4')).toEqual({ source: 1, window: 4 });
    expect(parallelism('window=4')).toEqual({ source: 1, window: 4 });
    for (const wrong of ['0', '1.5', '-1', '129', '', 'source', 'source=', 'sauce=2', 'source=1,', '2k']) {
      expect(() => parallelism(wrong), wrong).toThrow();
    }
  });

  it('windows are a length above 0, or a length and a slide', () => {
    expect(windows('5s')).toEqual({ kind: 'tumbling', sizeMs: 5000 });
    expect(windows('250ms')).toEqual({ kind: 'tumbling', sizeMs: 250 });
    expect(windows('60s/1s')).toEqual({ kind: 'sliding', sizeMs: 60_000, slideMs: 1000 });
    expect(windows('10s/10s')).toEqual({ kind: 'sliding', sizeMs: 10_000, slideMs: 10_000 });
    for (const wrong of ['5', '0s', '0', '101d', 'x', '', '/1s', '5s/', '5s/0s', '5s/x', '5s/1s/1s']) {
      expect(() => windows(wrong), wrong).toThrow();
    }
    expect(() => windows('5s/6s')).toThrow('The slide must not be longer than the window');
    expect(() => windows('1d/1ms')).toThrow('more than 10000 windows');
    expect(sessionGap('3s')).toBe(3000);
    expect(() => sessionGap('0s')).toThrow('from 1ms to 100d');
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
