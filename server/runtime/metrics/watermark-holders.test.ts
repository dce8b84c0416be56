import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f64, schema, string } from '#engine/batch/schema.ts';
import type { WatermarkReport } from '#engine/operators/watermark-report.ts';
import { WatermarksOperator } from '#engine/operators/watermarks.ts';
import { boundedOutOfOrderness, type WatermarkStrategy } from '#engine/time/watermark-strategy.ts';
import type { WatermarkHolder } from '#shared/live.ts';
import { OperatorHarness } from '#testing/harness.ts';
import type { JobLayout, OperatorPlace } from './layout.ts';
import { watermarkHolders, watermarkMakers } from './watermark-holders.ts';

const S = schema({ v: f64(), device: string() });
const IDLE_MS = 1000;

const place = (kind: string, vertex: number, main: number[], side: [string, number[]][] = []): OperatorPlace => ({
  id: `${kind}-${vertex}`,
  kind,
  vertex,
  position: 0,
  offset: 0,
  main,
  side: new Map(side),
});

/** Two sources with watermarks of their own feed one window; validation has a side output before them. */
const layout: JobLayout = {
  operators: [
    place('source', 0, [1]),
    place('process', 0, [2], [['errors', [3]]]),
    place('watermarks', 0, [6]),
    place('sink', 0, []),
    place('source', 1, [5]),
    place('watermarks', 1, [6]),
    place('window', 2, [7]),
    place('sink', 2, []),
  ],
  parallelism: [2, 1, 1],
};

/** One subtask that makes watermarks. */
class Maker {
  readonly harness: OperatorHarness;
  readonly subtask: number;
  #watermark = Number.NEGATIVE_INFINITY;

  constructor(subtask: number, idleTimeoutMs: number | null = IDLE_MS) {
    this.subtask = subtask;
    const strategy = boundedOutOfOrderness(0, { emit: 'on-event', idleTimeoutMs }).withOrigin<typeof S.fields>(
      'device',
    ) as unknown as WatermarkStrategy;
    this.harness = new OperatorHarness(new WatermarksOperator(strategy), { input: S, output: S, subtask });
  }

  row(split: number, time: number): this {
    const { harness } = this;
    const batch = harness.batch([{ v: 0, device: `device-${time}` }], { times: [time], split });
    batch.ingestedAt = harness.clock.nanos();
    harness.feed(batch);
    return this;
  }

  get report(): WatermarkReport {
    return this.harness.inspect({}) as WatermarkReport;
  }

