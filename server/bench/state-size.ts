/** Bench `state-size`: ten million keys of 100 bytes each, on disk: how much memory that takes in all. */

import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { expectCount, newTaskManagers, runJob } from './run-job.ts';
import { KEEPER, keysJob } from './state-jobs.ts';

const KEYS = 10_000_000;
const VALUE_BYTES = 100;
const LIMIT_MB = 1024;
const LOOK_MS = 250;

export async function stateSizeBench({ say }: BenchOptions): Promise<Report> {
  const taskManagers = newTaskManagers(1);
  let peak = 0;
  const looking = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss() / 2 ** 20);
  }, LOOK_MS);
  try {
    say(`${KEYS / 1e6} M keys of ${VALUE_BYTES} bytes …`);
    const state = { stateBackend: 'level', stateCacheBytes: 64 << 20 } as const;
    const rows = KEYS;
    const done = await runJob(
      taskManagers,
      keysJob({ keys: KEYS, rows, access: 'scan', valueBytes: VALUE_BYTES, state }),
    );
    expectCount('rows into the keeper', done.recordsIn(KEEPER), rows);
    const rate = rows / done.seconds;
    return {
      bench: 'state-size',
      question: `${KEYS / 1e6} M keys of ${VALUE_BYTES} bytes on disk: do they fit into ${LIMIT_MB} MB?`,
      columns: ['rows', 'k rows/s', 'resident memory at most', 'at most', ''],
      rows: [
        [
          `${rows / 1e6} M`,
          (rate / 1000).toFixed(0),
          `${peak.toFixed(0)} MB`,
          `${LIMIT_MB} MB`,
          peak <= LIMIT_MB ? 'holds' : 'FAILS',
        ],
      ],
      notes: ['The memory is that of the whole process: ids, cache, LevelDB and everything else.'],
      data: { rows, rate, peakMb: peak },
    };
  } finally {
    clearInterval(looking);
    await taskManagers.close();
  }
}
