import { describe, expect, it } from 'vitest';
import { bool, bytes, f64, i32, nullable, schema, string, timestamp } from './schema.ts';

describe('a schema', () => {
  it('B1 names its columns with identifiers, because they end up in generated source', () => {
    for (const name of ['a-b', '1a', '', 'constructor', '__proto__', 'a b', 'a;b', 'ä', 'x'.repeat(64)]) {
      expect(() => schema(Object.fromEntries([[name, f64()]])), name).toThrow(/is not usable/);
    }
    expect(schema({ a_1: f64(), _x: f64(), ['x'.repeat(63)]: f64() }).width).toBe(3);
  });

  it('B1 has at least one column', () => {
    expect(() => schema({})).toThrow('at least one column');
  });

  it('B1 knows an unknown field by name and lists those it has', () => {
    expect(() => schema({ a: f64(), b: string() }).require('c', 'keyBy')).toThrow(
      'keyBy: unknown field "c"; the stream has a, b.',
    );
  });

  it('B2 has no nullable i32 or bool', () => {
    // @ts-expect-error a nullable i32 does not compile
    expect(() => schema({ a: nullable(i32()) })).toThrow('i32 columns cannot be nullable; use f64');
    // @ts-expect-error a nullable bool does not compile
    expect(() => schema({ a: nullable(bool()) })).toThrow('bool columns cannot be nullable');
  });

  it('B1 is equal to another with the same columns in the same order', () => {
    const one = schema({ a: f64(), b: nullable(bytes()) });
    expect(one.equals(schema({ a: f64(), b: nullable(bytes()) }))).toBe(true);
    expect(one.equals(schema({ b: nullable(bytes()), a: f64() }))).toBe(false);
    expect(one.equals(schema({ a: f64(), b: bytes() }))).toBe(false);
    expect(one.equals(schema({ a: timestamp(), b: nullable(bytes()) }))).toBe(false);
    expect(one.equals(schema({ a: f64() }))).toBe(false);
    expect(`${one}`).toBe('{a: f64, b: bytes?}');
  });
});
