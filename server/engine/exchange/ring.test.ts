import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fill, type PlainRow, rowsOf } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import { bool, bytes, f64, i32, nullable, type Schema, schema, string, timestamp } from '../batch/schema.ts';
import { Control, Ring, ringBytes, SLOTS, TEXT_BYTES } from './ring-layout.ts';
import { RingReader } from './ring-reader.ts';
import { RingWriter } from './ring-writer.ts';

const Every = schema({
  b: bool(),
  s: string(),
  sn: nullable(string()),
  f: f64(),
  fn: nullable(f64()),
  i: i32(),
  t: nullable(timestamp()),
  y: bytes(),
  yn: nullable(bytes()),
});
const Plain = schema({ k: string(), v: f64() });

/** Both ends of a ring, and everything the reader has seen, as text. */
class Pair {
  readonly writer: RingWriter;
  readonly reader: RingReader;
  readonly dictionary: Dictionary;
  readonly gate = new Dictionary();
  readonly seen: string[] = [];
  readonly rows: PlainRow[] = [];
  readonly times: number[] = [];
  readonly ring: Ring;
  published = 0;
  freed = 0;

  constructor(schema: Schema, { start = 0, sweepEntries = 1 << 20 } = {}) {
    const memory = new SharedArrayBuffer(ringBytes(schema));
    this.ring = new Ring(memory, schema);
    this.ring.control[Control.HEAD] = start;
    this.ring.control[Control.TAIL] = start;
    this.dictionary = new Dictionary(sweepEntries);
    this.writer = new RingWriter(new Ring(memory, schema), schema, () => this.published++);
    this.reader = new RingReader(new Ring(memory, schema), schema, this.gate, () => this.freed++);
  }

  /** Writes what there is room for; returns the first row left. */
  write(batch: RecordBatch, from = 0): number {
    return this.writer.write(batch, batch.selection, from, batch.count);
  }

  /** Takes one slot. */
  take(): boolean {
    const arrival = this.reader.take();
    if (arrival === null) return false;
    this.seen.push(`wm ${arrival.watermarkBefore}`);
    if (arrival.rows !== null) {
      const batch = arrival.rows;
      for (const [k, row] of rowsOf(batch).entries()) {
        this.rows.push(row);
        this.times.push(batch.time[k] as number);
        this.seen.push(`row ${JSON.stringify(row)}${batch.watermarks === null ? '' : ` wm ${batch.watermarks[k]}`}`);
      }
    }
    this.seen.push(`wm ${arrival.watermarkAfter}`);
    if (arrival.idle !== null) this.seen.push(arrival.idle ? 'idle' : 'active');
    if (arrival.end) this.seen.push('end');
    this.reader.release();
    return true;
  }

  /** What a task does: writes as far as there are credits, lets the other side read, and so on to the last row. */
  send(batch: RecordBatch): void {
    let from = this.write(batch);
    for (let tries = 0; from < batch.count || !this.writer.ready(); tries++) {
      if (tries > 1000) throw new Error('never ends');
      this.take();
      from = this.write(batch, from);
    }
  }

  drain(): this {
    this.writer.flush();
    while (this.take());
    return this;
  }

  /** The watermarks before and behind rows in their order, repetitions left out. */
  story(): string[] {
    const out: string[] = [];
    let last = 'wm -Infinity';
    for (const line of this.seen.splice(0)) {
      if (line.startsWith('wm')) {
        if (line === last) continue;
        last = line;
      }
      out.push(line);
    }
    return out;
  }
}

const plain = (p: Pair, rows: readonly [string, number][], watermarks?: readonly number[]): RecordBatch => {
  const batch = fill(
    Plain,
    p.dictionary,
    rows.map(([k, v]) => ({ k, v })),
    rows.map(([, v]) => v),
  );
  if (watermarks !== undefined) batch.watermarks = Float64Array.from(watermarks);
  return batch;
};

const Timed = schema({ at: timestamp(), n: f64(), until: timestamp() });

