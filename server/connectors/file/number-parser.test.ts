import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNumber } from './number-parser.ts';

const out = new Float64Array(1);

function parse(text: string): { value: number; end: number } {
  const end = parseNumber(Buffer.from(`${text}\n\0\0\0\0`), 0, out, 0);
  return { value: out[0] as number, end };
}

function expectSame(text: string): void {
  const { value, end } = parse(text);
  if (end !== text.length || !Object.is(value, Number(text))) {
    expect.fail(`${text}: read ${value} up to ${end}, not ${Number(text)} up to ${text.length}`);
  }
}

describe('parseNumber', () => {
  it('reads what JSON.stringify writes of any double, to the same double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) =>
        expectSame(Object.is(x, -0) ? '-0' : JSON.stringify(x)),
      ),
      { numRuns: 20_000 },
    );
  });

  it('rounds as Number does, for every number of digits before and after the point', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 24 });
    const whole = digits.map((text) => text.replace(/^0+(?=.)/, ''));
    const text = fc
      .tuple(
        fc.constantFrom('', '-'),
        whole,
        fc.option(digits),
        fc.option(fc.integer({ min: -340, max: 340 }), { freq: 9 }),
      )
      .map(([sign, a, b, e]) => `${sign}${a}${b === null ? '' : `.${b}`}${e === null ? '' : `e${e}`}`);
    fc.assert(fc.property(text, expectSame), { numRuns: 30_000 });
  });

  it('rounds to even at the exact middle between two doubles, and away from it a hair above or below', () => {
    for (const text of [
      '9007199254740993',
      '9007199254740995',
      '9007199254740992.9',
      '900719925474099.25',
      '1.00000000000000011',
    ]) {
      expectSame(text);
    }
    const ulps = fc.tuple(
      fc.integer({ min: 2 ** 52, max: 2 ** 53 - 1 }),
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(-1n, 0n, 1n),
    );
    const middle = ulps.map(([m, k, off]) => {
      // (m + 1/2) / 2^k has a finite decimal: digits of (2m + 1) * 5^(k+1) with k + 1 places, moved by one in the last of them.
      const scaled = ((BigInt(m) * 2n + 1n) * 5n ** BigInt(k + 1) + off).toString();
      return `${scaled.slice(0, -(k + 1))}.${scaled.slice(-(k + 1))}`;
    });
    fc.assert(fc.property(middle, expectSame), { numRuns: 20_000 });
  });

  it('reads numbers as JSON writes them and no others', () => {
    for (const text of ['', '-', '+1', '.5', '5.', '01', '-01', '1e', '1e+', 'NaN', 'Infinity', '0x10', '1_000']) {
      const { end } = parse(text);
      expect(end === text.length, text).toBe(false);
    }
    expect(parse('1e999').value).toBe(Number.POSITIVE_INFINITY);
    expect(parse('12,5')).toEqual({ value: 12, end: 2 });
  });
});
