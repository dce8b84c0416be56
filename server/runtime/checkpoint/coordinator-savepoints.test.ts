import { describe, expect, it } from 'vitest';
import { CoordinatorHarness, outcome, settled } from './coordinator-harness.ts';

describe('savepoints', () => {
  it('CK11 one neither subsumes nor is subsumed, and tasks are not told', async () => {
    const harness = new CoordinatorHarness({ maxConcurrent: 9 });
    const { coordinator } = harness;
    coordinator.start();
    const asked = [
      coordinator.triggerCheckpoint(),
      coordinator.triggerSavepoint('savepoint'),
      coordinator.triggerSavepoint('savepoint'),
      coordinator.triggerCheckpoint(),
    ].map(outcome);
    harness.log.splice(0);
    await harness.ackAll(3);
    expect([harness.log, coordinator.pending]).toEqual([['write 3'], 3]);
    await harness.ackAll(4);
    expect([harness.log, coordinator.pending]).toEqual([['write 4', 'abort 1 CHECKPOINT_SUBSUMED', 'notify 4'], 1]);
    await harness.ackAll(2);
    expect((await Promise.all(asked)).slice(1)).toEqual(['chk-2', 'chk-3', 'chk-4']);
    expect(harness.log).toEqual(['write 2']);
  });

  it('CK5 they go ahead of others however many are in progress, but not where checkpoints are unaligned', async () => {
    const harness = new CoordinatorHarness({ unaligned: true });
    harness.coordinator.start();
    const asked = [
      harness.coordinator.triggerCheckpoint(),
      harness.coordinator.triggerCheckpoint(),
      harness.coordinator.triggerSavepoint('savepoint'),
    ].map(outcome);
    expect(harness.log).toEqual(['trigger 1']);
    await harness.ackAll(1);
    expect(harness.log).toEqual(['write 1', 'notify 1', 'trigger 2 savepoint']);
    await harness.ackAll(2);
    await harness.ackAll(3);
    expect(await Promise.all(asked)).toEqual(['chk-1', 'chk-3', 'chk-2']);
  });

  it('CK10 a savepoint that expires does not count, one that a task declines does', async () => {
    const harness = new CoordinatorHarness({ timeoutMs: 100 });
    harness.coordinator.start();
    const expired = outcome(harness.coordinator.triggerSavepoint('savepoint'));
    await harness.until(100);
    expect(await expired).toContain('Savepoint 1: Checkpoint expired');
    expect(harness.log).toEqual(['trigger 1 savepoint', 'abort 1 CHECKPOINT_EXPIRED']);
    const declined = outcome(harness.coordinator.triggerSavepoint('savepoint'));
    harness.decline(2, 'CHECKPOINT_DECLINED');
    expect(await declined).toContain('declined');
    expect(harness.log.at(-1)).toContain('fail: Exceeded checkpoint tolerable failure threshold.');
  });

  it('CK10 what happens to one behind the success of a later checkpoint neither counts nor makes up for failures', async () => {
    const harness = new CoordinatorHarness({ maxConcurrent: 9, tolerableFailures: 1 });
    const { coordinator } = harness;
    coordinator.start();
    const asked = [
      coordinator.triggerSavepoint('savepoint'),
      coordinator.triggerSavepoint('savepoint'),
      coordinator.triggerCheckpoint(),
      coordinator.triggerCheckpoint(),
    ].map(outcome);
    await harness.ackAll(3);
    harness.decline(1, 'CHECKPOINT_DECLINED');
    expect(coordinator.statistics().failureStreak).toBe(0);
    harness.decline(4, 'CHECKPOINT_DECLINED');
    await harness.ackAll(2);
    await Promise.all(asked);
    expect(coordinator.statistics().failureStreak).toBe(1);
  });

  it('CK17 they are taken by themselves, one at a time, also by a job that restarts', async () => {
    const harness = new CoordinatorHarness({ savepoints: { intervalMs: 1000, retained: 3 }, timeoutMs: 5000 });
    harness.coordinator.start();
    await harness.until(600);
    await harness.coordinator.stop('JOB_FAILURE');
    harness.coordinator.start();
    await harness.until(999);
    expect(harness.log).toEqual([]);
    await harness.until(1000);
    expect(harness.log).toEqual(['trigger 1 savepoint']);
    await harness.until(2500);
    expect(harness.log).toEqual([]);
    await harness.ackAll(1);
    expect(harness.written[0]?.scheduled).toBe(true);
    await harness.until(3000);
    expect(harness.log).toEqual(['write 1', 'trigger 2 savepoint']);
  });
});

