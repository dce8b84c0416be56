import { describe, expect, it } from 'vitest';
import * as format from './format.ts';

const THIN = '\u2009';

describe('numbers in words', () => {
  it.each([
    [0, '0'],
    [9876, `9${THIN}876`],
    [12_345, '12.3k'],
    [999_950, '1.00M'],
    [4_210_000, '4.21M'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('count %s is %s', (value, words) => expect(format.formatCount(value)).toBe(words));

  it.each([
    [0, '0'],
    [0.01, '<0.1'],
    [0.42, '0.4'],
    [48.24, '48.2'],
    [4213, '4.21k'],
    [undefined, '–'],
  ])('rate %s is %s', (value, words) => expect(format.formatRate(value)).toBe(words));

  it.each([
    [0, '0 ms'],
    [850, '850 ms'],
    [999.7, '1.0 s'],
    [12_400, '12.4 s'],
    [59_960, '1 m 00 s'],
    [185_000, '3 m 05 s'],
    [7_800_000, '2 h 10 m'],
    [-500, '−500 ms'],
    [null, '–'],
  ])('duration %s is %s', (value, words) => expect(format.formatDuration(value)).toBe(words));

  it.each([
    [0, '0 ms'],
    [0.01, '<0.1 ms'],
    [0.44, '0.4 ms'],
    [9.94, '9.9 ms'],
    [9.96, '10 ms'],
    [1250, '1.3 s'],
    [null, '–'],
  ])('latency %s is %s', (value, words) => expect(format.formatLatency(value)).toBe(words));

  it.each([
    [0, '0 %'],
    [0.0001, '<0.1 %'],
    [0.051, '5.1 %'],
    [0.0999, '10 %'],
    [1, '100 %'],
  ])('share %s is %s', (value, words) => expect(format.formatPercent(value)).toBe(words));

  it('drops zeros where precision is noise', () => {
    expect(format.compact('10.0k')).toBe('10k');
    expect(format.compact('2.50k')).toBe('2.5k');
    expect(format.compact('5.0 s')).toBe('5 s');
    expect(format.compact('100')).toBe('100');
  });

  it('writes all digits of exact counts', () => expect(format.formatExact(1_234_567)).toBe(`1${THIN}234${THIN}567`));
  it('speaks IEC bytes', () => expect(format.formatBytes(13_002_342)).toBe('12.4 MiB'));
  it('rounds remaining time up', () => expect(format.formatSeconds(1200)).toBe('2 s'));
  it('leads with the date on another day', () => {
    const today = new Date(2024, 4, 17, 12).getTime();
    expect(format.formatMoment(today, today)).toBe('12:00:00.000');
    expect(format.formatMoment(new Date(2024, 4, 16, 9, 5).getTime(), today)).toBe('2024-05-16 09:05:00.000');
    expect(format.formatMoment(9e15, today)).toContain('ms');
  });
});
