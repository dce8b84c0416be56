import { describe, expect, it } from 'vitest';
import { OperatorHarness } from '#testing/harness.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { FilterOperator } from './filter.ts';

const S = schema({ k: string(), v: f64() });

describe('filter', () => {
  it('PR9 keeps the rows for which the predicate holds, with their timestamps and watermarks, in order', () => {
    const h = new OperatorHarness(new FilterOperator((row) => (row.v as number) > 1), { input: S, output: S });
    h.rows(
      [1, 2, 0, 3].map((v) => ({ k: 'a', v })),
      { times: [10, 20, 30, null], watermarks: [1, 2, 3, 4], split: 5 },
    );
    h.watermark(9).idle(true);
    expect(h.take()).toEqual(['{"k":"a","v":2} @20 wm 2', '{"k":"a","v":3} @null wm 4', 'watermark 9', 'idle']);
    expect(h.consumers.get('main')?.split).toBe(5);
    expect([h.cells[OperatorCell.RECORDS_IN], h.cells[OperatorCell.RECORDS_OUT]]).toEqual([4, 2]);
  });

  it('PR9 emits nothing for a batch without a match, and the batch as it is when all match', () => {
    const h = new OperatorHarness(new FilterOperator((row) => (row.v as number) > 1), { input: S, output: S });
    h.rows([{ k: 'a', v: 0 }]);
    expect(h.take()).toEqual([]);
    h.rows([2, 3].map((v) => ({ k: 'b', v })));
    expect(h.take()).toEqual(['{"k":"b","v":2} @null', '{"k":"b","v":3} @null']);
    expect(h.consumers.get('main')?.batches).toBe(1);
  });

  it('PR9 narrows a selection that was there before', () => {
    const h = new OperatorHarness(new FilterOperator((row) => (row.v as number) !== 2), { input: S, output: S });
    const batch = h.batch([0, 1, 2, 3].map((v) => ({ k: 'a', v })));
    batch.selection = Int32Array.of(1, 2, 3);
    batch.selected = 3;
    h.feed(batch);
    expect(h.emissions().map((e) => e.kind === 'row' && e.row.v)).toEqual([1, 3]);
    expect([batch.selected, [...batch.selection]]).toEqual([3, [1, 2, 3]]);
  });
});
