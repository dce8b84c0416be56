import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCount, formatDuration, parseBytes, parseCount, parseDuration } from './quantities.ts';

describe('quantities', () => {
  it.each([
    ['0', 0],
    ['500', 500],
    ['10k', 10_000],
    ['1.5k', 1500],
    ['4.35M', 4_350_000],
    ['1.1k', 1100],
    ['2G', 2e9],
    [' 7 ', 7],
  ])('a count reads %j as %d', (text, expected) => {
    expect(parseCount(text)).toBe(expected);
  });

  it.each(['', 'k', '-1', '1.5', '10K', '1e6', '1 M', '10kk', 'max', '99999999999G', '.5k', '0x10', '1MiB'])(
    'a count refuses %j',
    (text) => {
      expect(parseCount(text)).toBeNull();
    },
  );

  it.each([
    ['4096', 4096],
    ['1B', 1],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['1.5GiB', 1_610_612_736],
    ['10k', 10_000],
    ['10MB', 10_000_000],
  ])('a size reads %j as %d bytes', (text, expected) => {
    expect(parseBytes(text)).toBe(expected);
  });

  it.each(['', 'MiB', '1mib', '1KB', '0.3KiB', '5s'])('a size refuses %j', (text) => {
    expect(parseBytes(text)).toBeNull();
  });

  it.each([
    ['0', 0],
    ['0s', 0],
    ['200ms', 200],
    ['5s', 5000],
    ['0.25s', 250],
    ['1m', 60_000],
    ['1.1m', 66_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
  ])('a time reads %j as %d ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each(['', '5', '5 s', '-5s', '5S', '1.5ms', '1w', '0.0001s', 'off'])('a time refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it('what is formatted reads back to the same number', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(1, 1000, 60_000, 3_600_000), (n, unit) => {
        const value = n * unit;
        if (!Number.isSafeInteger(value)) return;
        expect(parseDuration(formatDuration(value))).toBe(value);
        expect(parseCount(formatCount(value))).toBe(value);
      }),
    );
    expect([formatDuration(90_000), formatDuration(86_400_000), formatDuration(1500)]).toEqual(['90s', '1d', '1500ms']);
    expect([formatCount(1_500_000), formatCount(2_000_000)]).toEqual(['1500k', '2M']);
  });
});
