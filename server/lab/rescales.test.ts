import { describe, expect, it } from 'vitest';
import { UsageError, WeirError } from '#base/errors.ts';
import type { ParallelismWish } from '#shared/scaling.ts';
import { FakeRunningJob } from '#testing/fake-running-job.ts';
import { ManualTimers } from '#testing/manual-timers.ts';
import { Rescales } from './rescales.ts';

function lab() {
  const timers = new ManualTimers(1000);
  const { clock } = timers;
  const job = new FakeRunningJob(() => clock.now());
  const rescales = new Rescales({ job, taskManagers: { count: 2, slots: 1, most: 4 }, clock, timers });
  const told: string[] = [];
  rescales.onNews(({ text }) => told.push(text));
  const refusal = (wish: ParallelismWish): string => {
    try {
      rescales.start(wish);
      return 'started';
    } catch (error) {
      return error instanceof UsageError ? error.message : `not a usage error: ${error}`;
    }
  };
  /** As a job does it: a checkpoint, a gap, and it runs with other numbers. */
  const rescale = async (to: number, gapMs: number): Promise<void> => {
    let ready = (): void => {};
    job.rescaled = new Promise((resolve) => {
      ready = resolve;
    });
    rescales.start({ readings: to });
    timers.pass(40);
    job.become('RESTARTING');
    timers.pass(gapMs);
    job.become('RUNNING');
    job.tell({ type: 'rescaled', at: clock.now(), vertices: [], gapMs });
    ready();
    await job.rescaled;
    await Promise.resolve();
    await Promise.resolve();
  };
  /** Rows a second, for so long. */
  const read = (rate: number, ms: number): void => {
    for (let passed = 0; passed < ms; passed += 100) {
      job.read(rate / 10);
      timers.pass(100);
    }
  };
  return { rescales, job, timers, told, refusal, rescale, read };
}

describe('a change of parallelism', () => {
  it('tells what it has cost: checkpoint, gap, and the rate before and behind it', async () => {
    const { rescales, job, told, rescale, read } = lab();
    read(1000, 10_000);
    await rescale(2, 75);
    expect(job.wishes).toEqual([{ readings: 2 }]);
    expect(rescales.view.history).toMatchObject([{ phase: 'measuring', checkpointMs: 40, gapMs: 75, rateAfter: null }]);
    read(3000, 10_000);
    expect(rescales.view.history).toMatchObject([
      { phase: 'done', changes: [{ task: 'readings -> validate -> files', from: 1, to: 2 }], error: null },
    ]);
    const { rateBefore, rateAfter } = rescales.view.history[0] as { rateBefore: number; rateAfter: number };
    // Rows come every 100 ms, looks are not always between the same ones.
    expect([rateBefore, rateAfter].map((rate) => Math.round(rate / 100))).toEqual([10, 30]);
    expect(told).toEqual([
      'Rescale #1 began: readings -> validate -> files from 1 to 2.',
      'Rescale #1 is done: readings -> validate -> files from 1 to 2, gap 75 ms.',
    ]);
  });

  it('is estimated from the gaps there were, the middle of the last five', async () => {
    const { rescales, rescale, timers } = lab();
    expect(rescales.view.estimate).toMatchObject({ gapMs: null, gaps: 0 });
    for (const [i, gapMs] of [900, 50, 70, 60, 80, 40].entries()) {
      await rescale(i % 2 === 0 ? 2 : 1, gapMs);
      timers.pass(10_000);
    }
    expect(rescales.view.estimate).toMatchObject({ gapMs: 60, gaps: 5 });
  });

  it('that fails has changed nothing, and says why', async () => {
    const { rescales, job, told } = lab();
    job.rescaled = Promise.reject(new WeirError('CHECKPOINT_EXPIRED', 'Checkpoint 3 expired.'));
    rescales.start({ readings: 2 });
    await job.rescaled.catch(() => {});
    await Promise.resolve();
    expect(rescales.view).toMatchObject({
      tasks: [{ parallelism: 1 }],
      history: [{ phase: 'failed', error: 'Checkpoint 3 expired.' }],
      blocked: null,
    });
    expect(told.at(-1)).toBe('Rescale #1 failed: Checkpoint 3 expired.');
  });

  it('is refused where it cannot be, and says why', () => {
    const { rescales, job, refusal } = lab();
    expect(refusal({ readings: 1 })).toBe('The job has these numbers of subtasks already.');
    expect(refusal({ readings: 5 })).toBe(
      '5 subtasks need 5 slots, and 4 task managers with 1 each have no more than 4.',
    );
    expect(refusal({ nobody: 2 })).toMatch(/nobody/);
    expect(refusal({ readings: 2 })).toBe('started');
    expect(refusal({ readings: 3 })).toBe('Another change is under way: wait until it is done.');
    expect(rescales.view.history).toHaveLength(1);

    const other = lab();
    other.job.become('RESTARTING');
    expect(other.refusal({ readings: 2 })).toBe('The job is RESTARTING: it can be rescaled while it is RUNNING.');
    other.job.checkpoints = null;
    expect(other.rescales.view.blocked).toMatch(/^This job takes no checkpoints/);
    expect([job.wishes.length, other.job.wishes.length]).toEqual([1, 0]);
  });

  it('leaves no timer behind', () => {
    const { rescales, timers } = lab();
    rescales.close();
    expect(timers.pending).toBe(0);
  });
});
