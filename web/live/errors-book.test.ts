import { describe, expect, it } from 'vitest';
import { type ErrorRow, type ErrorsView, LIMITS } from '#shared/live.ts';
import { ErrorsBook, SPARK_SECONDS } from './errors-book.ts';

function row(id: number): ErrorRow {
  return {
    id,
    at: id,
    reason: 'malformed_json',
    field: null,
    payload: '{',
    payloadBytes: 1,
    source: 's',
    offset: id,
    injection: null,
  };
}

function view(perSecond: number, recent: ErrorRow[] = []): ErrorsView {
  return { counts: [{ reason: 'malformed_json', field: null, count: 7, perSecond }], recent, late: [] };
}

describe('errors book', () => {
  it('adds rows by id and never twice, newest first', () => {
    const book = new ErrorsBook();
    book.merge(view(0, [row(1), row(2)]), 1000);
    book.merge(view(0, [row(2), row(3)]), 1100);
    expect(book.shown().recent.map(({ id }) => id)).toEqual([3, 2, 1]);
  });

  it('keeps a bounded number of rows', () => {
    const book = new ErrorsBook();
    book.merge(
      view(
        0,
        Array.from({ length: 500 }, (_, i) => row(i)),
      ),
      1000,
    );
    expect(book.shown().recent).toHaveLength(LIMITS.recentErrors);
  });

  it('shows the most frequent reason first, and lets nearly equal ones keep their places', () => {
    const book = new ErrorsBook();
    const order = (...counts: [string, number][]): string => {
      const rows = counts.map(([reason, count]) => ({ reason, field: null, count, perSecond: 0 }));
      book.merge({ counts: rows, recent: [], late: [] }, 1000);
      return book
        .shown()
        .counts.map(({ key }) => key)
        .join();
    };
    expect(order(['a', 10], ['b', 20])).toBe('b,a');
    expect(order(['a', 24], ['b', 20])).toBe('b,a');
    expect(order(['a', 60], ['b', 20], ['c', 30])).toBe('a,c,b');
  });
  it('moves sparklines on by seconds and leaves gaps where it was not told', () => {
    const book = new ErrorsBook();
    book.merge(view(1), 1000);
    book.merge(view(2), 1400);
    book.merge(view(3), 4000);
    const spark = book.shown().counts[0]?.spark ?? new Float64Array();
    expect([...spark.slice(SPARK_SECONDS - 4)]).toEqual([2, Number.NaN, Number.NaN, 3]);
  });
});
