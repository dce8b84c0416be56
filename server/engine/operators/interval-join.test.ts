import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { BACKENDS } from '#testing/backends.ts';
import type { HarnessOptions } from '#testing/harness.ts';
import { type PairHarness, pairHarnessOf } from '#testing/pair-harness.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import type { IntervalBounds } from '../graph/interval-joins.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { OutputTag } from './process.ts';

const A = schema({ k: string(), v: f64() });
const B = schema({ k: string(), w: f64() });
const Out = schema({ says: string() });
const lateA = new OutputTag('late-a', A);
const lateB = new OutputTag('late-b', B);
type Settings = Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore' | 'stateBackend'> & {
  readonly bounds?: IntervalBounds;
  readonly late?: boolean;
};

const joining = (lower: number, upper: number, settings: Settings = {}): PairHarness => {
  const { bounds, late, ...rest } = settings;
  return pairHarnessOf(
    A,
    B,
    (a, b) => {
      const pairs = a.keyBy('k').intervalJoin(b.keyBy('k')).between(lower, upper, bounds);
      if (late === true) pairs.sideOutputLeftLateData(lateA).sideOutputRightLateData(lateB);
      return pairs.join('pairs', Out, (l, r) => ({ says: `${l.k}${l.v}-${r.k}${r.w}` }));
    },
    rest,
  );
};
const left = (h: PairHarness, ...times: number[]): void =>
  h.first.rows(
    times.map((v) => ({ k: 'a', v })),
    { times },
  );
const right = (h: PairHarness, ...times: number[]): void =>
  h.second.rows(
    times.map((w) => ({ k: 'a', w })),
    { times },
  );
const both = (h: PairHarness, watermark: number): void => {
  h.first.watermark(watermark);
  h.second.watermark(watermark);
};
const pairs = (h: PairHarness): string[] =>
  h.emissions().flatMap((e) => (e.kind === 'row' && e.output === 'main' ? [`${e.row.says}@${e.time}`] : []));

describe.each(BACKENDS)('an interval join on %s', (_name, stateBackend) => {
  it('IJ1 pairs rows of a key whose timestamps differ by the bounds or less, whichever comes first', () => {
    const h = joining(-2, 1, { stateBackend });
    left(h, 1, 2, 3, 4, 5);
    right(h, 3);
    expect(pairs(h)).toEqual(['a2-a3@3', 'a3-a3@3', 'a4-a3@4', 'a5-a3@5']);
    left(h, 3);
    h.second.rows([{ k: 'b', w: 3 }], { times: [3] });
    expect(pairs(h)).toEqual(['a3-a3@3']);
  });

  it('IJ1 bounds may be exclusive', () => {
    const of = (bounds: IntervalBounds): string[] => {
      const h = joining(-1, 1, { bounds, stateBackend });
      left(h, 1, 2, 3);
      right(h, 2);
      return pairs(h).map((s) => s.split('@')[0] as string);
    };
    expect(of({})).toEqual(['a1-a2', 'a2-a2', 'a3-a2']);
    expect(of({ lowerExclusive: true })).toEqual(['a1-a2', 'a2-a2']);
    expect(of({ upperExclusive: true })).toEqual(['a2-a2', 'a3-a2']);
    expect(of({ lowerExclusive: true, upperExclusive: true })).toEqual(['a2-a2']);
  });

  it('IJ2 partners come in the order of their timestamps, those of one instant as they arrived', () => {
    const h = joining(-3, 3, { stateBackend });
    const rights = [5, 2, 4, 9, 4, 7, 8, 1];
    h.second.rows(
      rights.map((_, i) => ({ k: 'a', w: i })),
      { times: rights },
    );
    left(h, 5);
    expect(pairs(h)).toEqual(['a5-a1@5', 'a5-a2@5', 'a5-a4@5', 'a5-a0@5', 'a5-a5@7', 'a5-a6@8']);
  });

  it('IJ2 bounds may lie on one side only; equal rows all meet; the result has the later timestamp', () => {
    const h = joining(2, 4, { stateBackend });
    right(h, 1, 3, 4, 5, 5, 6);
    left(h, 1, 1);
    expect(pairs(h)).toEqual([1, 2].flatMap(() => ['a1-a3@3', 'a1-a4@4', 'a1-a5@5', 'a1-a5@5']));
    const g = joining(-4, -2, { stateBackend });
    left(g, 6);
    right(g, 1, 2, 4, 5);
    expect(pairs(g)).toEqual(['a6-a2@6', 'a6-a4@6']);
  });

  it('IJ3 rows behind the watermark are dropped and counted, or go to side outputs; those at it are not late', () => {
    const h = joining(-5, 5, { stateBackend });
    left(h, 12);
    both(h, 10);
    right(h, 9, 10);
    left(h, 8);
    expect(pairs(h)).toEqual(['a12-a10@12']);
    expect(h.cells[OperatorCell.LATE_DROPPED]).toBe(2);
    const g = joining(-5, 5, { stateBackend, late: true });
    both(g, 10);
    right(g, 9);
    left(g, 8);
    expect(g.take().slice(1)).toEqual(['late-b {"k":"a","w":9} @9', 'late-a {"k":"a","v":8} @8']);
    expect(g.cells[OperatorCell.LATE_DROPPED]).toBe(0);
  });

  it('IJ5 waiting rows move by key group to any parallelism', async () => {
    const one = joining(-5, 5, { stateBackend });
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    one.first.rows(
      keys.map((k) => ({ k, v: 1 })),
      { times: keys.map(() => 1) },
    );
    const restore = [await one.snapshotLater()];
    for (const subtask of [0, 1, 2]) {
      const h = joining(-5, 5, { subtask, parallelism: 3, restore, stateBackend });
      const mine = keys.filter((k) => subtaskOf(keyGroupOf(javaHash(k), 128), 3, 128) === subtask);
      h.second.rows(
        mine.map((k) => ({ k, w: 6 })),
        { times: mine.map(() => 6) },
      );
      expect(pairs(h)).toEqual(mine.map((k) => `${k}1-${k}6@6`));
    }
  });
});