describe('stopping with a savepoint', () => {
  it('CK12 everything else is aborted and nothing more is triggered; tasks are told that it is complete', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100, timeoutMs: 5000 });
    const { coordinator } = harness;
    coordinator.start();
    await harness.until(coordinator.nextWake);
    const waiting = outcome(coordinator.triggerCheckpoint());
    const stopped = outcome(coordinator.triggerSavepoint('stop'));
    expect(harness.log).toEqual(['trigger 1', 'abort 1 CHECKPOINT_COORDINATOR_SUSPEND', 'trigger 2 stop']);
    expect(await waiting).toBe(
      'Checkpoint: Checkpoint coordinator is suspended. The job is being stopped with a savepoint.',
    );
    for (const refused of [coordinator.triggerCheckpoint(), coordinator.triggerSavepoint('drain')])
      expect(await outcome(refused)).toContain('suspended. The job is being stopped with a savepoint.');
    await harness.until(4000);
    await harness.ackAll(2);
    expect(await stopped).toBe('chk-2');
    await harness.until(9000);
    expect(harness.log).toEqual(['write 2', 'notify 2']);
  });

  it('CK12 a job that fails behind it restarts, and takes checkpoints again', async () => {
    const harness = new CoordinatorHarness({ savepoints: { intervalMs: 1000, retained: 1 } });
    harness.coordinator.start();
    const stopped = outcome(harness.coordinator.triggerSavepoint('stop'));
    await harness.ackAll(1);
    await harness.until(1500);
    expect([await stopped, harness.log]).toEqual(['chk-1', ['trigger 1 stop', 'write 1', 'notify 1']]);
    await harness.coordinator.stop('JOB_FAILURE');
    harness.coordinator.start();
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(2);
    expect(await asked).toBe('chk-2');
  });

  it('CK12 where it fails on this side checkpoints go on, and it does not count', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100, timeoutMs: 1000 });
    harness.coordinator.start();
    const stopped = outcome(harness.coordinator.triggerSavepoint('drain'));
    await harness.until(1000);
    expect(await stopped).toContain('Savepoint 1: Checkpoint expired before completing.');
    await harness.until(1100);
    expect(harness.log).toEqual(['trigger 1 drain', 'abort 1 CHECKPOINT_EXPIRED', 'trigger 2']);
  });

  it('CK12 where a task cannot, the job fails at once, whatever the reason', async () => {
    const harness = new CoordinatorHarness({ tolerableFailures: 99 });
    harness.coordinator.start();
    const stopped = outcome(harness.coordinator.triggerSavepoint('stop'));
    harness.decline(1, 'CHECKPOINT_DECLINED_TASK_NOT_READY', 'not yet');
    const text = 'Savepoint 1: Checkpoint was declined (tasks not ready). task 0 2/2: not yet';
    expect(await stopped).toBe(text);
    expect(harness.log).toEqual(['trigger 1 stop', 'abort 1 CHECKPOINT_DECLINED_TASK_NOT_READY', `fail: ${text}`]);
  });
});

describe('the last checkpoint', () => {
  it('CK13 it goes ahead of interval and pause, and behind what is in progress; nothing comes by itself any more', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 1000, minPauseMs: 1000 });
    const { coordinator } = harness;
    coordinator.start();
    await harness.until(coordinator.nextWake);
    const final = outcome(coordinator.triggerFinal());
    expect(harness.log).toEqual(['trigger 1']);
    await harness.ackAll(1);
    expect(harness.log).toEqual(['write 1', 'notify 1', 'trigger 2']);
    await harness.ackAll(2, true);
    expect(await final).toBe('chk-2');
    await harness.until(60_000);
    expect(harness.log).toEqual(['write 2', 'notify 2']);
  });

  it('CK13 one of the interval that waited does not come any more', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 100 });
    harness.coordinator.start();
    await harness.until(250);
    const final = outcome(harness.coordinator.triggerFinal());
    await harness.ackAll(1);
    await harness.ackAll(2, true);
    expect([await final, harness.log]).toEqual([
      'chk-2',
      ['trigger 1', 'write 1', 'notify 1', 'trigger 2', 'write 2', 'notify 2'],
    ]);
  });

  it('CK13 a checkpoint that every subtask took at its end is the last one', async () => {
    const harness = new CoordinatorHarness();
    harness.coordinator.start();
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    const final = outcome(harness.coordinator.triggerFinal());
    await harness.ackAll(1, true);
    expect([await asked, await final]).toEqual(['chk-1', 'chk-1']);
    expect(harness.log).toEqual(['trigger 1', 'write 1', 'notify 1']);
  });

  it('CK13 one that only some subtasks took at their end is not', async () => {
    const harness = new CoordinatorHarness();
    harness.coordinator.start();
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    const final = outcome(harness.coordinator.triggerFinal());
    harness.ack(1, 0, {}, true);
    harness.ack(1, 1);
    await settled();
    await harness.ackAll(2, true);
    expect([await asked, await final]).toEqual(['chk-1', 'chk-2']);
  });

  it('CK13 where it fails it is tried again, as long as the job lives', async () => {
    const harness = new CoordinatorHarness({ tolerableFailures: 5, intervalMs: 60_000 });
    harness.coordinator.start();
    const final = outcome(harness.coordinator.triggerFinal());
    harness.decline(1, 'CHECKPOINT_DECLINED');
    await harness.until(999);
    expect(harness.log).toEqual(['trigger 1', 'abort 1 CHECKPOINT_DECLINED']);
    await harness.until(1000);
    expect(harness.log).toEqual(['trigger 2']);
    await harness.coordinator.stop('JOB_FAILURE');
    expect(await final).toBe('Last checkpoint: The job has failed.');
    harness.coordinator.start();
    await harness.until(10_000);
    expect(harness.log).toEqual(['abort 2 JOB_FAILURE']);
  });

  it('CK13 a job that is being stopped needs no last one; if the savepoint fails it does', async () => {
    const harness = new CoordinatorHarness({ timeoutMs: 100 });
    harness.coordinator.start();
    const stopped = [outcome(harness.coordinator.triggerSavepoint('stop'))];
    const final = outcome(harness.coordinator.triggerFinal());
    await harness.until(100);
    expect(harness.log).toEqual(['trigger 1 stop', 'abort 1 CHECKPOINT_EXPIRED', 'trigger 2']);
    stopped.push(outcome(harness.coordinator.triggerSavepoint('stop')));
    expect(harness.log).toEqual(['abort 2 CHECKPOINT_COORDINATOR_SUSPEND', 'trigger 3 stop']);
    await harness.ackAll(3);
    await settled();
    expect([(await Promise.all(stopped))[1], await final]).toEqual(['chk-3', 'chk-3']);
  });
});
