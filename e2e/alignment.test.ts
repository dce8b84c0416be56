/** Sources that are aligned keep near each other between threads as well, whoever of them is faster. */

import { expect, it } from 'vitest';
import { systemClock } from '#base/clock.ts';
import { findOperator } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import { BATCH_MS, buildDriftJob, DRIFT_MS, END_MS, KEYS, WINDOW_MS } from './drift-job.ts';
import { ownThreads } from './own-threads.ts';

const THREADS = ownThreads('./drift-job.ts', 'driftGraph');

it('WA11 the fast source of two threads is never further ahead than the drift and one batch, nor are open windows more', async () => {
  const { graph, sources } = buildDriftJob();
  const taskManagers = new TaskManagers({ count: 2, slots: 1, entry: THREADS });
  const spec = { name: 'drift', params: null };
  const master = new JobMaster({ spec, graph, taskManagers, clock: systemClock });
  let slow = 0;
  let furthest = 0;
  let mostOpen = 0;
  let looks = 0;

  /** Of what its only reader has read; one that has ended does not count. */
  const watermark = (key: (typeof KEYS)[number]): number => {
    const place = graph.vertices.findIndex(({ operators }) => operators[0]?.name === key);
    const task = master.cells[place]?.[KEYS.indexOf(key)] as Float64Array;
    const reached = operatorCells(task, 1)[OperatorCell.OUTPUT_WATERMARK] as number;
    return Number.isFinite(reached) ? reached : 0;
  };
  /** Behind the next comparison of watermarks. What it has told the sources is on its way before the grant is. */
  const afterComparison = (grant: () => void): void => {
    const { nextUpdate } = master.alignment;
    const timer = setInterval(() => {
      if (master.alignment.nextUpdate === nextUpdate) return;
      clearInterval(timer);
      grant();
    }, 1);
  };
  const look = async (): Promise<void> => {
    const answers = await master.inspect('windows', { keys: KEYS, limit: 1e6, perKey: 1e6 });
    mostOpen = Math.max(
      mostOpen,
      answers.reduce<number>((n, answer) => n + (answer as { open: [] }).open.length, 0),
    );
    looks++;
  };
  for (const [i, source] of sources.entries()) {
    source.onAsk = (time, grant) => {
      if (KEYS[i] === 'slow') slow = time;
      furthest = Math.max(furthest, watermark('fast') - slow);
      // The fast one waits for the slow one's first watermark: before that there is nothing to compare.
      if (KEYS[i] === 'slow' || slow > 0) afterComparison(() => void look().then(grant));
      else setTimeout(() => source.onAsk(time, grant), 1);
    };
  }
  try {
    await master.start();
    expect(await master.done).toBe('FINISHED');
  } finally {
    await taskManagers.close();
  }
  const place = findOperator(graph, 'results');
  const results = (master.cells[place?.vertex ?? -1] ?? []).reduce(
    (n, task) => n + (operatorCells(task, place?.operator ?? -1)[OperatorCell.RECORDS_IN] as number),
    0,
  );
  expect(results).toBe((2 * END_MS) / WINDOW_MS);
  expect(looks).toBeGreaterThanOrEqual(END_MS / BATCH_MS.slow);
  expect(furthest).toBeGreaterThan(DRIFT_MS);
  expect(furthest).toBeLessThanOrEqual(DRIFT_MS + BATCH_MS.fast);
  expect(mostOpen).toBeLessThanOrEqual((DRIFT_MS + BATCH_MS.fast + BATCH_MS.slow) / WINDOW_MS + 2);
});