describe('an interval join', () => {
  it('IJ4 forgets rows when the watermark says that no partner can come', () => {
    const kept = (lower: number, upper: number, side: 'first' | 'second', watermark: number): number => {
      const h = joining(lower, upper);
      h[side].rows([side === 'first' ? { k: 'a', v: 10 } : { k: 'a', w: 10 }], { times: [10] });
      both(h, watermark);
      return h.snapshot().keyed.length;
    };
    // A row of the first stream at 10 has partners up to 10 + upper; one of the second up to 10 - lower.
    expect([kept(-3, 5, 'first', 14), kept(-3, 5, 'first', 15)]).toEqual([1, 0]);
    expect([kept(-3, 5, 'second', 12), kept(-3, 5, 'second', 13)]).toEqual([1, 0]);
    expect([kept(-9, -2, 'first', 9), kept(-9, -2, 'first', 10)]).toEqual([1, 0]);
    expect([kept(2, 9, 'second', 9), kept(2, 9, 'second', 10)]).toEqual([1, 0]);
  });

  it('IJ2 the function knows both timestamps, and may make rows for side outputs', () => {
    const far = new OutputTag('far', schema({ by: f64() }));
    const h = pairHarnessOf(A, B, (a, b) =>
      a
        .keyBy('k')
        .intervalJoin(b.keyBy('k'))
        .between(0, 9)
        .process('pairs', {
          output: Out,
          sideOutputs: [far],
          create: () => (_l, _r, ctx, out) => {
            const by = ctx.rightTimestamp - ctx.leftTimestamp;
            if (by > 5) ctx.output(far, { by });
            else out.collect({ says: `${ctx.timestamp}` });
          },
        }),
    );
    left(h, 1);
    right(h, 4, 9);
    expect(h.take()).toEqual(['{"says":"4"} @4', 'far {"by":8} @9']);
  });

  it('IJ6 what cannot work is refused', () => {
    expect(() => joining(3, 2)).toThrow('lower <= upper');
    expect(() => joining(2, 2, { bounds: { upperExclusive: true } })).toThrow('got 2 to 2 ms');
    expect(() => joining(0.5, 2)).toThrow('whole ms');
    const h = joining(0, 1);
    expect(() => h.first.rows([{ k: 'a', v: 1 }])).toThrow('pairs: interval joins need rows with timestamps.');
  });

  it('IJ7 random rows, watermarks, batches, credits and restores give the pairs and late rows of a plain model', () => {
    let late = 0;
    let made = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const lower = random.below(9) - 5;
        const upper = lower + random.below(6);
        let h = joining(lower, upper, { late: true });
        const model = new Model(lower, upper);
        const got: string[] = [];
        const watermarks = [0, 0];
        const collect = (): void => {
          for (const e of h.emissions()) {
            if (e.kind !== 'row') continue;
            got.push(e.output === 'main' ? `${e.row.says}@${e.time}` : `${e.output} ${e.row.k}@${e.time}`);
          }
        };
        const raise = (input: number): void => {
          (input === 0 ? h.first : h.second).watermark(watermarks[input] as number);
        };
        for (const input of [0, 1]) {
          model.watermark(input, 0);
          raise(input);
        }
        for (let step = 0; step < 20; step++) {
          const input = random.below(2);
          const what = random.below(8);
          if (what < 5) {
            const moving = random.below(2) === 0;
            const rows = Array.from({ length: 1 + random.below(6) }, () => {
              if (moving) watermarks[input] = (watermarks[input] as number) + random.below(4);
              const time = Math.max(0, Math.min(...watermarks) + random.below(12) - 3);
              const row = { k: 'ab'[random.below(2)] as string, time, watermark: watermarks[input] as number };
              if (moving) model.watermark(input, row.watermark);
              model.row(input, row.k, time);
              return row;
            });
            const options = {
              times: rows.map((r) => r.time),
              ...(moving ? { watermarks: rows.map((r) => r.watermark) } : {}),
            };
            if (random.below(3) === 0) h.credits(1);
            if (input === 0)
              h.first.rows(
                rows.map(({ k, time }) => ({ k, v: time })),
                options,
              );
            else
              h.second.rows(
                rows.map(({ k, time }) => ({ k, w: time })),
                options,
              );
            while (h.pending) h.credits(1).resume();
            h.credits(Number.POSITIVE_INFINITY);
            if (moving) raise(input);
          } else if (what < 7) {
            watermarks[input] = (watermarks[input] as number) + random.below(6);
            model.watermark(input, watermarks[input] as number);
            raise(input);
          } else {
            collect();
            h = joining(lower, upper, { late: true, restore: [h.snapshot()] });
            for (const i of [0, 1]) raise(i);
          }
          collect();
        }
        expect(got.sort()).toEqual(model.said.sort());
        late += model.said.filter((s) => s.startsWith('late')).length;
        made += model.said.filter((s) => !s.startsWith('late')).length;
      }),
      { numRuns: 400 },
    );
    expect([late > 500, made > 5000]).toEqual([true, true]);
  });
});

