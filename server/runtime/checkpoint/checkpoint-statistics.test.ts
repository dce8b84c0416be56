import { describe, expect, it } from 'vitest';
import { SUMMARY_WINDOW, SummaryOfCheckpoints } from './checkpoint-summary.ts';
import { CoordinatorHarness, NO_FIGURES, outcome } from './coordinator-harness.ts';

describe('statistics of checkpoints', () => {
  it('CK18 a completed one, as a row and per subtask', async () => {
    const harness = new CoordinatorHarness({}, 1_700_000_000_000);
    harness.coordinator.start();
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    harness.clock.advance(30);
    const figures = { startDelayMs: 1, alignmentMs: 2, syncMs: 3, asyncMs: 4, bytes: 10, fullBytes: 100 };
    harness.ack(1, 1, figures);
    const half = harness.coordinator.statistics();
    harness.clock.advance(20);
    harness.ack(1, 0, { bytes: 5, fullBytes: 50, processedBytes: 7, persistedBytes: 6, unaligned: true }, true);
    await asked;
    harness.clock.advance(1000);

    const triggeredAt = 1_700_000_000_000;
    expect(half.history).toEqual([
      {
        id: 1,
        kind: 'checkpoint',
        status: 'IN_PROGRESS',
        triggeredAt,
        endedAt: null,
        acknowledged: 1,
        subtasks: 2,
        latestAckAt: triggeredAt + 30,
        durationMs: 30,
        bytes: 10,
        fullBytes: 100,
        processedBytes: 0,
        persistedBytes: 0,
        unaligned: false,
        path: null,
        failure: null,
      },
    ]);
    const row = {
      id: 1,
      kind: 'checkpoint',
      status: 'COMPLETED',
      triggeredAt,
      endedAt: triggeredAt + 50,
      acknowledged: 2,
      subtasks: 2,
      latestAckAt: triggeredAt + 50,
      durationMs: 50,
      bytes: 15,
      fullBytes: 150,
      processedBytes: 7,
      persistedBytes: 6,
      unaligned: true,
      path: 'chk-1',
      failure: null,
    };
    const statistics = harness.coordinator.statistics();
    expect(statistics.history).toEqual([row]);
    expect(statistics.latest).toEqual({ completed: row, savepoint: null, failed: null, restored: null });
    expect(statistics.counts).toEqual({ triggered: 1, inProgress: 0, completed: 1, failed: 0, restored: 0 });
    expect(harness.coordinator.details(1)).toEqual({
      ...row,
      tasks: [
        {
          vertex: 0,
          acknowledged: 2,
          subtasks: 2,
          latestAckAt: triggeredAt + 50,
          durationMs: 50,
          bytes: 15,
          fullBytes: 150,
          processedBytes: 7,
          persistedBytes: 6,
          acknowledgements: [
            {
              ...NO_FIGURES,
              ...{ bytes: 5, fullBytes: 50, processedBytes: 7, persistedBytes: 6, unaligned: true },
              index: 0,
              ackAt: triggeredAt + 50,
              durationMs: 50,
              ended: true,
            },
            { ...NO_FIGURES, ...figures, index: 1, ackAt: triggeredAt + 30, durationMs: 30, ended: false },
          ],
        },
      ],
    });
    expect(harness.coordinator.details(2)).toBeNull();
  });

  it('CK18 counts, the latest of each sort, and what comes next', async () => {
    const harness = new CoordinatorHarness({ intervalMs: 1000, timeoutMs: 100, tolerableFailures: 3, history: 2 });
    const { coordinator } = harness;
    expect(coordinator.statistics().nextAt).toBeNull();
    coordinator.start();
    const first = coordinator.nextWake;
    expect(coordinator.statistics().nextAt).toBe(first);
    coordinator.restored({ id: 9, kind: 'savepoint', path: '/old', restoredAt: 5 });
    const savepoint = outcome(coordinator.triggerSavepoint('savepoint'));
    await harness.ackAll(1);
    await savepoint;
    for (let id = 2; id <= 4; id++) {
      const asked = outcome(coordinator.triggerCheckpoint());
      if (id === 3) harness.decline(id, 'CHECKPOINT_DECLINED');
      else await harness.ackAll(id);
      await asked;
    }
    const pending = outcome(coordinator.triggerCheckpoint());
    const { counts, history, latest, failureStreak } = coordinator.statistics();
    expect(counts).toEqual({ triggered: 5, inProgress: 1, completed: 3, failed: 1, restored: 1 });
    expect(history.map(({ id, status }) => [id, status])).toEqual([
      [5, 'IN_PROGRESS'],
      [4, 'COMPLETED'],
      [3, 'FAILED'],
    ]);
    expect([latest.completed?.id, latest.savepoint?.id, latest.failed?.id, failureStreak]).toEqual([4, 1, 3, 0]);
    expect(latest.restored).toEqual({ id: 9, kind: 'savepoint', path: '/old', restoredAt: 5 });
    expect(coordinator.details(1)?.kind).toBe('savepoint');
    expect(coordinator.details(2)).toBeNull();
    await harness.until(harness.clock.now() + 100);
    await pending;
    expect(coordinator.statistics().latest.failed).toMatchObject({
      id: 5,
      durationMs: 100,
      acknowledged: 0,
      endedAt: 100,
    });
    expect(coordinator.statistics().failureStreak).toBe(1);
    await coordinator.stop('JOB_FAILURE');
    expect(coordinator.statistics().nextAt).toBeNull();
  });

  it('CK18 one that could not be written took until that was known', async () => {
    const harness = new CoordinatorHarness({ tolerableFailures: 1 });
    harness.coordinator.start();
    harness.write = () => {
      harness.clock.advance(25);
      return Promise.reject(new Error('disk full'));
    };
    const asked = outcome(harness.coordinator.triggerCheckpoint());
    await harness.ackAll(1);
    await asked;
    const [row] = harness.coordinator.statistics().history;
    expect([row?.status, row?.acknowledged, row?.latestAckAt, row?.endedAt, row?.durationMs]).toEqual([
      'FAILED',
      2,
      0,
      25,
      25,
    ]);
  });

  it('CK18 news of everything that happens', async () => {
    const harness = new CoordinatorHarness();
    harness.coordinator.start();
    const asked = outcome(harness.coordinator.triggerSavepoint('savepoint'));
    await harness.ackAll(1);
    const failed = outcome(harness.coordinator.triggerCheckpoint());
    harness.decline(2, 'CHECKPOINT_DECLINED_TASK_CLOSING');
    await Promise.all([asked, failed]);
    harness.coordinator.restored({ id: 1, kind: 'savepoint', path: null, restoredAt: 0 });
    expect(harness.changes.map(({ type, id, kind, text }) => [type, id, kind, text])).toEqual([
      ['triggered', 1, 'savepoint', ''],
      ['acknowledged', 1, 'savepoint', ''],
      ['acknowledged', 1, 'savepoint', ''],
      ['completed', 1, 'savepoint', 'chk-1'],
      ['triggered', 2, 'checkpoint', ''],
      ['failed', 2, 'checkpoint', 'Checkpoint 2: Checkpoint was declined (task is closing). task 0 2/2: no'],
      ['restored', 1, 'savepoint', ''],
    ]);
  });
});

