/** The loop of a task manager for jobs of tests; bundled with one of them by `own-threads.ts`. */

import { parentPort, workerData } from 'node:worker_threads';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { TaskManagerInit } from '#runtime/messages.ts';
import { levelBackend } from '#runtime/state/level-store.ts';
import { TaskManager } from '#runtime/task-manager/task-manager.ts';
import { runTaskManager } from '#runtime/task-manager/thread.ts';

/** `build`: the job, from the parameters of its spec. */
export function runOwnJob(build: (params: unknown) => JobGraph): Promise<void> {
  const port = parentPort as NonNullable<typeof parentPort>;
  const { stateDirectory } = workerData as TaskManagerInit;
  return runTaskManager(port, (place) => {
    const send = port.postMessage.bind(port);
    const outside = { levelBackend: levelBackend(stateDirectory), disk: new NodeDisk() };
    return new TaskManager(place, { send }, ({ params }) => build(params), outside);
  });
}
