import { describe, expect, it } from 'vitest';
import { Dictionary } from './dictionary.ts';
import { BytesColumn, RecordBatch } from './record-batch.ts';
import { bytes, f64, i32, schema, string } from './schema.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const read = (c: BytesColumn, row: number): string | null => {
  const value = c.get(row);
  return value === null ? null : new TextDecoder().decode(value);
};

describe('a bytes column', () => {
  it('B6 gives back what was appended; rows never written are null, empty values are not', () => {
    const c = new BytesColumn(4);
    c.append(0, text('one'));
    c.append(2, text(''));
    c.append(1, text('two'));
    expect([0, 1, 2, 3].map((r) => read(c, r))).toEqual(['one', 'two', '', null]);
    c.setNull(0);
    expect(read(c, 0)).toBe(null);
  });

  it('B6 copies what it is given', () => {
    const c = new BytesColumn(1);
    const source = text('abc');
    c.append(0, source);
    source.fill(0);
    expect(read(c, 0)).toBe('abc');
  });

  it('B6 grows without losing what is in it', () => {
    const c = new BytesColumn(3);
    c.append(0, text('a'.repeat(4000)));
    c.append(1, text('b'.repeat(4000)));
    c.append(2, text('c'.repeat(100_000)));
    expect([0, 1, 2].map((r) => read(c, r)?.slice(0, 2))).toEqual(['aa', 'bb', 'cc']);
    expect([0, 1, 2].map((r) => read(c, r)?.length)).toEqual([4000, 4000, 100_000]);
  });

  it('B6 is empty after a reset, and drops memory that a burst made large', () => {
    const c = new BytesColumn(2);
    c.append(0, new Uint8Array((1 << 20) + 1));
    c.reset();
    expect(c.data.length).toBe(0);
    expect([read(c, 0), read(c, 1)]).toEqual([null, null]);
    c.append(1, text('again'));
    expect(read(c, 1)).toBe('again');
    const small = c.data;
    c.reset();
    expect(c.data).toBe(small);
  });

  it('B6 shows a foreign buffer without copying it', () => {
    const c = new BytesColumn(1);
    c.data = text('....payload');
    c.start[0] = 4;
    c.end[0] = 11;
    expect(read(c, 0)).toBe('payload');
  });
});

describe('a record batch', () => {
  const S = schema({ k: string(), v: f64(), n: i32(), p: bytes() });

  it('B3 counts the rows of its selection, and all of them without one', () => {
    const batch = RecordBatch.allocate(S);
    batch.size = 5;
    expect([batch.count, batch.row(3)]).toEqual([5, 3]);
    batch.selection = Int32Array.of(1, 4, 9);
    batch.selected = 2;
    expect([batch.count, batch.row(0), batch.row(1)]).toEqual([2, 1, 4]);
  });

  it('B3 a view shares columns but not its header', () => {
    const batch = RecordBatch.allocate(S);
    batch.size = 3;
    batch.split = 7;
    const view = RecordBatch.view(S).show(batch);
    view.selection = Int32Array.of(0);
    view.selected = 1;
    view.split = -1;
    expect([batch.count, batch.split, batch.selection]).toEqual([3, 7, null]);
    expect(view.columns[1]).toBe(batch.columns[1]);
  });

  it('B3 gives columns by name and kind, or says what is wrong', () => {
    const batch = RecordBatch.allocate(S, new Dictionary(), 16);
    expect(batch.f64('v').length).toBe(16);
    expect(batch.codes('k').length).toBe(16);
    expect(batch.bytes('p').get(0)).toBe(null);
    expect(() => batch.f64('n')).toThrow('Column n of {k: string, v: f64, n: i32, p: bytes} is not a Float64Array.');
    expect(() => batch.i32('x')).toThrow('unknown field "x"');
  });
});
