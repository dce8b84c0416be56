import { describe, expect, it } from 'vitest';
import type { CompletedCheckpoint } from '#runtime/checkpoint/checkpoint-metadata.ts';
import { checkFlags, Upgrading } from './upgrading.ts';

const WISH = { flags: ['--parallelism', '4'], withinMs: 1000 };

function serving(job: { state: 'RUNNING' | 'FINISHED'; savepoint: Promise<unknown> } | null, supervised = true) {
  const upgrading = new Upgrading();
  const handed: unknown[] = [];
  upgrading.serves({
    supervised,
    job: job && { state: job.state, stopWithSavepoint: () => job.savepoint as Promise<CompletedCheckpoint> },
    handOver: (savepoint, wish) => handed.push([savepoint, wish]),
  });
  return { upgrading, handed };
}

describe('an upgrade', () => {
  it('hands the job over behind its savepoint', async () => {
    const { upgrading, handed } = serving({ state: 'RUNNING', savepoint: Promise.resolve({ path: '/kept' }) });
    upgrading.begin(WISH);
    expect(upgrading.view.phase).toBe('saving');
    expect(() => upgrading.begin(WISH)).toThrow('An upgrade is under way.');
    await expect.poll(() => handed).toEqual([['/kept', WISH]]);
    expect(upgrading.view).toEqual({ phase: 'starting', savepoint: '/kept', flags: WISH.flags, reason: null });
  });

  it('changes nothing where there is no savepoint', async () => {
    const { upgrading, handed } = serving({ state: 'RUNNING', savepoint: Promise.reject(new Error('disk full')) });
    upgrading.begin(WISH);
    await expect.poll(() => upgrading.view.phase).toBe('failed');
    expect([upgrading.view.reason, handed]).toEqual(['No savepoint could be taken: disk full', []]);
  });

  it('needs a supervisor, and a job that runs', () => {
    const savepoint = Promise.resolve({ path: '/kept' });
    expect(() => serving({ state: 'RUNNING', savepoint }, false).upgrading.begin(WISH)).toThrow('Nobody looks after');
    expect(() => serving({ state: 'FINISHED', savepoint }).upgrading.begin(WISH)).toThrow('this one is FINISHED');
    expect(() => serving(null).upgrading.begin(WISH)).toThrow('this one is not there');
  });

  it('changes how the job runs, never what it reads, where it writes or who may ask', () => {
    checkFlags(['--parallelism', '4', '--checkpoint-interval=1s', '--checkpoint-unaligned']);
    for (const flag of ['--input', '--output=/etc', '--host', '--token-file', '--checkpoint-dir', '-x', '--resume'])
      expect(() => checkFlags(['--parallelism', '4', flag])).toThrow(`${flag.split('=')[0]} cannot change`);
  });
});
