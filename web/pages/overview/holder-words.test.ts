import { describe, expect, it } from 'vitest';
import type { WatermarkHolder } from '#shared/live.ts';
import { sampleJob } from '../../live/sample-frames.ts';
import { formatTime } from '../../ui/format.ts';
import { holderOf, holdersByOperators, holderWords, jobHolder, standsStill } from './holder-words.ts';

const now = 100_000;
const job = sampleJob();
const behind: WatermarkHolder = {
  state: 'behind',
  operator: 0,
  subtask: 1,
  split: 'simulator-3',
  origin: 'd17',
  since: 80_000,
  rowsAt: 88_000,
};
const nobody = { operator: null, subtask: null, split: null, origin: null, since: null, rowsAt: null };
const words = (holder: WatermarkHolder): string => holderWords({ job, now }, holder);

describe('who holds the watermark back', () => {
  it('is named with source, subtask, split and device, and with what it lacks', () => {
    expect(words(behind)).toBe(
      `source, subtask 2, split simulator-3, device d17: no events for 12 s, since ${formatTime(88_000)}`,
    );
    expect(words({ ...behind, rowsAt: 99_500 })).toBe(
      `source, subtask 2, split simulator-3, device d17: its events have not moved event time for 20 s, since ${formatTime(80_000)}`,
    );
    expect(words({ ...behind, since: 99_000, rowsAt: 99_500 })).toBe(
      'source, subtask 2, split simulator-3, device d17: the slowest, and moving',
    );
    expect(words({ ...behind, state: 'no-rows', origin: null, rowsAt: null })).toBe(
      `source, subtask 2, split simulator-3: no events yet, for 20 s, since ${formatTime(80_000)}`,
    );
    expect(words({ ...behind, state: 'no-split', split: null, origin: null })).toBe(
      'source, subtask 2: it has nothing to read yet',
    );
  });
  it('hides nothing in the name of a device, and does not let it turn the words around', () => {
    const name = (origin: string): string => words({ ...behind, origin, since: now }).split(', device ')[1] ?? '';
    expect(name('a\u202eb')).toBe('a\\u202eb: the slowest, and moving');
    expect(name('جهاز')).toBe('\u2068جهاز\u2069: the slowest, and moving');
    expect(name('x'.repeat(256))).toBe(`\u2068${'x'.repeat(100)}…\u2069: the slowest, and moving`);
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
    const of = [null, null, 0, null, 1, 1, 1];
    const holders = { list: [{ state: 'idle', ...nobody } as const, behind], of, aligned: [] };
    expect(holderOf(holders, 0)).toBeNull();
    expect(holderOf(holders, 2)?.state).toBe('idle');
    expect(jobHolder(job, holders)).toBe(behind);
    expect(holdersByOperators(job, holders).map(({ operators }) => operators)).toEqual([
      ['watermarks'],
      ['windows', 'files', 'late log'],
    ]);
    expect(jobHolder(job, null)).toBeNull();
  });
});
