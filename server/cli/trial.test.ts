import { describe, expect, it } from 'vitest';
import type { SupervisedNews } from './supervised.ts';
import { Trial } from './trial.ts';

const options = { before: { main: '/before', flags: [] }, savepoint: '/savepoint', flags: [], withinMs: 5000 };

/** `proven`, why it has failed, or `open`. */
function outcome(news: readonly SupervisedNews[], end: (trial: Trial) => void = () => {}): string {
  const trial = new Trial(options);
  for (const one of news) trial.hear(one);
  end(trial);
  return trial.proven ? 'proven' : (trial.failure ?? 'open');
}

const listening: SupervisedNews = { type: 'listening', port: 1 };
const running: SupervisedNews = { type: 'running' };
const checkpoint = (rows: number): SupervisedNews => ({ type: 'checkpoint', rows });
const ended = (failure: string | null): SupervisedNews => ({ type: 'ended', failure });

describe('a new version on trial', () => {
  it('is proven by a checkpoint with rows it has read, or by the end of its input; by nothing less', () => {
    expect(outcome([listening, running])).toBe('open');
    expect(outcome([listening, running, checkpoint(0)])).toBe('open');
    expect(outcome([listening, running, checkpoint(0), checkpoint(1)])).toBe('proven');
    expect(outcome([listening, running, ended(null)])).toBe('proven');
    expect(outcome([listening, ended(null)])).toBe('open');
  });

  it('has failed with its job, with its process, or by getting nowhere, and it is said why', () => {
    expect(outcome([running, ended('no memory')])).toBe('its job failed: no memory');
    const exits = (said: string) => (trial: Trial) => trial.ended('ended with code 2', said);
    expect(outcome([], exits('weir: a\nweir: no such flag\n'))).toBe('it ended with code 2: no such flag');
    expect(outcome([running], exits(''))).toBe('it ended with code 2');
    expect(outcome([], (trial) => trial.expire())).toBe('its job did not run within 5 s');
    expect(outcome([running, checkpoint(0)], (trial) => trial.expire())).toBe(
      'it completed no checkpoint with rows it had read within 5 s',
    );
  });

  it('stays decided', () => {
    expect(outcome([running, checkpoint(5), ended('later')], (trial) => trial.expire())).toBe('proven');
    expect(outcome([running, ended('first'), checkpoint(5)], (trial) => trial.ended('was killed', ''))).toBe(
      'its job failed: first',
    );
  });
});
