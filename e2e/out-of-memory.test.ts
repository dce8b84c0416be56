/** A thread whose heap is full is lost, as one that was killed: the process, the other threads and every row stay. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { afterAll, expect, it } from 'vitest';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import { committed } from './held-job.ts';
import { buildHungryJob, ROWS } from './hungry-job.ts';
import { ownThreads, testJob } from './own-threads.ts';

const THREADS = ownThreads('./hungry-job.ts', 'buildHungryJob');
const WORK = mkdtempSync(join(tmpdir(), 'weir-hungry-'));
afterAll(() => {
  rmSync(WORK, { recursive: true });
  setFlagsFromString('--max-old-space-size=0');
});

it('RS9 a task manager that runs out of memory is lost and replaced, and the job goes on without a row lost or doubled', async () => {
  // For threads that are started from now on: one that eats gigabytes first takes its time.
  setFlagsFromString('--max-old-space-size=96');
  const taskManagers = new TaskManagers({ count: 2, slots: 1, entry: THREADS, standby: true });
  const master = testJob({
    spec: { name: 'hungry', params: WORK },
    graph: buildHungryJob(WORK),
    taskManagers,
    checkpoints: join(WORK, 'checkpoints'),
    settings: { intervalMs: 20 },
    restart: 'fixed-delay,attempts=3,delay=10ms',
  });
  await master.start();
  expect(await master.done).toBe('FINISHED');
  await taskManagers.close();
  expect(master.failures.total).toBe(1);
  expect(master.failures.latest[0]?.message).toMatch(/^Task manager [12] is lost: .*memory/);
  expect(committed(WORK)).toEqual([ROWS, (ROWS * (ROWS - 1)) / 2]);
});
