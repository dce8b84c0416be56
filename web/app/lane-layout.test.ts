import { describe, expect, it } from 'vitest';
import type { Mark } from '../charts/marks.ts';
import { layLane } from './lane-layout.ts';

const band = (id: number, from: number, to: number | null): Mark => ({
  type: 'band',
  of: 'injection',
  id,
  from,
  to,
  label: 'x',
  text: 'x',
});
const line = (id: number, at: number): Mark => ({ type: 'line', id, at, kind: 'job-state', label: 'x', text: 'x' });

describe('event lane', () => {
  it('puts bands in percent, an open one to the right edge', () => {
    expect(layLane([band(1, 250, 500), band(2, 750, null)], 0, 1000)).toMatchObject([
      { left: 25, width: 25, row: 0 },
      { left: 75, width: 25, row: 0 },
    ]);
  });
  it('stacks bands that run at the same time', () => {
    expect(layLane([band(1, 0, 500), band(2, 100, 400), band(3, 600, 700)], 0, 1000).map(({ row }) => row)).toEqual([
      0, 1, 0,
    ]);
  });
  it('writes labels on the left where there is no room on the right, but never over another label', () => {
    const items = layLane([line(1, 100), line(2, 990)], 0, 1000);
    expect(items.map(({ flipped }) => flipped)).toEqual([false, true]);
    expect(layLane([line(1, 840), line(2, 930)], 0, 1000)).toMatchObject([{ flipped: false, others: 1 }]);
  });
  it('keeps everything inside the lane', () => {
    for (const { left, width, flipped } of layLane([band(1, 1000, null), line(2, 1000)], 0, 1000)) {
      expect(flipped ? left : left + width).toBeLessThanOrEqual(100);
    }
  });
  it('keeps bands clear of the labels of lines', () => {
    const items = layLane([band(1, 480, 900), line(2, 500)], 0, 1000);
    expect(items.map(({ mark, row }) => [mark.type, row])).toEqual([
      ['line', 0],
      ['band', 1],
    ]);
  });
  it('counts what finds no row, and loses nothing', () => {
    const bands = Array.from({ length: 9 }, (_, i) => band(i, 500, 510));
    const items = layLane(bands, 0, 1000);
    expect(items.map(({ row }) => row)).toEqual([0, 1, 2]);
    expect(items.reduce((sum, { others }) => sum + 1 + others, 0)).toBe(9);
  });
  it('joins lines that would cover each other', () => {
    const items = layLane([line(1, 100), line(2, 110), line(3, 500)], 0, 1000);
    expect(items.map(({ others }) => others)).toEqual([1, 0]);
  });
});
