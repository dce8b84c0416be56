import { describe, expect, it } from 'vitest';
import type { AlignedSubtask } from '#shared/live.ts';
import { sampleJob } from '../../live/sample-frames.ts';
import { alignmentNote, alignmentRows } from './alignment-words.ts';

const subtask = (change: Partial<AlignedSubtask> = {}): AlignedSubtask => ({
  group: 'readings',
  operator: 0,
  subtask: 0,
  maxDriftMs: 10_000,
  aheadMs: 4000,
  state: 'reads',
  splits: [{ name: 'simulator-0', aheadMs: 4000, state: 'reads' }],
  splitCount: 1,
  splitsWaiting: 0,
  ...change,
});
const lines = (...aligned: AlignedSubtask[]): (string | number | null)[][] =>
  alignmentRows(sampleJob(), aligned).map(({ subtask: name, split, ahead, share, state }) => [
    name,
    split,
    ahead,
    share,
    state,
  ]);

describe('how sources stand that keep near each other', () => {
  it('is one line for a subtask with one split', () => {
    expect(lines(subtask(), subtask({ subtask: 1, aheadMs: 12_500, state: 'waits' }))).toEqual([
      ['source #1', 'simulator-0', '4.0 s ahead', 0.4, 'reading'],
      ['source #2', 'simulator-0', '12.5 s ahead', 1, 'waiting for the others'],
    ]);
    expect(lines(subtask({ aheadMs: -300 }))).toEqual([['source #1', 'simulator-0', '300 ms behind', 0, 'reading']]);
    const none = { splits: [], splitCount: 0, aheadMs: null };
    expect(lines(subtask({ ...none, state: 'finished' }))).toEqual([['source #1', '–', '–', null, 'finished']]);
  });
  it('has a line for each split of several, and says how many are left out', () => {
    const splits = [
      { name: 'a', aheadMs: 11_000, state: 'waits' as const },
      { name: 'b', aheadMs: null, state: 'idle' as const },
    ];
    expect(lines(subtask({ splits, splitCount: 5, splitsWaiting: 1 }))).toEqual([
      ['source #1', '5 splits', '4.0 s ahead', 0.4, '1 of 5 wait'],
      [null, 'a', '11.0 s ahead', 1, 'waiting for the others'],
      [null, 'b', '–', null, 'idle'],
      [null, 'and 3 further behind', '', null, ''],
    ]);
  });
  it('uses up a drift of 0 as soon as it is ahead', () => {
    expect(lines(subtask({ maxDriftMs: 0, aheadMs: 0 }))[0]?.slice(2, 4)).toEqual(['level', 0]);
    expect(lines(subtask({ maxDriftMs: 0, aheadMs: 1 }))[0]?.slice(2, 4)).toEqual(['1 ms ahead', 1]);
  });
  it('says what is allowed', () => {
    expect(alignmentNote([subtask()])).toBe('a source may be 10 s ahead of the slowest, then it waits');
  });
});
