import { expect, it } from 'vitest';
import type { SplitReport, WatermarkReport } from '#engine/operators/watermark-report.ts';
import { LIMITS } from '#shared/live.ts';
import { alignedSubtasks } from './aligned-subtasks.ts';

const split = (name: string, watermark: number, change: Partial<SplitReport> = {}): SplitReport => ({
  name,
  watermark,
  idle: false,
  since: 0,
  rowsAt: 0,
  origin: null,
  waits: false,
  ...change,
});
/** The watermark is that of its last timer: it may be behind what the splits allow. */
const report = (subtask: number, splits: SplitReport[], change: Partial<WatermarkReport> = {}): WatermarkReport => ({
  subtask,
  watermark: 0,
  idle: false,
  since: 0,
  splits,
  alignment: { group: 'g', maxDriftMs: 1000, waits: false },
  ...change,
});
const told = (...reports: WatermarkReport[]) => alignedSubtasks(reports.map((one) => ({ source: 4, report: one })));

it('WA10 subtasks are compared with the smallest other subtask, splits with the smallest other split as well', () => {
  const aligned = told(report(1, [split('c', 700)]), report(0, [split('a', 100, { waits: true }), split('b', 400)]));
  expect(aligned).toEqual([
    {
      group: 'g',
      operator: 4,
      subtask: 0,
      maxDriftMs: 1000,
      aheadMs: -600,
      state: 'reads',
      splits: [
        { name: 'a', aheadMs: -300, state: 'waits' },
        { name: 'b', aheadMs: 300, state: 'reads' },
      ],
      splitCount: 2,
      splitsWaiting: 1,
    },
    {
      group: 'g',
      operator: 4,
      subtask: 1,
      maxDriftMs: 1000,
      aheadMs: 600,
      state: 'reads',
      splits: [{ name: 'c', aheadMs: 600, state: 'reads' }],
      splitCount: 1,
      splitsWaiting: 0,
    },
  ]);
});

it('WA10 those that are idle, at their end or without watermark are compared with nobody, nor are other groups', () => {
  const alignment = { group: 'other', maxDriftMs: 0, waits: true };
  const aligned = told(
    report(0, [split('a', 500), split('new', Number.NEGATIVE_INFINITY), split('quiet', 1, { idle: true })]),
    report(1, [], { watermark: 10, idle: true }),
    report(2, [], { watermark: Number.POSITIVE_INFINITY }),
    report(3, [], { watermark: Number.NEGATIVE_INFINITY }),
    report(4, [split('b', 10)], { alignment }),
    report(5, [split('c', 20)], { alignment: null }),
  );
  expect(aligned.map(({ aheadMs, state }) => [aheadMs, state])).toEqual([
    [null, 'reads'],
    [null, 'idle'],
    [null, 'finished'],
    [null, 'reads'],
    [null, 'waits'],
  ]);
  expect(aligned[0]?.splits.map(({ aheadMs, state }) => [aheadMs, state])).toEqual([
    [null, 'reads'],
    [null, 'reads'],
    [null, 'idle'],
  ]);
});

it('WA10 of many splits those furthest ahead are told, in the order in which they are read', () => {
  const many = Array.from({ length: 20 }, (_, i) => split(`s${i}`, 100 * ((i * 7) % 20)));
  const [subtask] = told(report(0, many));
  expect(subtask?.splits.map(({ name }) => name)).toEqual(
    many.filter(({ watermark }) => watermark >= 100 * (20 - LIMITS.alignedSplits)).map(({ name }) => name),
  );
  expect(subtask).toMatchObject({ splitCount: 20, splitsWaiting: 0 });
});
