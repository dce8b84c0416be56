/** Entry of a task manager's thread: the composition root on that side. It knows every job, so it may import every room. */

import { parentPort, workerData } from 'node:worker_threads';
import { buildJob } from '#jobs/registry.ts';
import type { TaskManagerInit, ToTaskManager } from '#runtime/messages.ts';
import { levelBackend } from '#runtime/state/level-store.ts';
import { TaskManager } from '#runtime/task-manager/task-manager.ts';

if (parentPort === null) throw new Error('worker.js is started by the server, as a worker thread.');
const port = parentPort;
const init = workerData as TaskManagerInit;
const taskManager = new TaskManager(
  init,
  { send: (message) => port.postMessage(message) },
  buildJob,
  levelBackend(init.stateDirectory),
);
port.on('message', (message: ToTaskManager) => taskManager.receive(message));
port.postMessage({ type: 'ready' });
await taskManager.loop();