describe('summary', () => {
  const row = (value: number) => ({
    durationMs: value,
    bytes: 2 * value,
    fullBytes: 0,
    processedBytes: 0,
    persistedBytes: 0,
  });

  it('CK19 there is none of nothing, and of one it is that one', () => {
    const summary = new SummaryOfCheckpoints();
    expect(summary.view()).toBeNull();
    summary.add(row(7));
    const seven = { min: 7, avg: 7, max: 7, p50: 7, p90: 7, p95: 7, p99: 7, p999: 7 };
    expect(summary.view()?.durationMs).toEqual(seven);
  });

  it('CK19 quantiles lie between their neighbours, as Flink has them', () => {
    const summary = new SummaryOfCheckpoints();
    for (let value = 1; value <= 10; value++) summary.add(row(11 - value));
    expect(summary.view()?.bytes).toEqual({
      min: 2,
      avg: 11,
      max: 20,
      p50: 11,
      p90: expect.closeTo(19.8, 9),
      p95: 20,
      p99: 20,
      p999: 20,
    });
  });

  it('CK19 quantiles are over the last 1,000, the rest over all', () => {
    const summary = new SummaryOfCheckpoints();
    for (let i = 0; i < SUMMARY_WINDOW; i++) summary.add(row(1_000_000));
    for (let i = 0; i < SUMMARY_WINDOW; i++) summary.add(row(i));
    expect(summary.view()?.durationMs).toMatchObject({ min: 0, max: 1_000_000, p50: 499.5 });
  });
});
