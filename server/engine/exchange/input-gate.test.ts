import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CollectingConsumer, type Emission, fill } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { WatermarkValve } from '../time/watermark-valve.ts';
import type { ChannelWriter } from './channel.ts';
import { InputGate } from './input-gate.ts';
import { Ring, ringBytes } from './ring-layout.ts';
import { RingWriter } from './ring-writer.ts';

const S = schema({ k: string(), v: f64() });

/** A gate in front of a consumer, with channels of either kind. */
class Bench {
  readonly log: Emission[] = [];
  readonly consumer = new CollectingConsumer('main', S, this.log);
  readonly gate: InputGate;
  readonly channels: ChannelWriter[];
  readonly dictionaries: Dictionary[];

  constructor(kinds: readonly ('ring' | 'local')[], sweepEntries = 1 << 20) {
    this.gate = new InputGate(S, kinds.length, this.consumer);
    this.dictionaries = kinds.map(() => new Dictionary(sweepEntries));
    this.channels = kinds.map((kind, c) => {
      if (kind === 'local')
        return this.gate.addLocal(
          c,
          () => 0,
          () => {},
        );
      const memory = new SharedArrayBuffer(ringBytes(S));
      this.gate.addRing(c, new Ring(memory, S), () => {});
      return new RingWriter(new Ring(memory, S), S, () => {});
    });
  }

  channel(c: number): ChannelWriter {
    return this.channels[c] as ChannelWriter;
  }

  /** Rows on a channel; returns how many it took. */
  rows(c: number, rows: readonly [string, number][], watermarks?: readonly number[], dictionary?: Dictionary): number {
    const batch = fill(
      S,
      dictionary ?? (this.dictionaries[c] as Dictionary),
      rows.map(([k, v]) => ({ k, v })),
      [],
    );
    if (watermarks !== undefined) batch.watermarks = Float64Array.from(watermarks);
    return this.channel(c).write(batch, null, 0, rows.length, -1);
  }

  /** Everything there is, as far as the consumer takes it. */
  poll(): this {
    for (const c of this.channels) c.flush();
    while (this.gate.poll());
    return this;
  }

  take(): string[] {
    return this.log
      .splice(0)
      .map((e) =>
        e.kind === 'row'
          ? `${e.row.k}${e.row.v}${e.watermark === null ? '' : ` wm ${e.watermark}`}`
          : e.kind === 'watermark'
            ? `wm ${e.watermark}`
            : e.kind === 'idle'
              ? e.idle
                ? 'idle'
                : 'active'
              : 'end',
      );
  }
}

for (const kind of ['local', 'ring'] as const) {
  describe(`an input gate over ${kind} channels`, () => {
    it('EX9 hands on rows, watermarks, status and end of one channel as they come', () => {
      const b = new Bench([kind]);
      b.rows(0, [['a', 1]]);
      b.channel(0).watermark(5);
      b.rows(
        0,
        [
          ['b', 2],
          ['a', 3],
        ],
        [5, 7],
      );
      b.channel(0).watermark(9);
      b.channel(0).idle(true);
      b.channel(0).idle(false);
      b.channel(0).watermark(Number.POSITIVE_INFINITY);
      b.channel(0).end();
      b.poll();
      const out = b.take();
      expect(out.filter((l) => !l.includes('wm'))).toEqual(
        kind === 'local' ? ['a1', 'idle', 'active', 'end'] : ['idle', 'active', 'end'],
      );
      expect(out.map((l) => l.replace(/ wm .*/, '')).filter((l) => !l.startsWith('wm'))).toEqual([
        'a1',
        'b2',
        'a3',
        'idle',
        'active',
        'end',
      ]);
      expect(out.find((l) => l.startsWith('a3'))).toBe('a3 wm 7');
      expect(out.filter((l) => l.startsWith('wm')).at(-1)).toBe('wm Infinity');
      expect(b.gate.ended).toBe(true);
    });

    it('EX9 the watermark is that of the channel furthest behind, the end comes when all have ended', () => {
      const b = new Bench([kind, kind]);
      b.channel(0).watermark(10);
      b.poll();
      expect(b.take()).toEqual([]);
      b.channel(1).watermark(7);
      b.poll();
      expect(b.take()).toEqual(['wm 7']);
      b.channel(1).end();
      b.poll();
      expect([b.take(), b.gate.ended]).toEqual([['wm 10'], false]);
      b.channel(0).end();
      b.poll();
      expect([b.take(), b.gate.ended]).toEqual([['wm Infinity', 'end'], true]);
    });

    it('EX10 the same string has one code whichever channel brings it', () => {
      const b = new Bench([kind, kind]);
      b.dictionaries[1]?.codeOf('something else');
      b.rows(0, [
        ['x', 1],
        ['y', 2],
      ]);
      b.rows(1, [
        ['y', 3],
        ['x', 4],
      ]);
      b.poll();
      expect(b.take().sort()).toEqual(['x1', 'x4', 'y2', 'y3']);
      expect(b.gate.dictionaryEntries).toBe(2);
    });

    it('EX10 strings of a channel stay right through sweeps of its dictionary and of the gate’s', () => {
      const b = new Bench([kind, kind], 3);
      for (let n = 0; n < 400; n++) {
        b.rows(n % 2, [
          [`s${n}`, n],
          ['always', n],
        ]);
        b.poll();
        expect(b.take()).toEqual([`s${n}${n}`, `always${n}`]);
        b.dictionaries[n % 2]?.sweepIfLarge();
      }
    });

    it('EX10 and when a producer changes from one dictionary to another and back', () => {
      for (const channels of [1, 2]) {
        const b = new Bench(Array.from({ length: channels }, () => kind));
        const [one, two] = [new Dictionary(), new Dictionary()];
        one.codeOf('first of one');
        two.codeOf('first of two');
        const batch = (d: Dictionary): void => {
          b.rows(
            0,
            [
              ['x', 1],
              ['y', 2],
            ],
            undefined,
            d,
          );
          b.poll();
        };
        for (const d of [one, two, one, two]) batch(d);
        expect(b.take()).toEqual(Array.from({ length: 4 }, () => ['x1', 'y2']).flat());
        expect(b.consumer.dictionaries[0]?.size).toBe(1);
      }
    });

    it('EX11 nothing is handed over without credits, and nothing is lost, doubled or overtaken', () => {
      const b = new Bench([kind, kind]);
      b.consumer.credits = 1;
      b.rows(0, [['a', 1]]);
      b.channel(0).watermark(5);
      b.poll();
      expect([b.take(), b.gate.ready()]).toEqual([['a1'], false]);
      // The consumer is still busy with the first batch.
      expect(b.rows(1, [['b', 2]])).toBe(kind === 'local' ? 0 : 1);
      b.channel(1).watermark(3);
      b.poll();
      expect(b.take()).toEqual([]);
      b.consumer.credits = Number.POSITIVE_INFINITY;
      b.poll();
      if (kind === 'local') {
        expect(b.take()).toEqual(['wm 3']);
        expect(b.rows(1, [['b', 2]])).toBe(1);
        expect(b.take()).toEqual(['b2']);
      } else {
        expect(b.take().map((l) => l.replace(/ wm .*/, ''))).toEqual(['b2', 'wm 3']);
      }
    });
  });
}

