/** Entry of the benches' threads: a task manager that also knows the warm-up jobs, or a rival. */

import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { TaskManagerInit } from '#runtime/messages.ts';
import { levelBackend } from '#runtime/state/level-store.ts';
import { TaskManager } from '#runtime/task-manager/task-manager.ts';
import { runTaskManager } from '#runtime/task-manager/thread.ts';
import { GARBAGE_CHANNEL } from './garbage.ts';
import { buildBenchJob } from './jobs.ts';
import { answerQuestions, type RivalInit } from './rival.ts';

if (parentPort === null) throw new Error('bench-worker.js is started by the benches, as a worker thread.');
const port = parentPort;
const init = workerData as TaskManagerInit | RivalInit;

const garbage = new BroadcastChannel(GARBAGE_CHANNEL);
garbage.onmessage = () => globalThis.gc?.();
garbage.unref();

if ('role' in init) {
  answerQuestions(port);
} else {
  await runTaskManager(port, (place) => {
    const send = port.postMessage.bind(port);
    const outside = { levelBackend: levelBackend(init.stateDirectory), disk: new NodeDisk() };
    return new TaskManager(place, { send }, buildBenchJob, outside);
  });
}