/** All rows that wait, looked through for every row. */
class Model {
  readonly said: string[] = [];
  readonly #lower: number;
  readonly #upper: number;
  readonly #watermarks = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  #now = Number.NEGATIVE_INFINITY;
  #waiting: { readonly input: number; readonly k: string; readonly time: number }[] = [];

  constructor(lower: number, upper: number) {
    this.#lower = lower;
    this.#upper = upper;
  }

  row(input: number, k: string, time: number): void {
    if (time < this.#now) {
      this.said.push(`late-${'ab'[input]} ${k}@${time}`);
      return;
    }
    for (const other of this.#waiting) {
      if (other.input === input || other.k !== k) continue;
      const [l, r] = input === 0 ? [time, other.time] : [other.time, time];
      if (r - l >= this.#lower && r - l <= this.#upper) this.said.push(`${k}${l}-${k}${r}@${Math.max(l, r)}`);
    }
    this.#waiting.push({ input, k, time });
  }

  watermark(input: number, watermark: number): void {
    this.#watermarks[input] = Math.max(watermark, this.#watermarks[input] as number);
    const lower = Math.min(...this.#watermarks);
    if (lower <= this.#now) return;
    this.#now = lower;
    this.#waiting = this.#waiting.filter((row) => {
      const ahead = row.input === 0 ? this.#upper : -this.#lower;
      return row.time + Math.max(0, ahead) > lower;
    });
  }
}