  /** Largest watermark that came out; fails when one goes back. */
  get watermark(): number {
    for (const e of this.harness.emissions()) {
      if (e.kind !== 'watermark') continue;
      expect(e.watermark).toBeGreaterThan(this.#watermark);
      this.#watermark = e.watermark;
    }
    return this.#watermark;
  }
}

const holder = (first: readonly Maker[], second: readonly Maker[] = []): WatermarkHolder => {
  const reports = new Map([
    [2, first.map((m) => m.report)],
    [5, second.map((m) => m.report)],
  ]);
  const { list, of } = watermarkHolders(layout, reports);
  return list[of[6] as number] as WatermarkHolder;
};

describe('the holder of a watermark', () => {
  it('WH1 belongs to the operators that watermarks reach, one for all that the same ones reach', () => {
    const { of, list } = watermarkHolders(layout, new Map());
    expect(of).toEqual([null, null, 0, null, null, 1, 2, 2]);
    expect(new Set(list.map((h) => h.state))).toEqual(new Set(['none']));
    expect(watermarkMakers(layout)).toEqual([2, 5]);
  });

  it('WH2 is the split that is furthest behind, in whichever source, with when it last rose and last had rows', () => {
    const [a, b] = [new Maker(0), new Maker(1)];
    for (const [m, name] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      m.harness.splits.add(`${name}-0`);
      m.harness.splits.add(`${name}-1`);
      m.row(0, 500).row(1, 400);
    }
    a.harness.advance(10);
    b.harness.advance(10);
    a.row(1, 600);
    b.row(0, 900).row(1, 300);
    expect(holder([b, a])).toEqual({
      state: 'behind',
      operator: 0,
      subtask: 1,
      split: 'b-1',
      origin: 'device-400',
      since: 0,
      rowsAt: 10,
    });
    const c = new Maker(0);
    c.harness.splits.add('c-0');
    c.row(0, 5);
    expect(holder([a, b], [c])).toMatchObject({ operator: 4, subtask: 0, split: 'c-0' });
  });

  it('WH3 may have had no rows yet, or nothing to read', () => {
    const [a, b] = [new Maker(0), new Maker(1)];
    a.harness.splits.add('a-0');
    a.row(0, 5);
    expect(holder([a, b])).toMatchObject({ state: 'no-split', operator: 0, subtask: 1, split: null, since: 0 });
    b.harness.advance(70);
    b.harness.splits.add('b-0');
    expect(holder([a, b])).toMatchObject({ state: 'no-rows', subtask: 1, split: 'b-0', since: 70, rowsAt: null });
  });

  it('WH4 is nobody when all are idle or at their end; idle and finished ones are never named', () => {
    const [a, b] = [new Maker(0), new Maker(1)];
    a.harness.splits.add('a-0');
    b.harness.splits.add('b-0');
    b.harness.splits.add('b-1');
    a.row(0, 5);
    b.row(0, 50).row(1, 9);
    a.harness.advance(2000);
    expect(holder([a, b])).toMatchObject({ subtask: 1, split: 'b-1' });
    b.harness.splits.finish(1);
    expect(holder([a, b])).toMatchObject({ subtask: 1, split: 'b-0' });
    b.harness.advance(2000);
    expect(holder([a, b]).state).toBe('idle');
    b.row(0, 60);
    b.harness.watermark(Number.POSITIVE_INFINITY);
    expect(holder([a, b]).state).toBe('idle');
    a.harness.watermark(Number.POSITIVE_INFINITY);
    expect(holder([a, b]).state).toBe('finished');
  });

  it('WH5 in any interleaving nothing moves while the one that is named stands, and it moves with that one', () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('row' as const), at: fc.nat(5), time: fc.nat(100) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('add' as const), at: fc.nat(2), time: fc.nat(0) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('finish' as const), at: fc.nat(5), time: fc.nat(0) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), at: fc.nat(2), time: fc.nat(900) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const makers = [new Maker(0), new Maker(1), new Maker(2)];
        for (const m of makers) for (let split = 0; split < 2; split++) m.harness.splits.add();
        const active = (m: Maker): number[] => [...m.harness.splits.active];
        const least = (): number => Math.min(...makers.filter((m) => !m.report.idle).map((m) => m.watermark));
        for (const { do: what, at, time } of actions) {
          const m = makers[at % 3] as Maker;
          const split = active(m)[at % Math.max(1, active(m).length)];
          if (what === 'add') m.harness.splits.add();
          else if (what === 'wait') m.harness.advance(time);
          else if (split === undefined) continue;
          else if (what === 'row') m.row(split, time);
          else m.harness.splits.finish(split);
          expect(m.watermark).toBeGreaterThanOrEqual(Number.NEGATIVE_INFINITY);
        }
        // A finished split lets go at the next timer.
        for (const m of makers) m.harness.advance(200);
        const named = holder(makers);
        if (named.state === 'idle') {
          expect(makers.every((m) => m.report.idle)).toBe(true);
          return;
        }
        const before = least();
        const holds = (m: Maker, split: number): boolean => m.subtask === named.subtask && named.split === `${split}`;
        for (const m of makers) for (const split of active(m)) if (!holds(m, split)) m.row(split, 10_000);
        expect(least()).toBe(before);
        for (const m of makers) for (const split of active(m)) if (holds(m, split)) m.row(split, 10_000);
        // What is left are subtasks without splits, which stay where they are.
        const left = makers.filter((m) => active(m).length === 0 && !m.report.idle);
        expect(least()).toBe(Math.min(9999, ...left.map((m) => m.watermark)));
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});
