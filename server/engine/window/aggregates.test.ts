import { describe, expect, it } from 'vitest';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, i32, nullable, schema, string, timestamp } from '../batch/schema.ts';
import { avg, count, makeAccumulate, max, min, planAggregates, sum } from './aggregates.ts';
import { TumblingEventTimeWindows } from './assigners.ts';

const S = schema({ k: string(), v: f64(), n: nullable(f64()), i: i32(), t: nullable(timestamp()) });
const row = (v: number, n: number | null, i = 0, t: number | null = null) => ({ k: 'a', v, n, i, t });

/** The results of one window over all rows. */
function result(h: OperatorHarness, rows: readonly ReturnType<typeof row>[]): unknown {
  h.rows(rows, { times: rows.map(() => 0) });
  h.watermark(Number.POSITIVE_INFINITY);
  const [first] = h.emissions();
  if (first?.kind !== 'row') throw new Error('no result');
  const { k, window_start, window_end, ...values } = first.row;
  return values;
}

describe('declared aggregates', () => {
  it('AG1 count, sum, minimum, maximum and average', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ n: count(), s: sum('v'), lo: min('v'), hi: max('v'), mean: avg('v'), is: sum('i'), il: min('i') }),
    );
    expect(result(h, [row(1.5, null, 3), row(-2, null, -7), row(8, null, 1)])).toEqual({
      n: 3,
      s: 7.5,
      lo: -2,
      hi: 8,
      mean: 2.5,
      is: -3,
      il: -7,
    });
  });

  it('AG2 nulls do not count', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ rows: count(), s: sum('n'), lo: min('n'), hi: max('n'), mean: avg('n'), t: max('t') }),
    );
    expect(result(h, [row(0, 4), row(0, null), row(0, 1, 0, 99)])).toEqual({
      rows: 3,
      s: 5,
      lo: 1,
      hi: 4,
      mean: 2.5,
      t: 99,
    });
  });

  it('AG3 a window of nulls only has no sum, minimum, maximum or average', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ rows: count(), s: sum('n'), lo: min('n'), hi: max('n'), mean: avg('n') }),
    );
    expect(result(h, [row(0, null), row(1, null)])).toEqual({ rows: 2, s: null, lo: null, hi: null, mean: null });
  });

  it('AG4 an average is the plain sum in order of arrival divided by the count', () => {
    const values = [0.1, 0.2, 0.3, 1e16, 1, -1e16];
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ mean: avg('v') }),
    );
    expect(
      result(
        h,
        values.map((v) => row(v, null)),
      ),
    ).toEqual({ mean: values.reduce((a, b) => a + b, 0) / values.length });
  });

  it('AG5 averages and counts share their cells', () => {
    const plan = planAggregates(S, { a: avg('v'), n: count(), s: sum('v'), b: avg('n') }, 'w');
    expect(plan.cells.map((c) => `${c.op} ${c.column}`)).toEqual(['count -1', 'sum 1', 'count 2', 'sum 2']);
  });

  it('AG6 an unknown field or one that holds no numbers is an error when the job is built', () => {
    expect(() => planAggregates(S, { x: avg('nope') }, 'Window')).toThrow(
      'Window, aggregate "x": unknown field "nope"; the stream has k, v, n, i, t.',
    );
    expect(() => planAggregates(S, { x: min('k') }, 'Window')).toThrow(
      'Window: min("k") needs numbers, but "k" is string.',
    );
  });

  it('AG7 rows that count nowhere go to slot 0 and change nobody’s result', () => {
    const plan = planAggregates(S, { n: count(), s: sum('v') }, 'w');
    const accumulate = makeAccumulate(plan);
    const acc = new Float64Array(3 * plan.width);
    const columns = [new Int32Array(4), Float64Array.of(1, 2, 4, 8), null, null, null];
    accumulate(acc, Int32Array.of(2, 0, 1, 2), columns, null, 0, 4);
    expect([...acc]).toEqual([1, 2, 1, 4, 2, 9]);
    // `slots[i]` belongs to the i-th row that counts.
    accumulate(acc, Int32Array.of(0, 1, 0), columns, Int32Array.of(0, 3), 1, 2);
    expect([...acc]).toEqual([1, 2, 2, 12, 2, 9]);
  });
});