describe('an input gate over rings', () => {
  it('EX12 the channel furthest behind is read first', () => {
    const b = new Bench(['ring', 'ring', 'ring']);
    for (const [c, w] of [30, 10, 20].entries()) {
      b.channel(c).watermark(w);
      b.channel(c).flush();
    }
    b.poll();
    b.take();
    for (const c of [0, 1, 2]) {
      b.rows(c, [[`c${c}`, 0]]);
      b.channel(c).flush();
    }
    b.poll();
    expect(b.take().map((l) => l.slice(0, 2))).toEqual(['c1', 'c2', 'c0']);
  });

  it('EX12 channels equally far are read in turns, so that none starves', () => {
    const b = new Bench(['ring', 'ring']);
    for (let n = 0; n < 4; n++) {
      for (const c of [0, 1]) {
        b.rows(c, [[`c${c}`, n]]);
        b.channel(c).flush();
      }
    }
    const order: string[] = [];
    while (b.gate.poll()) order.push(...b.take().map((l) => l.slice(0, 2)));
    expect(order).toEqual(['c0', 'c1', 'c0', 'c1', 'c0', 'c1', 'c0', 'c1']);
  });
});

describe('watermarks among rows of several channels', () => {
  const batch = fc.record({
    channel: fc.nat(2),
    rises: fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }),
    behind: fc.nat(2),
    news: fc.constantFrom('', '', '', 'idle', 'end'),
  });

  it('EX13 are for each row those of the valve fed row by row', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 3 }),
        fc.array(batch, { maxLength: 30 }),
        fc.array(fc.constantFrom('ring' as const, 'local' as const), { minLength: 3, maxLength: 3 }),
        (n, batches, kinds) => {
          const b = new Bench(kinds.slice(0, n));
          const own = new Array<number>(n).fill(0);
          const idle = new Array<boolean>(n).fill(false);
          const ended = new Array<boolean>(n).fill(false);
          let reference = Number.NEGATIVE_INFINITY;
          const valve = new WatermarkValve(n, { watermark: (w) => (reference = w), idle: () => {} });
          const expected: string[] = [];
          let v = 0;
          for (const { channel: any, rises, behind, news } of batches) {
            const c = any % n;
            if (ended[c]) continue;
            if (idle[c]) {
              b.channel(c).idle(false);
              valve.onIdle(false, c);
              idle[c] = false;
            }
            const rows: [string, number][] = [];
            const watermarks: number[] = [];
            for (const rise of rises) {
              own[c] = (own[c] as number) + rise;
              valve.onWatermark(own[c] as number, c);
              expected.push(`r${v} ${reference}`);
              rows.push(['r', v++]);
              watermarks.push(own[c] as number);
            }
            b.rows(c, rows, watermarks);
            own[c] = (own[c] as number) + behind;
            b.channel(c).watermark(own[c] as number);
            valve.onWatermark(own[c] as number, c);
            if (news === 'idle') {
              b.channel(c).idle(true);
              valve.onIdle(true, c);
              idle[c] = true;
            } else if (news === 'end') {
              b.channel(c).end();
              valve.onFinished(c);
              ended[c] = true;
            }
            b.poll();
          }
          let inForce = Number.NEGATIVE_INFINITY;
          let told = Number.NEGATIVE_INFINITY;
          const got: string[] = [];
          for (const e of b.log) {
            if (e.kind === 'watermark') {
              expect(e.watermark).toBeGreaterThanOrEqual(inForce);
              inForce = Math.max(inForce, e.watermark);
              told = e.watermark;
            } else if (e.kind === 'row') {
              inForce = Math.max(inForce, e.watermark ?? Number.NEGATIVE_INFINITY);
              got.push(`r${e.row.v} ${inForce}`);
            }
          }
          expect(got).toEqual(expected);
          expect(inForce).toBe(reference);
          // Behind the rows it is told as an element too: whoever has no row then must know it as well.
          expect(told).toBe(reference);
          expect(b.gate.ended).toBe(ended.every(Boolean));
        },
      ),
      { numRuns: 500 },
    );
  });
});
