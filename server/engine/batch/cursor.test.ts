import { describe, expect, it } from 'vitest';
import { BatchBuilder, makeCursor, makeGather, makeRowWriter } from './cursor.ts';
import { Dictionary } from './dictionary.ts';
import { BATCH_ROWS, RecordBatch } from './record-batch.ts';
import { bool, bytes, f64, i32, nullable, schema, string, timestamp } from './schema.ts';

const Every = schema({
  f: f64(),
  fn: nullable(f64()),
  t: timestamp(),
  tn: nullable(timestamp()),
  i: i32(),
  b: bool(),
  s: string(),
  sn: nullable(string()),
  y: bytes(),
  yn: nullable(bytes()),
});

const payload = Uint8Array.of(1, 2, 255);
const full = { f: 1.5, fn: -0, t: 8.64e15, tn: 0, i: -2147483648, b: true, s: 'ä', sn: '', y: payload, yn: payload };
const empty = { f: -1e300, fn: null, t: 0, tn: null, i: 7, b: false, s: '', sn: null, y: new Uint8Array(0), yn: null };

describe('cursor and row writer', () => {
  it('B2 every kind reads back as it was written, null as null', () => {
    const batch = RecordBatch.allocate(Every);
    const write = makeRowWriter(Every, 'test');
    write(batch, 0, full);
    write(batch, 1, empty);
    const cursor = makeCursor(Every);
    cursor.$bind(batch);
    for (const [k, row] of [full, empty].entries()) {
      cursor.$k = k;
      expect(cursor.$copy()).toEqual(row);
      expect(Object.is(cursor.fn, row.fn)).toBe(true);
    }
  });

  it('B2 a null number is NaN in its column, a null string is code -1', () => {
    const batch = RecordBatch.allocate(Every);
    makeRowWriter(Every, 'test')(batch, 0, empty);
    expect([batch.f64('fn')[0], batch.f64('tn')[0], batch.codes('sn')[0], batch.bytes('yn').start[0]]).toEqual([
      Number.NaN,
      Number.NaN,
      -1,
      -1,
    ]);
  });

  it('B2 NaN in a nullable column reads as null, in one that is not as NaN', () => {
    const batch = RecordBatch.allocate(Every);
    makeRowWriter(Every, 'test')(batch, 0, { ...full, f: Number.NaN, fn: Number.NaN });
    const cursor = makeCursor(Every);
    cursor.$bind(batch);
    expect([cursor.f, cursor.fn]).toEqual([Number.NaN, null]);
  });

  it('B3 a copied row stays what it was when the cursor moves and the batch is filled again', () => {
    const batch = RecordBatch.allocate(Every);
    const write = makeRowWriter(Every, 'test');
    write(batch, 0, full);
    const cursor = makeCursor(Every);
    cursor.$bind(batch);
    const copy = cursor.$copy();
    batch.bytes('y').reset();
    batch.bytes('yn').reset();
    write(batch, 0, empty);
    expect(copy).toEqual(full);
  });

  it('B3 two cursors of one schema stand where they stand', () => {
    const batch = RecordBatch.allocate(Every);
    const write = makeRowWriter(Every, 'test');
    write(batch, 0, full);
    write(batch, 1, empty);
    const [one, two] = [makeCursor(Every), makeCursor(Every)];
    one.$bind(batch);
    two.$bind(batch);
    two.$k = 1;
    expect([one.i, two.i]).toEqual([full.i, empty.i]);
  });

  it('B2 a value of the wrong type is an error that names place, field, kind and value', () => {
    const batch = RecordBatch.allocate(Every);
    const write = makeRowWriter(Every, 'enrich');
    const refused = (change: Record<string, unknown>): string => {
      try {
        write(batch, 0, { ...full, ...change });
      } catch (error) {
        return (error as Error).message;
      }
      return 'accepted';
    };
    expect(refused({ f: '1' })).toBe('enrich: field "f" is f64 but was given "1" (string).');
    expect(refused({ f: null })).toBe('enrich: field "f" is f64 but was given null (null).');
    expect(refused({ t: undefined })).toBe('enrich: field "t" is timestamp but was given nothing.');
    expect(refused({ fn: undefined })).toBe('enrich: field "fn" is f64 but was given nothing.');
    expect(refused({ i: 1.5 })).toBe('enrich: field "i" is i32 but was given 1.5 (number).');
    expect(refused({ i: 2147483648 })).toBe('enrich: field "i" is i32 but was given 2147483648 (number).');
    expect(refused({ i: '1' })).toBe('enrich: field "i" is i32 but was given "1" (string).');
    expect(refused({ i: 1n })).toBe('enrich: field "i" is i32 but was given 1 (bigint).');
    expect(refused({ i: Number.NaN })).toMatch('field "i" is i32');
    expect(refused({ f: 10n })).toBe('enrich: field "f" is f64 but was given 10 (bigint).');
    expect(refused({ b: 1 })).toBe('enrich: field "b" is bool but was given 1 (number).');
    expect(refused({ s: null })).toBe('enrich: field "s" is string but was given null (null).');
    expect(refused({ sn: 5 })).toBe('enrich: field "sn" is string but was given 5 (number).');
    expect(refused({ y: [1] })).toBe('enrich: field "y" is bytes but was given [1] (object).');
    expect(refused({ yn: 'a'.repeat(100) })).toBe(
      `enrich: field "yn" is bytes but was given "${'a'.repeat(59)}… (string).`,
    );
    const self: Record<string, unknown> = {};
    self.self = self;
    expect(refused({ s: self })).toMatch('enrich: field "s" is string but was given');
    expect(refused({})).toBe('accepted');
  });
});

