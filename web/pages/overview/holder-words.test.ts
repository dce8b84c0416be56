import { describe, expect, it } from 'vitest';
import type { WatermarkHolder } from '#shared/live.ts';
import { sampleJob } from '../../live/sample-frames.ts';
import { holderOf, holderWords, jobHolder, standsStill } from './holder-words.ts';

const now = 100_000;
const job = sampleJob();
const behind: WatermarkHolder = {
  state: 'behind',
  operator: 0,
  subtask: 1,
  split: 'simulator-3',
  since: 80_000,
  rowsAt: 88_000,
};
const nobody = { operator: null, subtask: null, split: null, since: null, rowsAt: null };
const words = (holder: WatermarkHolder): string => holderWords({ job, now }, holder);

describe('who holds the watermark back', () => {
  it('is named with source, subtask and split, and with what it lacks', () => {
    expect(words(behind)).toBe('source, subtask 2, split simulator-3: no events for 12 s');
    expect(words({ ...behind, rowsAt: 99_500 })).toBe(
      'source, subtask 2, split simulator-3: its events have not moved event time for 20 s',
    );
    expect(words({ ...behind, since: 99_000, rowsAt: 99_500 })).toBe(
      'source, subtask 2, split simulator-3: the slowest, and moving',
    );
    expect(words({ ...behind, state: 'no-rows', rowsAt: null })).toBe(
      'source, subtask 2, split simulator-3: no events yet, for 20 s',
    );
    expect(words({ ...behind, state: 'no-split', split: null })).toBe('source, subtask 2: it has nothing to read yet');
  });
  it('may be nobody', () => {
    expect(words({ state: 'idle', ...nobody })).toBe('nothing: all splits are idle');
    expect(words({ state: 'finished', ...nobody })).toBe('nothing: the input has ended');
    expect(words({ state: 'none', ...nobody })).toBe('nobody has told yet');
  });
  it('stands still only if it has for a while', () => {
    expect(standsStill(behind, now)).toBe(true);
    expect(standsStill({ ...behind, since: 99_000 }, now)).toBe(false);
    expect(standsStill({ state: 'idle', ...nobody }, now)).toBe(false);
  });
  it('is looked up per operator, and for the whole job by its windows', () => {
    const holders = { list: [{ state: 'idle', ...nobody } as const, behind], of: [null, null, 0, null, 1, 1, 1] };
    expect(holderOf(holders, 0)).toBeNull();
    expect(holderOf(holders, 2)?.state).toBe('idle');
    expect(jobHolder(job, holders)).toBe(behind);
    expect(jobHolder(job, null)).toBeNull();
  });
});
