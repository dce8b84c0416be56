/** Entry of a task manager's thread: the composition root on that side. It knows every job, so it may import every room. */

import { parentPort, workerData } from 'node:worker_threads';
import { buildJob } from '#jobs/registry.ts';
import { DiskSeam } from '#lab/faults/disk-seam.ts';
import { ThreadFaults } from '#lab/faults/thread-faults.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { TaskManagerInit } from '#runtime/messages.ts';
import { levelBackend } from '#runtime/state/level-store.ts';
import { TaskManager } from '#runtime/task-manager/task-manager.ts';
import { runTaskManager } from '#runtime/task-manager/thread.ts';

if (parentPort === null) throw new Error('worker.js is started by the server, as a worker thread.');
const port = parentPort;
const init = workerData as TaskManagerInit;
await runTaskManager(port, (place) => {
  const send = port.postMessage.bind(port);
  const disk = new DiskSeam(new NodeDisk());
  const outside = { levelBackend: levelBackend(init.stateDirectory), disk, disturber: new ThreadFaults(disk) };
  return new TaskManager(place, { send }, buildJob, outside);
});
