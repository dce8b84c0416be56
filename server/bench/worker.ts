/** Entry of the benches' threads: a task manager that also knows the warm-up jobs, or a rival. */

import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import type { TaskManagerInit, ToTaskManager } from '#runtime/messages.ts';
import { levelBackend } from '#runtime/state/level-store.ts';
import { TaskManager } from '#runtime/task-manager/task-manager.ts';
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
  const taskManager = new TaskManager(
    init,
    { send: (message) => port.postMessage(message) },
    buildBenchJob,
    levelBackend(init.stateDirectory),
  );
  port.on('message', (message: ToTaskManager) => taskManager.receive(message));
  port.postMessage({ type: 'ready' });
  await taskManager.loop();
}