describe('gather', () => {
  it('B3 copies chosen rows behind others, payloads and timestamps included', () => {
    const dictionary = new Dictionary();
    const [from, to] = [RecordBatch.allocate(Every, dictionary), RecordBatch.allocate(Every, dictionary)];
    const write = makeRowWriter(Every, 'test');
    for (const k of [0, 1, 2]) {
      write(from, k, { ...(k === 1 ? empty : full), i: k });
      from.time[k] = k * 10;
    }
    const gather = makeGather(Every);
    gather(from, Int32Array.of(2, 1), 0, 2, to, 3);
    gather(from, null, 0, 1, to, 5);
    const cursor = makeCursor(Every);
    cursor.$bind(to);
    const rows = [3, 4, 5].map((k) => {
      cursor.$k = k;
      return [cursor.$copy(), to.time[k]];
    });
    expect(rows).toEqual([
      [{ ...full, i: 2 }, 20],
      [{ ...empty, i: 1 }, 10],
      [{ ...full, i: 0 }, 0],
    ]);
  });
});

describe('a batch builder', () => {
  const S = schema({ n: f64(), p: nullable(bytes()) });
  const builder = (): BatchBuilder => new BatchBuilder(S, new Dictionary(), 'test');

  it('B3 hands over full batches, the rest only when asked, in the order of adding', () => {
    const b = builder();
    for (let n = 0; n < BATCH_ROWS * 2 + 3; n++) b.add({ n, p: null }, n, Number.NaN);
    const seen: [number, number, number][] = [];
    const emit = (batch: RecordBatch): void => {
      seen.push([batch.size, batch.f64('n')[0] as number, batch.time[batch.size - 1] as number]);
    };
    expect(b.overflowing).toBe(true);
    expect(b.drain(() => true, emit, false)).toBe(true);
    expect(seen).toEqual([
      [BATCH_ROWS, 0, BATCH_ROWS - 1],
      [BATCH_ROWS, BATCH_ROWS, 2 * BATCH_ROWS - 1],
    ]);
    expect([b.overflowing, b.empty]).toEqual([false, false]);
    expect(b.drain(() => true, emit, true)).toBe(true);
    expect(seen[2]).toEqual([3, 2 * BATCH_ROWS, 2 * BATCH_ROWS + 2]);
    expect(b.empty).toBe(true);
  });

  it('B3 stops when nobody takes more, and goes on with the next batch', () => {
    const b = builder();
    for (let n = 0; n < BATCH_ROWS * 3; n++) b.add({ n, p: null }, 0, Number.NaN);
    let credits = 1;
    const first: number[] = [];
    const drain = (): boolean =>
      b.drain(
        () => credits-- > 0,
        (batch) => first.push(batch.f64('n')[0] as number),
        true,
      );
    expect(drain()).toBe(false);
    credits = 2;
    expect(drain()).toBe(true);
    expect(first).toEqual([0, BATCH_ROWS, 2 * BATCH_ROWS]);
  });

  it('B3 does not use a batch again before `reuse`: its consumer may still be reading', () => {
    const b = builder();
    const seen: RecordBatch[] = [];
    const one = (n: number): void => {
      b.add({ n, p: Uint8Array.of(n) }, 0, Number.NaN);
      b.drain(
        () => true,
        (batch) => seen.push(batch),
        true,
      );
    };
    one(1);
    one(2);
    expect(seen[1]).not.toBe(seen[0]);
    b.reuse();
    one(3);
    expect(seen.slice(0, 2)).toContain(seen[2]);
    expect([seen[2]?.size, seen[2]?.bytes('p').get(0)]).toEqual([1, Uint8Array.of(3)]);
  });

  it('B3 remembers the watermark in force where it moves inside the batch', () => {
    const b = builder();
    b.add({ n: 1, p: null }, 0, Number.NaN);
    b.add({ n: 2, p: null }, 0, 50);
    b.add({ n: 3, p: null }, 0, 60);
    b.drain(
      () => true,
      (batch) => expect([...(batch.watermarks ?? []).slice(0, 3)]).toEqual([-Infinity, 50, 60]),
      true,
    );
    b.reuse();
    b.add({ n: 4, p: null }, 0, Number.NaN);
    b.drain(
      () => true,
      (batch) => expect(batch.watermarks).toBe(null),
      true,
    );
    expect.assertions(2);
  });
});
