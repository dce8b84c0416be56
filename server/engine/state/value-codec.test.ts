import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from './value-codec.ts';

function again(value: unknown): unknown {
  const to = new ByteWriter(1);
  to.value(value);
  const from = new ByteReader(to.take());
  const read = from.value();
  expect(from.done).toBe(true);
  return read;
}

const text = fc.string({ unit: 'binary', maxLength: 60 });
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31)),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    text,
    fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'é', '\0', '\ufeff'), maxLength: 30 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.date({ noInvalidDate: false }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.oneof(text, fc.constant('__proto__')), tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 5 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 5 }).map((items) => new Set(items)),
  ),
})).value;

describe('plain data as bytes', () => {
  it('ST6 reads back as it was, to the bit, in its order', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const read = again(value);
        // Equality says nothing about the order of maps and objects; bytes do.
        const bytes = (of: unknown): number[] => {
          const to = new ByteWriter();
          to.value(of);
          return [...to.take()];
        };
        expect(read).toStrictEqual(value);
        expect(bytes(read)).toEqual(bytes(value));
      }),
      { numRuns: 3000 },
    );
  });

  it('ST6 what is no plain data is refused by what it is', () => {
    class Reading {}
    for (const [value, what] of [
      [new Reading(), 'Reading'],
      [[() => 1], 'function'],
      [{ a: Symbol('s') }, 'symbol'],
      [new Map([[1, new Float64Array(2)]]), 'Float64Array'],
    ] as const) {
      expect(() => again(value)).toThrow(`not a ${what}.`);
    }
  });

  it('ST6 bytes that are no state are refused', () => {
    expect(() => new ByteReader(Uint8Array.of(99)).value()).toThrow('unknown tag 99 at byte 0');
  });

  it('ST1 what is written behind a place for its length reads as bytes, or as text, however long it is', () => {
    for (const length of [0, 1, 63, 64, 127, 128, 5000, 16_384]) {
      const to = new ByteWriter(1);
      to.byte(7);
      const bytes = Uint8Array.from({ length }, (_, i) => 65 + (i % 26));
      let from = to.begin();
      to.raw(bytes);
      to.end(from);
      from = to.begin();
      to.raw(bytes);
      to.end(from, 'text');
      to.byte(9);
      const plain = new ByteWriter();
      plain.byte(7);
      plain.bytes(bytes);
      plain.string(String.fromCharCode(...bytes));
      plain.byte(9);
      expect(to.take()).toEqual(plain.take());
    }
  });
});
