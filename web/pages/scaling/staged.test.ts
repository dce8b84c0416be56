import { describe, expect, it } from 'vitest';
import type { Rescale, ScalingView } from '#shared/scaling.ts';
import { checkStaged, costWords, rateChange, wishOf } from './staged.ts';

const task = (id: string, parallelism: number) => ({
  id,
  name: id,
  operators: [id, 'sink'],
  parallelism,
  maxParallelism: 8,
});
const none = { checkpointMs: null, stateBytes: null, gapMs: null, gaps: 0 };
const view: ScalingView = {
  version: 1,
  tasks: [task('readings', 2), task('windows', 2)],
  taskManagers: 2,
  slots: 1,
  mostSubtasks: 6,
  estimate: none,
  history: [],
  blocked: null,
};

describe('staged changes', () => {
  it('are those that differ, sent together by the first operator of each task', () => {
    const { changes, wrong } = checkStaged({ readings: '3', windows: '2' }, view);
    expect(wrong).toEqual({});
    expect(changes.map(({ task: { id }, to }) => [id, to])).toEqual([['readings', 3]]);
    expect(wishOf(changes)).toEqual({ readings: 3 });
  });

  it('are refused by name: what is no number, beyond the max parallelism, or beyond all slots', () => {
    expect(checkStaged({ readings: '9', windows: '7' }, view).wrong).toEqual({
      readings: 'Its max parallelism is 8.',
      windows: 'There are no more than 6 slots.',
    });
    for (const text of ['', '0', '1.5', 'x'])
      expect(checkStaged({ windows: text }, view)).toEqual({
        changes: [],
        wrong: { windows: 'A whole number from 1 to 8.' },
      });
  });

  it('cost what was seen, and say so where nothing was seen yet', () => {
    expect(costWords(none)).toContain('has not been measured here yet');
    const words = costWords({ checkpointMs: 120, stateBytes: 2048, gapMs: 640, gaps: 3 });
    expect(words).toMatch(/the last one took 120.ms and holds 2(\.0+)?.KiB/);
    expect(words).toMatch(/about 640.ms \(estimate: the middle of the last 3 changes\)/);
  });

  it('show what they brought', () => {
    const rescale = { rateBefore: 200, rateAfter: 300 } as Rescale;
    expect(rateChange(rescale)).toBe('+50 %');
    expect(rateChange({ ...rescale, rateAfter: 100 })).toBe('−50 %');
    expect(rateChange({ ...rescale, rateAfter: null })).toBe('');
  });
});
