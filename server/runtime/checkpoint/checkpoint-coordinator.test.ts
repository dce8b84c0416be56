import { describe, expect, it } from 'vitest';
import { CoordinatorHarness, outcome, PAIR, settled } from './coordinator-harness.ts';

/** Started, asked by hand only. */
function manual(settings: ConstructorParameters<typeof CoordinatorHarness>[0] = {}): CoordinatorHarness {
  const harness = new CoordinatorHarness(settings);
  harness.coordinator.start();
  return harness;
}

/** A promise and its levers. */
function held<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('checkpoints by themselves', () => {
  it('CK2 the first comes by chance between pause and interval, the others every interval', async () => {
    const firsts = new Set<number>();
    for (let start = 0; start < 40; start++) {
      const harness = new CoordinatorHarness({ intervalMs: 13, minPauseMs: 10 });
      for (let i = 0; i <= start; i++) {
        harness.coordinator.start();
        if (i < start) await harness.coordinator.stop('JOB_FAILURE');
      }
      firsts.add(harness.coordinator.nextWake);
    }
    expect([...firsts].sort()).toEqual([10, 11, 12, 13]);

    const harness = new CoordinatorHarness({ intervalMs: 100 });
    harness.coordinator.start();
    const first = harness.coordinator.nextWake;
    await harness.until(first - 1);
    expect(harness.log).toEqual([]);
    await harness.until(first);
    expect(harness.log).toEqual(['trigger 1']);
    await harness.ackAll(1);
    expect(harness.log).toEqual(['write 1', 'notify 1']);
    await harness.until(first + 99);
    expect(harness.log).toEqual([]);
    await harness.until(first + 100);
    expect(harness.log).toEqual(['trigger 2']);
  });

  it('CK2 intervals that nobody woke for are left out', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100 });
    harness.coordinator.start();
    const first = harness.coordinator.nextWake;
    harness.clock.set(first + 550);
    harness.coordinator.tick();
    expect([harness.log, harness.coordinator.nextWake]).toEqual([['trigger 1'], first + 600]);
  });

  it('CK2 setting the clock of the machine moves nothing', () => {
    const harness = new CoordinatorHarness({ intervalMs: 100, timeoutMs: 1000 });
    harness.coordinator.start();
    const wait = harness.coordinator.nextWake;
    let shift = 0;
    const now = harness.clock.now.bind(harness.clock);
    harness.clock.now = () => now() + shift;
    shift = -3_600_000;
    expect(harness.coordinator.nextWake - harness.clock.now()).toBe(wait);
    harness.clock.set(wait);
    harness.coordinator.tick();
    expect(harness.log).toEqual(['trigger 1']);
    shift = 3_600_000;
    harness.coordinator.tick();
    expect(harness.log).toEqual([]);
  });

  it('CK2 without an interval they come when somebody asks', async () => {
    const harness = manual();
    expect(harness.coordinator.nextWake).toBe(Number.POSITIVE_INFINITY);
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(1);
    expect(await asked).toBe('chk-1');
    expect(harness.log).toEqual(['trigger 1', 'write 1', 'notify 1']);
  });

  it('CK6 the pause counts from the completion of the last one, and only for those that come by themselves', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100, minPauseMs: 80 });
    harness.coordinator.start();
    const first = harness.coordinator.nextWake;
    await harness.until(first + 70);
    await harness.ackAll(1);
    expect(harness.log).toEqual(['trigger 1', 'write 1', 'notify 1']);
    await harness.until(first + 149);
    expect(harness.log).toEqual([]);
    await harness.until(first + 150);
    expect(harness.log).toEqual(['trigger 2']);
    await harness.ackAll(2);
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(3);
    expect(await asked).toBe('chk-3');
  });

  it('CK6 a pause longer than the interval is the interval', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100, minPauseMs: 300 });
    harness.coordinator.start();
    await harness.until(300);
    expect(harness.log).toEqual(['trigger 1']);
    await harness.ackAll(1);
    await harness.until(599);
    expect(harness.log).toEqual(['write 1', 'notify 1']);
    await harness.until(600);
    expect(harness.log).toEqual(['trigger 2']);
  });

  it('CK5 while one takes long, one more waits, not all that were due', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100 });
    harness.coordinator.start();
    const first = harness.coordinator.nextWake;
    await harness.until(first + 450);
    expect(harness.log).toEqual(['trigger 1']);
    await harness.ackAll(1);
    expect(harness.log).toEqual(['write 1', 'notify 1', 'trigger 2']);
    await harness.ackAll(2);
    expect(harness.log).toEqual(['write 2', 'notify 2']);
    await harness.until(first + 500);
    expect(harness.log).toEqual(['trigger 3']);
  });
});

