/** The main job in the threads of this process, under the hands of a test: no server, no command line. */

import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import type { IotParams } from '#jobs/iot.ts';
import { buildJob } from '#jobs/registry.ts';
import type { JobMaster } from '#runtime/job/job-master.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import { testJob } from './own-threads.ts';
import { MAIN } from './weir.ts';

export interface IotInThreads {
  /** As `--simulate` takes it. */
  readonly simulate: string;
  readonly windowMs: number;
  /** Parallelism of the source; that of the windows is 2. */
  readonly sources: number;
  /** Directory of its files and, below it, of its checkpoints. */
  readonly output: string;
  /** How often it may restart. */
  readonly attempts: number;
}

/** Two task managers with a standby, a checkpoint every 50 ms. Whoever asks for it starts the job and closes the task managers. */
export function iotInThreads({ simulate, windowMs, sources, output, attempts }: IotInThreads): {
  master: JobMaster;
  taskManagers: TaskManagers;
} {
  const params: IotParams = {
    source: { kind: 'simulator', options: parseSimulate(simulate) },
    time: 'event',
    window: { kind: 'tumbling', sizeMs: windowMs },
    outOfOrdernessMs: 5000,
    allowedLatenessMs: 0,
    idleTimeoutMs: null,
    alignmentMs: null,
    watermarkEmit: 'on-event',
    parallelism: { source: sources, window: 2 },
    output,
    postgres: null,
    console: null,
    live: false,
    rollIntervalMs: 10_000,
  };
  const spec = { name: 'iot', params };
  const entry = pathToFileURL(join(dirname(MAIN), 'worker.js'));
  const taskManagers = new TaskManagers({ count: 2, slots: 1, entry, standby: true });
  const master = testJob({
    spec,
    graph: buildJob(spec),
    taskManagers,
    checkpoints: join(output, 'checkpoints'),
    settings: { intervalMs: 50, retained: 2 },
    restart: `fixed-delay,attempts=${attempts},delay=10ms`,
  });
  return { master, taskManagers };
}