describe('a ring', () => {
  it('EX22 a column that is the event time, in the same memory, arrives as such, whatever shares its slot', () => {
    const step = fc.record({
      rows: fc.integer({ min: 1, max: 70 }),
      aliased: fc.constantFrom('at', 'until', 'none'),
      picks: fc.boolean(),
      flush: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const p = new Pair(Timed);
        const expected: unknown[] = [];
        let n = 0;
        for (const { rows: count, aliased, picks, flush } of steps) {
          const rows = Array.from({ length: count }, () => ({ at: 1000 + n, n: n++, until: 2000 + n }));
          const times = rows.map((row, k) =>
            aliased === 'none' ? (k % 3 === 0 ? Number.NaN : 3000 + k) : row[aliased],
          );
          const batch = fill(Timed, p.dictionary, rows, times);
          if (aliased !== 'none') batch.time = batch.f64(aliased);
          const chosen = rows.map((_, k) => k).filter((k) => !picks || k % 2 === 0);
          if (picks) {
            batch.selection = Int32Array.from(chosen);
            batch.selected = chosen.length;
          }
          for (const k of chosen) expected.push([rows[k], times[k]]);
          p.send(batch);
          if (flush) p.writer.flush();
        }
        p.drain();
        expect(p.rows.map((row, i) => [row, p.times[i]])).toEqual(expected);
      }),
    );
  });

  it('EX1 carries every kind of column, nulls and timestamps', () => {
    const rows = [
      { b: true, s: 'a', sn: null, f: -0.5, fn: null, i: -7, t: 8.64e15, y: Uint8Array.of(0, 255), yn: null },
      {
        b: false,
        s: '',
        sn: 'b',
        f: Number.NaN,
        fn: 1e300,
        i: 2147483647,
        t: null,
        y: new Uint8Array(0),
        yn: Uint8Array.of(1),
      },
    ];
    const p = new Pair(Every);
    p.send(fill(Every, p.dictionary, rows, [5, null]));
    p.drain();
    expect(p.rows).toEqual(rows);
    expect(p.times).toEqual([5, Number.NaN]);
  });

  it('EX1 strings of any kind: latin-1, other scripts, lone surrogates, controls, and more than a slot holds', () => {
    const texts = [
      'plain',
      'é',
      '東京',
      '😀',
      '\ud800',
      'a\udfffb',
      '\0',
      '',
      'ÿ'.repeat(5000),
      '\u0100'.repeat(16_000),
      'x'.repeat(1 << 20),
      '\ud83d'.repeat(1 << 19),
      'y'.repeat(TEXT_BYTES),
    ];
    const p = new Pair(Every);
    const rows = texts.map((s, i) => ({
      b: true,
      s,
      sn: texts[texts.length - 1 - i] ?? null,
      f: i,
      fn: null,
      i,
      t: null,
      y: new Uint8Array(0),
      yn: null,
    }));
    p.send(fill(Every, p.dictionary, [...rows, ...rows], []));
    p.drain();
    expect(p.rows.map((r) => [r.i, r.s === rows[r.i as number]?.s, r.sn === rows[r.i as number]?.sn])).toEqual(
      [...rows, ...rows].map((r) => [r.i, true, true]),
    );
  });

  it('EX1 payloads of any length, several per row, mixed with long strings', () => {
    const lengths = [0, 1, 3000, 3280, 3281, TEXT_BYTES - 1, TEXT_BYTES, TEXT_BYTES + 1, 1 << 20];
    const bytesOf = (n: number, salt: number): Uint8Array =>
      Uint8Array.from({ length: n }, (_, i) => (i * 31 + salt) & 255);
    const rows = lengths.map((n, i) => ({
      b: true,
      s: `${i}`.repeat(n + 1),
      sn: null,
      f: 0,
      fn: null,
      i,
      t: null,
      y: bytesOf(n, i),
      yn: i % 3 === 0 ? null : bytesOf(lengths[lengths.length - 1 - i] as number, i + 1),
    }));
    const p = new Pair(Every);
    p.send(fill(Every, p.dictionary, rows, []));
    p.drain();
    const same = (a: unknown, b: Uint8Array | null): boolean =>
      a === null || b === null ? a === b : Buffer.compare(a as Uint8Array, b) === 0;
    expect(
      p.rows.map((r, i) => [r.i, r.s === rows[i]?.s, same(r.y, rows[i]?.y ?? null), same(r.yn, rows[i]?.yn ?? null)]),
    ).toEqual(rows.map((r) => [r.i, true, true, true]));
  });

  it('EX2 free slots are the credits: a full ring takes nothing, says where it stopped, and asks to be woken', () => {
    const p = new Pair(Plain);
    const rows = Array.from({ length: BATCH_ROWS }, (_, i): [string, number] => ['a', i]);
    const batch = plain(p, rows);
    for (let i = 0; i < SLOTS; i++) {
      expect(p.writer.ready()).toBe(true);
      expect(p.write(batch)).toBe(BATCH_ROWS);
    }
    expect([p.writer.ready(), p.published, p.freed]).toEqual([false, SLOTS, 0]);
    expect(p.write(batch)).toBe(0);
    p.take();
    expect([p.freed, p.writer.ready()]).toEqual([1, true]);
    p.take();
    expect(p.freed).toBe(1); // it does not wait any more
    expect(p.write(batch, 48)).toBe(BATCH_ROWS);
    expect(p.write(batch)).toBe(BATCH_ROWS);
    expect(p.write(batch)).toBe(48);
    p.drain();
    expect(p.rows.length).toBe((SLOTS + 2) * BATCH_ROWS);
  });

  it('EX2 rows gather in a slot until it is full or flushed', () => {
    const p = new Pair(Plain);
    for (let i = 0; i < 5; i++) p.write(plain(p, [['a', i]]));
    expect([p.published, p.reader.available]).toEqual([0, false]);
    p.writer.flush();
    p.writer.flush();
    expect(p.published).toBe(1);
    p.drain();
    expect(p.rows.map((r) => r.v)).toEqual([0, 1, 2, 3, 4]);
  });

  it('EX3 counters wrap around', () => {
    const p = new Pair(Plain, { start: 0x7ffffffc });
    for (let n = 0; n < 40; n++) {
      p.send(plain(p, [[`k${n}`, n]]));
      p.writer.flush();
      if (n % 3 === 0) p.take();
    }
    p.drain();
    expect(p.rows).toEqual(Array.from({ length: 40 }, (_, n) => ({ k: `k${n}`, v: n })));
    expect(p.ring.control[Control.HEAD]).toBeLessThan(0);
  });

  it('EX4 a string travels once per channel', () => {
    const p = new Pair(Plain);
    const word = 'w'.repeat(1000);
    for (let n = 0; n < 20; n++) {
      p.send(plain(p, [[word, n]]));
      p.drain();
    }
    const text = p.ring.slots.map((slot) => Buffer.from(slot.text).includes(word));
    expect(text.filter(Boolean).length).toBe(1);
    expect(p.rows.every((r) => r.k === word)).toBe(true);
  });

  it('EX5 a code that a sweep gave to another string means the right one in every row, flushed or not', () => {
    const p = new Pair(Plain, { sweepEntries: 2 });
    const expected: string[] = [];
    for (let n = 0; n < 300; n++) {
      const [a, b] = [`a${n}`, `b${n}`];
      p.send(
        plain(p, [
          [a, 0],
          [b, 1],
          [a, 2],
        ]),
      );
      expected.push(a, b, a);
      // Between batches; rows of this one may still wait in an open slot.
      p.dictionary.sweepIfLarge();
      if (n % 7 === 0) p.writer.flush();
      if (n % 5 === 0) p.take();
    }
    p.drain();
    expect(p.rows.map((r) => r.k)).toEqual(expected);
    expect(p.dictionary.capacity).toBeLessThan(10);
  });

  it('EX5 neither side holds on to what is gone', () => {
    const p = new Pair(Plain, { sweepEntries: 100 });
    const gate = new Dictionary(100);
    const memory = new SharedArrayBuffer(ringBytes(Plain));
    const writer = new RingWriter(new Ring(memory, Plain), Plain, () => {});
    const reader = new RingReader(new Ring(memory, Plain), Plain, gate, () => {});
    for (let n = 0; n < 5000; n++) {
      const batch = plain(p, [[`k${n}`, n]]);
      writer.write(batch, null, 0, 1);
      writer.flush();
      const arrival = reader.take();
      expect(rowsOf(arrival?.rows as RecordBatch)).toEqual([{ k: `k${n}`, v: n }]);
      reader.release();
      p.dictionary.sweepIfLarge();
      gate.sweepIfLarge();
    }
    expect(gate.capacity).toBeLessThan(500);
  });

  it('EX5 batches of another dictionary are understood too', () => {
    const p = new Pair(Plain);
    const [one, two] = [new Dictionary(), new Dictionary()];
    two.codeOf('something else');
    const rows = ['x', 'y', 'z'].map((k, v) => ({ k, v }));
    for (const d of [one, two, one, two]) p.send(fill(Plain, d, rows, []));
    p.drain();
    expect(p.rows).toEqual([...rows, ...rows, ...rows, ...rows]);
  });

  it('EX6 a watermark comes behind the rows before it and ahead of those after it', () => {
    const p = new Pair(Plain);
    p.send(plain(p, [['a', 1]]));
    p.writer.watermark(10);
    p.send(
      plain(p, [
        ['a', 2],
        ['a', 3],
      ]),
    );
    p.writer.watermark(20);
    p.drain();
    expect(p.story()).toEqual([
      'row {"k":"a","v":1} wm -Infinity',
      'row {"k":"a","v":2} wm 10',
      'row {"k":"a","v":3} wm 10',
      'wm 20',
    ]);
    p.writer.watermark(15); // never backwards
    p.writer.watermark(30);
    p.send(plain(p, [['a', 4]]));
    p.drain();
    expect(p.story()).toEqual(['wm 30', 'row {"k":"a","v":4}']);
  });

  it('EX6 watermarks among the rows of a batch travel with them', () => {
    const p = new Pair(Plain);
    p.send(
      plain(
        p,
        [
          ['a', 1],
          ['a', 2],
          ['a', 3],
        ],
        [Number.NEGATIVE_INFINITY, 5, 7],
      ),
    );
    p.send(plain(p, [['a', 4]]));
    p.send(
      plain(
        p,
        [
          ['a', 5],
          ['a', 6],
        ],
        [7, 9],
      ),
    );
    p.drain();
    expect(p.story()).toEqual([
      'row {"k":"a","v":1} wm -Infinity',
      'row {"k":"a","v":2} wm 5',
      'row {"k":"a","v":3} wm 7',
      'row {"k":"a","v":4} wm 7',
      'row {"k":"a","v":5} wm 7',
      'row {"k":"a","v":6} wm 9',
      'wm 9',
    ]);
  });

  it('EX7 changes of status and the end come behind the rows before them, and are not held back', () => {
    const p = new Pair(Plain);
    p.send(plain(p, [['a', 1]]));
    p.writer.idle(true);
    p.writer.idle(false);
    p.send(plain(p, [['a', 2]]));
    p.writer.watermark(Number.POSITIVE_INFINITY);
    p.writer.end();
    expect(p.published).toBe(3);
    while (p.take());
    expect(p.story()).toEqual([
      'row {"k":"a","v":1}',
      'idle',
      'active',
      'row {"k":"a","v":2} wm -Infinity',
      'wm Infinity',
      'end',
    ]);
  });

  const word = fc.oneof(
    fc.constantFrom('a', 'b', 'ä', '東'),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.integer({ min: 3000, max: 9000 }).map((n) => 'l'.repeat(n)),
    fc.integer({ min: 60_000, max: 70_000 }).map((n) => '\u0101'.repeat(n)),
  );
  const payload = fc.oneof(
    fc.constant(null),
    fc.uint8Array({ maxLength: 20 }),
    fc.integer({ min: 3000, max: 70_000 }).map((n) => new Uint8Array(n).fill(n)),
  );
  const Mixed = schema({ n: i32(), s: nullable(string()), y: nullable(bytes()), s2: string() });

  it('EX8 whatever is written arrives once, in order, with its watermark, whenever the other side reads, sweeps and flushes', () => {
    const cell = fc.record({ s: fc.option(word), s2: word, y: payload, rise: fc.nat(3) });
    const step = fc.record({
      rows: fc.array(cell, { maxLength: 12 }),
      inside: fc.boolean(),
      picks: fc.boolean(),
      flush: fc.boolean(),
      takes: fc.nat(4),
      watermark: fc.nat(2),
      sweep: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const p = new Pair(Mixed, { sweepEntries: 3, start: 0x7ffffff0 });
        let watermark = 0;
        let n = 0;
        const expected: string[] = [];
        const show = (row: PlainRow): string =>
          `${row.n} ${String(row.s).length}${String(row.s).slice(0, 9)} ${(row.y as Uint8Array | null)?.length} ${String(row.s2).length}${String(row.s2).slice(0, 9)}`;
        for (const s of steps) {
          const rows = s.rows.map((r) => ({ n: n++, s: r.s, y: r.y, s2: r.s2 }));
          if (rows.length > 0) {
            const batch = fill(Mixed, p.dictionary, rows, []);
            let chosen = rows.map((_, i) => i);
            if (s.picks) {
              chosen = chosen.filter((i) => i % 2 === 1);
              batch.selection = Int32Array.from(chosen);
              batch.selected = chosen.length;
            }
            if (s.inside) batch.watermarks = Float64Array.from(s.rows, (r) => (watermark += r.rise));
            let inForce = s.inside ? -1 : watermark;
            for (const i of chosen) {
              inForce = batch.watermarks?.[i] ?? watermark;
              expected.push(`${show(rows[i] as PlainRow)} wm ${inForce}`);
            }
            if (batch.count > 0) p.send(batch);
          }
          watermark += s.watermark;
          while (!p.writer.ready()) p.take();
          p.writer.watermark(watermark);
          if (s.flush) p.writer.flush();
          for (let i = 0; i < s.takes; i++) p.take();
          if (s.sweep) p.dictionary.sweepIfLarge();
        }
        p.drain();
        let inForce = Number.NEGATIVE_INFINITY;
        const got: string[] = [];
        let at = 0;
        for (const line of p.seen) {
          if (line.startsWith('wm')) inForce = Math.max(inForce, Number(line.slice(3)));
          else {
            const own = / wm (-?\d+|-Infinity)$/.exec(line);
            if (own !== null) inForce = Math.max(inForce, Number(own[1]));
            got.push(`${show(p.rows[at++] as PlainRow)} wm ${Math.max(inForce, 0)}`);
          }
        }
        expect(got).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  });
});