describe('from the trigger to the end', () => {
  it('CK3 numbers rise by one, savepoints counted along, and go on after a restart', async () => {
    const harness = manual();
    const asked = [harness.coordinator.triggerCheckpoint(), harness.coordinator.triggerSavepoint('savepoint')].map(
      outcome,
    );
    await harness.coordinator.stop('JOB_FAILURE');
    harness.coordinator.start();
    asked.push(outcome(harness.coordinator.triggerCheckpoint()));
    await harness.ackAll(3);
    expect(harness.log.filter((line) => line.startsWith('trigger'))).toEqual([
      'trigger 1',
      'trigger 2 savepoint',
      'trigger 3',
    ]);
    expect((await Promise.all(asked)).at(-1)).toBe('chk-3');
    expect(harness.coordinator.nextId).toBe(4);
  });

  it('CK4 it is written when the last subtask has acknowledged, with what each said, and tasks are told behind that', async () => {
    const harness = manual();
    const write = held<{ path: string }>();
    harness.write = () => write.promise;
    const asked = outcome(harness.coordinator.triggerSavepoint('savepoint', '/to'));
    harness.ack(1, 1, { bytes: 7 });
    await settled();
    expect(harness.log).toEqual(['trigger 1 savepoint']);
    harness.ack(1, 0, {}, true);
    await settled();
    expect(harness.log).toEqual(['write 1']);
    const [written] = harness.written;
    expect([written?.barrier, written?.target, written?.scheduled]).toEqual([
      { checkpoint: 1, triggeredAt: 0, kind: 'savepoint' },
      '/to',
      false,
    ]);
    expect(written?.acks.map((ack) => [ack.state, ack.figures.bytes, ack.ended])).toEqual([
      ['s1.0', 0, true],
      ['s1.1', 7, false],
    ]);
    expect(harness.coordinator.pending).toBe(1);
    write.resolve({ path: 'there' });
    expect([await asked, harness.coordinator.pending]).toEqual(['there', 0]);
  });

  it('CK4 a newer one that is complete subsumes older ones; tasks are told of that first', async () => {
    const harness = manual({ maxConcurrent: 3 });
    const asked = [1, 2, 3].map(() => outcome(harness.coordinator.triggerCheckpoint()));
    harness.ack(1, 0);
    await harness.ackAll(2);
    expect(harness.log).toEqual([
      'trigger 1',
      'trigger 2',
      'trigger 3',
      'write 2',
      'discard s1.0',
      'abort 1 CHECKPOINT_SUBSUMED',
      'notify 2',
    ]);
    await harness.ackAll(3);
    expect(await Promise.all(asked)).toEqual([
      'Checkpoint 1: Checkpoint has been subsumed. Checkpoint 2 is complete.',
      'chk-2',
      'chk-3',
    ]);
  });

  it('CK4 one is written at a time, so that an older one cannot be complete behind a newer one', async () => {
    const harness = manual({ maxConcurrent: 2 });
    const write = held<{ path: string }>();
    harness.write = () => write.promise;
    const asked = [1, 2].map(() => outcome(harness.coordinator.triggerCheckpoint()));
    await harness.ackAll(2);
    await harness.ackAll(1);
    expect(harness.log).toEqual(['trigger 1', 'trigger 2', 'write 2']);
    write.resolve({ path: 'chk-2' });
    await settled();
    expect(harness.log).toEqual(['discard s1.0 s1.1', 'abort 1 CHECKPOINT_SUBSUMED', 'notify 2']);
    expect((await Promise.all(asked))[1]).toBe('chk-2');
  });

  it('CK7 while a subtask does not run nothing is triggered, which does not count', async () => {
    const harness = manual();
    harness.absent = PAIR[1] as (typeof PAIR)[number];
    expect(await outcome(harness.coordinator.triggerCheckpoint())).toBe(
      'Checkpoint: Not all required tasks are currently running. task 0 2/2 is not.',
    );
    expect([harness.log, harness.coordinator.nextId, harness.coordinator.statistics().failureStreak]).toEqual([
      [],
      1,
      0,
    ]);
    expect(harness.coordinator.statistics().counts).toMatchObject({ triggered: 1, failed: 1, inProgress: 0 });
  });

  it('CK8 CK15 one that is not acknowledged in time is aborted, and says who was missing', async () => {
    const harness = manual({ timeoutMs: 500, tolerableFailures: 1 });
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    harness.ack(1, 0);
    expect(harness.coordinator.nextWake).toBe(500);
    await harness.until(499);
    expect(harness.log).toEqual(['trigger 1']);
    await harness.until(500);
    expect(harness.log).toEqual(['discard s1.0', 'abort 1 CHECKPOINT_EXPIRED']);
    expect(await asked).toBe(
      'Checkpoint 1: Checkpoint expired before completing. After 500ms 1 of 2 subtasks had acknowledged it; missing: task 0 2/2.',
    );
  });

  it('CK8 what comes late is discarded, or from nobody; what comes again is not', async () => {
    const harness = manual({ timeoutMs: 500, tolerableFailures: 1 });
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    harness.ack(1, 0);
    harness.ack(1, 0);
    harness.ack(1, 5);
    expect(harness.log).toEqual(['trigger 1', 'discard s1.5']);
    await harness.until(500);
    await asked;
    expect(harness.log).toEqual(['discard s1.0', 'abort 1 CHECKPOINT_EXPIRED']);
    harness.ack(1, 1);
    harness.decline(1, 'CHECKPOINT_DECLINED');
    expect(harness.log).toEqual(['discard s1.1']);
    expect(harness.coordinator.statistics().failureStreak).toBe(1);
  });

  it('CK8 what is being written does not expire', async () => {
    const harness = manual({ timeoutMs: 500 });
    const write = held<{ path: string }>();
    harness.write = () => write.promise;
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(1);
    await harness.until(9999);
    write.resolve({ path: 'late but there' });
    expect(await asked).toBe('late but there');
    expect(harness.log).toEqual(['trigger 1', 'write 1', 'notify 1']);
  });

  it('CK4 whoever asks for another while barriers go out gets it behind them', async () => {
    const harness = manual({ maxConcurrent: 2 });
    const asked = [Promise.resolve('')];
    harness.onTrigger = (id) => {
      if (id === 1) asked.push(outcome(harness.coordinator.triggerSavepoint('savepoint')));
    };
    asked.push(outcome(harness.coordinator.triggerCheckpoint()));
    expect(harness.log).toEqual(['trigger 1', 'trigger 2 savepoint']);
    await harness.ackAll(2);
    await harness.ackAll(1);
    expect(await Promise.all(asked)).toEqual(['', 'chk-2', 'chk-1']);
  });

  it('CK9 a refusal of what everybody has acknowledged is ignored', async () => {
    const harness = manual();
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    harness.ack(1, 0);
    harness.ack(1, 1);
    harness.decline(1, 'CHECKPOINT_DECLINED');
    expect(await asked).toBe('chk-1');
  });

  it('CK9 CK15 a subtask declines: aborted for the reason it gave', async () => {
    const harness = manual();
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    harness.ack(1, 0);
    harness.decline(1, 'CHECKPOINT_DECLINED_TASK_NOT_READY', 'still restoring');
    expect(harness.log).toEqual(['trigger 1', 'discard s1.0', 'abort 1 CHECKPOINT_DECLINED_TASK_NOT_READY']);
    expect(await asked).toBe('Checkpoint 1: Checkpoint was declined (tasks not ready). task 0 2/2: still restoring');
    expect(harness.coordinator.statistics().latest.failed?.failure).toEqual({
      reason: 'CHECKPOINT_DECLINED_TASK_NOT_READY',
      text: 'Checkpoint 1: Checkpoint was declined (tasks not ready). task 0 2/2: still restoring',
      subtask: { vertex: 0, index: 1 },
    });
  });

  it('CK10 sources that cannot be told, and a checkpoint that cannot be written, count', async () => {
    const harness = manual({ tolerableFailures: 1 });
    harness.onTrigger = () => {
      throw new Error('no such thread');
    };
    expect(await outcome(harness.coordinator.triggerCheckpoint())).toBe(
      'Checkpoint 1: The checkpoint could not be triggered. no such thread',
    );
    expect(harness.log).toEqual(['abort 1 IO_EXCEPTION']);
    harness.onTrigger = () => {};
    harness.write = () => Promise.reject(new Error('disk full'));
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(2);
    expect(await asked).toBe('Checkpoint 2: Failure to finalize checkpoint. disk full');
    expect(harness.log).toEqual([
      'trigger 2',
      'write 2',
      'discard s2.0 s2.1',
      'abort 2 FINALIZE_CHECKPOINT_FAILURE',
      'fail: Exceeded checkpoint tolerable failure threshold. The last one (tolerableFailures is 1): Checkpoint 2: Failure to finalize checkpoint. disk full',
    ]);
  });

  it('CK10 S4 the first failure, or the third in a row, fails the job; expired and declined are one', async () => {
    for (const [tolerable, until] of [
      [0, 1],
      [2, 3],
    ] as const) {
      const harness = manual({ tolerableFailures: tolerable, timeoutMs: 100 });
      for (let id = 1; id <= until; id++) {
        expect(harness.log.filter((line) => line.startsWith('fail'))).toEqual([]);
        const asked = outcome(harness.coordinator.triggerCheckpoint());
        await harness.until(harness.clock.now() + 100);
        harness.decline(id, 'CHECKPOINT_DECLINED');
        await asked;
      }
      expect(harness.log.filter((line) => line.startsWith('fail'))).toHaveLength(1);
    }
  });

  it('CK10 S4 a success in between counts from the beginning again, and so does a job that has failed', async () => {
    const harness = manual({ tolerableFailures: 1 });
    const fails = async (id: number): Promise<string[]> => {
      const asked = outcome(harness.coordinator.triggerCheckpoint());
      harness.decline(id, 'CHECKPOINT_ASYNC_EXCEPTION');
      await asked;
      return harness.log.filter((line) => line.startsWith('fail'));
    };
    expect(await fails(1)).toEqual([]);
    const asked = outcome(harness.coordinator.triggerSavepoint('savepoint'));
    await harness.ackAll(2);
    expect(await asked).toBe('chk-2');
    expect([await fails(3), harness.coordinator.statistics().failureStreak]).toEqual([[], 1]);
    expect(await fails(4)).toHaveLength(1);
    expect(harness.coordinator.statistics().failureStreak).toBe(0);
  });

  it('CK16 while more old states are being deleted than may be in progress, nothing new is triggered', async () => {
    const harness = manual({ tolerableFailures: 9 });
    const deleted = held<void>();
    harness.discard = () => deleted.promise;
    for (const id of [1, 2]) {
      const asked = outcome(harness.coordinator.triggerCheckpoint());
      harness.ack(id, 0);
      harness.decline(id, 'CHECKPOINT_DECLINED');
      await asked;
    }
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    expect(harness.log.filter((line) => line.startsWith('trigger'))).toEqual(['trigger 1', 'trigger 2']);
    deleted.reject(new Error('busy'));
    await settled();
    expect(harness.log).toEqual(['trigger 3']);
    expect(harness.changes.filter(({ type }) => type === 'cleanup-failed').map(({ text }) => text)).toEqual([
      'busy',
      'busy',
    ]);
    await harness.ackAll(3);
    expect(await asked).toBe('chk-3');
  });
});

