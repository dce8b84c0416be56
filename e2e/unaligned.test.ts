/** Checkpoints while the sink takes nothing, between threads: barriers that overtake rows get through, others do not. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import type { Resume } from '#runtime/job/job-checkpoints.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import { buildHeldJob, committed, ROWS } from './held-job.ts';
import { ownThreads, testJob } from './own-threads.ts';

const THREADS = ownThreads('./held-job.ts', 'buildHeldJob');
const WORK = mkdtempSync(join(tmpdir(), 'weir-unaligned-'));
afterAll(() => rmSync(WORK, { recursive: true }));

/** An aligned checkpoint has to fail by it, the others to be through long before. */
const TIMEOUT_MS = 1000;

async function start(name: string, unaligned: boolean, resume: Resume) {
  const params = WORK;
  const taskManagers = new TaskManagers({ count: 2, slots: 1, entry: THREADS });
  const graph = buildHeldJob(params);
  const master = testJob({
    spec: { name: 'held', params },
    graph,
    taskManagers,
    checkpoints: join(WORK, name),
    settings: {
      unaligned,
      timeoutMs: unaligned ? 60_000 : TIMEOUT_MS,
      tolerableFailures: Number.POSITIVE_INFINITY,
    },
    resume,
    restart: 'fixed-delay,attempts=10,delay=10ms',
  });
  await master.start();
  return { master, taskManagers, graph };
}

/** Until nothing moves any more: every ring up to the sources is full. */
async function full({ master }: Awaited<ReturnType<typeof start>>): Promise<void> {
  const moved = () =>
    master.cells.flat().reduce((sum, task) => sum + (operatorCells(task, 0)[OperatorCell.RECORDS_OUT] as number), 0);
  for (let last = -1, still = 0; still < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = moved();
    still = now === last && now > 0 ? still + 1 : 0;
    last = now;
  }
  expect(moved()).toBeLessThan(ROWS);
}

it('UA1 under a sink that takes nothing an aligned checkpoint expires, and one that overtakes rows completes; from that one the job ends with every row once', async () => {
  writeFileSync(join(WORK, 'hold'), '');
  const aligned = await start('aligned', false, { from: 'beginning' });
  await full(aligned);
  await expect(aligned.master.checkpoint()).rejects.toThrow('expired before completing');
  await aligned.master.cancel();
  await aligned.taskManagers.close();

  const first = await start('unaligned', true, { from: 'beginning' });
  await full(first);
  await first.master.checkpoint();
  const { latest } = first.master.checkpoints ?? {};
  const completed = latest?.completed;
  expect(completed?.durationMs).toBeLessThan(TIMEOUT_MS);
  expect(completed?.persistedBytes).toBeGreaterThan(0);
  await first.master.cancel();
  await first.taskManagers.close();

  const second = await start('unaligned', true, { from: 'latest' });
  rmSync(join(WORK, 'hold'));
  expect(await second.master.done).toBe('FINISHED');
  await second.taskManagers.close();
  expect(committed(WORK)).toEqual([ROWS, (ROWS * (ROWS - 1)) / 2]);
});
