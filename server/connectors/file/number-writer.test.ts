import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LONGEST_NUMBER, putNumber } from './number-writer.ts';

function written(value: number): string {
  const bytes = Buffer.alloc(LONGEST_NUMBER, '?');
  const end = putNumber(bytes, 0, value);
  if (end > LONGEST_NUMBER) expect.fail(`${value} takes ${end} bytes`);
  return bytes.toString('latin1', 0, end);
}

const shortest = (x: number) => (Object.is(x, -0) ? '-0' : String(x));

it('writes the shortest decimal that reads back, for any double', () => {
  fc.assert(
    fc.property(fc.double(), (x) => {
      expect(written(x)).toBe(shortest(x));
    }),
    { numRuns: 20_000 },
  );
});

it('writes numbers of few decimals and whole numbers as String does', () => {
  const decimal = fc
    .tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), fc.constantFrom(1, 10, 100, 1000, 1e4))
    .map(([m, scale]) => m / scale);
  const integer = fc.maxSafeInteger();
  fc.assert(
    fc.property(fc.oneof(decimal, integer), (x) => {
      expect(written(x)).toBe(shortest(x));
    }),
    { numRuns: 30_000 },
  );
  for (const x of [999999999, 1e9, 8.64e15, 2 ** 53 - 1, 2 ** 53, 1e21, 0.001, 999999.999, 1e6 + 0.001])
    expect(written(x)).toBe(String(x));
});
