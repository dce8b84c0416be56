/** Bench `state-size`: ten million keys of 100 bytes each, on disk: how much memory that takes in all, without checkpoints and while they are taken. */

import type { JobCheckpointsOptions } from '#runtime/job/job-checkpoints.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';
import type { CheckpointStatistics } from '#shared/checkpoints.ts';
import { withCheckpoints } from './bench-checkpoints.ts';
import { collectGarbage } from './garbage.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { expectCount, newTaskManagers, runJob } from './run-job.ts';
import { KEEPER, keysJob } from './state-jobs.ts';

const VALUE_BYTES = 100;
const LIMIT_MB = 1024;
const LOOK_MS = 250;
const INTERVAL_MS = 10_000;

interface Size {
  readonly what: string;
  readonly rows: number;
  /** Per second. */
  readonly rate: number;
  readonly peakMb: number;
  /** Completed ones, and the largest of them. */
  readonly checkpoints: number;
  readonly largestMb: number;
  /** Of the slowest subtask of any checkpoint, and of the slowest checkpoint. */
  readonly syncMs: number;
  readonly durationMs: number;
}

export async function stateSizeBench({ keys, say }: BenchOptions): Promise<Report> {
  const taskManagers = newTaskManagers(1);
  const sizes: Size[] = [];
  try {
    say(`${keys / 1e6} M keys of ${VALUE_BYTES} bytes …`);
    sizes.push(await sizeOf(taskManagers, 'without checkpoints', keys));
    await collectGarbage();
    say(`the same with a checkpoint every ${INTERVAL_MS / 1000} s …`);
    sizes.push(
      await withCheckpoints(INTERVAL_MS, (checkpoints) =>
        sizeOf(taskManagers, `a checkpoint every ${INTERVAL_MS / 1000} s`, keys, checkpoints),
      ),
    );
  } finally {
    await taskManagers.close();
  }
  return {
    bench: 'state-size',
    question: `${keys / 1e6} M keys of ${VALUE_BYTES} bytes on disk: do they fit into ${LIMIT_MB} MB?`,
    columns: [
      '',
      'rows',
      'k rows/s',
      'checkpoints',
      'MB at most',
      'standstill, ms',
      's at most',
      'resident memory at most',
      'at most',
      '',
    ],
    rows: sizes.map(({ what, rows, rate, peakMb, checkpoints, largestMb, syncMs, durationMs }) => [
      what,
      `${rows / 1e6} M`,
      (rate / 1000).toFixed(0),
      checkpoints === 0 ? '' : `${checkpoints}`,
      checkpoints === 0 ? '' : largestMb.toFixed(0),
      checkpoints === 0 ? '' : syncMs.toFixed(1),
      checkpoints === 0 ? '' : (durationMs / 1000).toFixed(1),
      `${peakMb.toFixed(0)} MB`,
      `${LIMIT_MB} MB`,
      peakMb <= LIMIT_MB ? 'holds' : 'FAILS',
    ]),
    notes: ['The memory is that of the whole process: ids, cache, LevelDB and everything else.'],
    data: sizes,
  };
}

async function sizeOf(
  taskManagers: TaskManagers,
  what: string,
  keys: number,
  checkpoints?: JobCheckpointsOptions,
): Promise<Size> {
  let peakMb = 0;
  const looking = setInterval(() => {
    peakMb = Math.max(peakMb, process.memoryUsage.rss() / 2 ** 20);
  }, LOOK_MS);
  try {
    const state = { stateBackend: 'level', stateCacheBytes: 64 << 20 } as const;
    const spec = keysJob({ keys, rows: keys, access: 'scan', valueBytes: VALUE_BYTES, state });
    let last: CheckpointStatistics | null = null;
    let syncMs = 0;
    const done = await runJob(taskManagers, spec, {
      ...(checkpoints === undefined ? {} : { checkpoints }),
      look: (master) => {
        last = master.checkpoints;
        for (const { id } of last?.history ?? []) {
          for (const task of master.checkpointDetails(id)?.tasks ?? [])
            for (const one of task.acknowledgements) syncMs = Math.max(syncMs, one.syncMs);
        }
      },
    });
    expectCount('rows into the keeper', done.recordsIn(KEEPER), keys);
    const completed = ((last as CheckpointStatistics | null)?.history ?? []).filter(
      (row) => row.status === 'COMPLETED',
    );
    const largest = (of: (row: (typeof completed)[0]) => number): number => Math.max(0, ...completed.map(of));
    return {
      what,
      rows: keys,
      rate: keys / done.seconds,
      peakMb,
      checkpoints: completed.length,
      largestMb: largest((row) => row.fullBytes) / 2 ** 20,
      syncMs,
      durationMs: largest((row) => row.durationMs),
    };
  } finally {
    clearInterval(looking);
  }
}
