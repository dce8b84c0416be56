/** Failover regions between threads: a pipeline that throws, and a thread that is killed, take nothing away from the others. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import type { JobMaster } from '#runtime/job/job-master.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import { ownThreads, testJob } from './own-threads.ts';
import { buildRegionsJob, PIPELINES, ROWS, throwFile } from './regions-job.ts';

const THREADS = ownThreads('./regions-job.ts', 'buildRegionsJob');
const WORK = mkdtempSync(join(tmpdir(), 'weir-regions-'));
afterAll(() => rmSync(WORK, { recursive: true }));

/** Long enough to see what the others do meanwhile. */
const DELAY_MS = 100;

/** Rows that each pipeline has taken out of its source, over all attempts. */
const readBy = (master: JobMaster): number[] =>
  (master.cells[0] ?? []).map((task) => operatorCells(task, 0)[OperatorCell.RECORDS_OUT] as number);
const attempts = (master: JobMaster): number[] =>
  master.regions.map(({ subtasks }) => Math.max(...subtasks.map(({ attempt }) => attempt)));

it('RS10 a subtask that throws and a thread that is killed take their regions away and no others, which go on all the time; every row is there once', async () => {
  const taskManagers = new TaskManagers({ count: 2, slots: 2, entry: THREADS, standby: true });
  const master = testJob({
    spec: { name: 'regions', params: WORK },
    graph: buildRegionsJob(WORK),
    taskManagers,
    checkpoints: join(WORK, 'checkpoints'),
    settings: { intervalMs: 50, incremental: true },
    restart: `fixed-delay,attempts=10,delay=${DELAY_MS}ms`,
  });
  const states: string[] = [];
  master.onState((state) => states.push(state));
  /** Resolves at the next one; with what each pipeline had read then. */
  const news = (type: JobNews['type']): Promise<{ news: JobNews; read: number[] }> =>
    new Promise((resolve) => {
      const forget = master.onNews((one) => {
        if (one.type !== type) return;
        forget();
        resolve({ news: one, read: readBy(master) });
      });
    });
  const completed = async (): Promise<void> => {
    const before = master.checkpoints?.counts.completed ?? 0;
    while ((master.checkpoints?.counts.completed ?? 0) < before + 2) await news('checkpoint');
  };
  await master.start();
  expect(master.regions).toHaveLength(PIPELINES);
  await completed();

  const [threw, ranAgain] = [news('failure'), news('regions-restarted')];
  writeFileSync(throwFile(WORK, 2), '');
  const failed = await threw;
  expect(failed.news).toMatchObject({ message: expect.stringContaining('told to throw'), scope: '1 of 4 regions' });
  expect(master.tasks).toEqual({ RUNNING: 6, FAILED: 1, CANCELING: 1 });
  const again = await ranAgain;
  expect(again.news).toMatchObject({ regions: 1, of: 4, subtasks: 2 });
  // The reader of the one that threw may have read on until it heard of it.
  for (const pipeline of [0, 1, 3]) expect(again.read[pipeline]).toBeGreaterThan(failed.read[pipeline] as number);
  expect(attempts(master)).toEqual([0, 0, 1, 0]);
  await completed();
  const replayed = master.accounts.replayed;
  expect(replayed).toBeLessThan(ROWS / PIPELINES);

  const [lost, back] = [news('failure'), news('regions-restarted')];
  taskManagers.kill(0);
  expect((await lost).news).toMatchObject({ scope: '1 of 4 regions' });
  expect((await back).news).toMatchObject({ regions: 2, of: 4, subtasks: 4 });
  expect(attempts(master)).toEqual([1, 1, 1, 0]);

  expect(await master.done).toBe('FINISHED');
  await taskManagers.close();
  expect(states).toEqual(['RUNNING', 'FINISHED']);
  const { latest } = master.accounts;
  expect(latest === null ? null : master.accounts.balance(latest)).toMatchObject({ lost: 0, doubled: 0 });
  const out = join(WORK, 'out');
  const parts = readdirSync(out).filter((name) => !name.startsWith('.'));
  const rows = parts.flatMap((name) => readFileSync(join(out, name), 'utf8').trim().split('\n'));
  const values = rows.map((line) => (JSON.parse(line) as { v: number }).v).sort((a, b) => a - b);
  expect(values).toEqual(Array.from({ length: ROWS }, (_, v) => v));
}, 60_000);
