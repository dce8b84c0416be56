import { describe, expect, it } from 'vitest';
import type { SavepointDetails, SavepointTask } from '#shared/savepoints.ts';
import { confirmation, fitWords, parallelismWords } from './savepoint-words.ts';

const fits = { kind: 'savepoint', fresh: [], dropped: [], obstacle: null } as unknown as SavepointDetails;

describe('a savepoint in words', () => {
  it('says what would become of its state', () => {
    expect(fitWords(fits)).toEqual(['Every operator of the job finds its state in it.']);
    expect(fitWords({ ...fits, fresh: ['late'], dropped: ['rules', 'alerts'] })).toEqual([
      'State of rules, alerts has no operator in the job any more.',
      'Not in it, so they begin empty: late.',
    ]);
    expect(fitWords({ ...fits, kind: 'drain' })[0]).toMatch(/All windows were fired/);
    expect(fitWords({ ...fits, dropped: ['rules'], obstacle: 'Other settings.' })).toEqual(['Other settings.']);
  });

  it('compares parallelism with what the job has', () => {
    const task = { parallelism: 2, parallelismNow: 2 } as SavepointTask;
    expect(parallelismWords(task)).toBe('2, as now');
    expect(parallelismWords({ ...task, parallelismNow: 4 })).toBe('2, now 4');
    expect(parallelismWords({ ...task, parallelismNow: null })).toBe('2, not in the job');
  });

  it('is removed by who types the end of its name', () => {
    expect(confirmation('savepoint-iot-00aa11bb22cc')).toBe('22cc');
  });
});
