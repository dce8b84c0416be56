import { describe, expect, it } from 'vitest';
import { readCommand } from './options.ts';

const read = (...args: string[]) => readCommand(args, () => {});

describe('options of the benches', () => {
  it('are names and numbers, each with a default', () => {
    expect(read('generator', '--runs', '7', '--json')).toMatchObject({
      names: ['generator'],
      options: { runs: 7, seconds: 2.5, keys: 10_000_000, json: true, churn: false },
    });
  });

  it('are refused with what they allow', () => {
    expect(() => read('--runs', '0')).toThrow('--runs must be a whole number from 1 to 1000, not "0".');
    expect(() => read('--minutes', 'x')).toThrow('--minutes must be a number from 0.05 to 1440, not "x".');
    expect(() => read('--fast')).toThrow(/--fast/);
  });
});