describe('the end of an attempt', () => {
  it('CK14 everything in progress and asked for is aborted, by the name of the reason', async () => {
    const harness = manual({ maxConcurrent: 1 });
    const asked = [1, 2].map(() => outcome(harness.coordinator.triggerCheckpoint()));
    harness.ack(1, 1);
    await harness.coordinator.stop('JOB_FAILURE', 'window threw.');
    expect(harness.log).toEqual(['trigger 1', 'discard s1.1', 'abort 1 JOB_FAILURE']);
    expect(await Promise.all(asked)).toEqual([
      'Checkpoint 1: The job has failed. window threw.',
      'Checkpoint: The job has failed. window threw.',
    ]);
    expect([harness.coordinator.pending, harness.coordinator.nextWake]).toEqual([0, Number.POSITIVE_INFINITY]);
    harness.coordinator.tick();
    expect(await outcome(harness.coordinator.triggerCheckpoint())).toBe(
      'Checkpoint: Checkpoint coordinator is suspended. The job is not running.',
    );
    expect(() => manual().coordinator.start()).toThrow('started already');
  });

  it('CK14 nothing that was due when the job failed is left for the next attempt', async () => {
    const harness = new CoordinatorHarness({ timeoutMs: 100, savepoints: { intervalMs: 100, retained: 1 } });
    harness.coordinator.start();
    harness.onFail = () => void harness.coordinator.stop('JOB_FAILURE');
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.until(100);
    expect(await asked).toContain('expired');
    expect(harness.log.map((line) => line.split(' ')[0])).toEqual(['trigger', 'abort', 'fail:']);
    harness.coordinator.start();
    const next = outcome(harness.coordinator.triggerCheckpoint());
    expect(harness.log).toEqual(['trigger 2']);
    await harness.ackAll(2);
    expect(await next).toBe('chk-2');
  });

  it('CK14 what is being written is settled first, and counts; tasks that are gone are not told', async () => {
    const harness = manual();
    const write = held<{ path: string }>();
    harness.write = () => write.promise;
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(1);
    let stopped = false;
    const stop = harness.coordinator.stop('JOB_FAILURE').then(() => {
      stopped = true;
    });
    await settled();
    expect(stopped).toBe(false);
    write.resolve({ path: 'just in time' });
    await stop;
    expect([await asked, harness.log]).toEqual(['just in time', ['trigger 1', 'write 1']]);
    expect(harness.coordinator.statistics().counts).toMatchObject({ completed: 1, failed: 0 });
  });

  it('CK21 where only some tasks go away everything is aborted, and what is being written is told to those who stay', async () => {
    const harness = manual({ maxConcurrent: 2 });
    const write = held<{ path: string }>();
    harness.write = () => write.promise;
    const asked = [1, 2].map(() => outcome(harness.coordinator.triggerCheckpoint()));
    await harness.ackAll(1);
    harness.ack(2, 0);
    const settledBy = harness.coordinator.failover('JOB_FAILOVER_REGION', 'check threw.');
    write.resolve({ path: 'just in time' });
    await settledBy;
    const aborted = ['discard s2.0', 'abort 2 JOB_FAILOVER_REGION'];
    expect(harness.log).toEqual(['trigger 1', 'trigger 2', 'write 1', ...aborted, 'notify 1']);
    expect(await Promise.all(asked)).toEqual([
      'just in time',
      'Checkpoint 2: FailoverRegion is restarting. check threw.',
    ]);
  });

  it('CK21 nothing comes by itself until they run again; a last checkpoint is asked for anew', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100 });
    harness.coordinator.start();
    const last = outcome(harness.coordinator.triggerFinal());
    expect(harness.log).toEqual(['trigger 1']);
    await harness.coordinator.failover('JOB_FAILOVER_REGION');
    expect(await last).toBe('Last checkpoint: FailoverRegion is restarting.');
    await harness.until(1000);
    expect([harness.log, harness.coordinator.nextWake]).toEqual([['abort 1 JOB_FAILOVER_REGION'], Infinity]);
    harness.absent = PAIR[1] as (typeof PAIR)[number];
    expect(await outcome(harness.coordinator.triggerCheckpoint())).toContain('Not all required tasks');
    harness.absent = null;
    harness.coordinator.resume();
    await harness.until(1100);
    await harness.ackAll(2);
    expect(harness.log).toEqual(['trigger 2', 'write 2', 'notify 2']);
    expect(harness.coordinator.stopping).toBe(false);
  });
});
