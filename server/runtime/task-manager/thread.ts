/** What runs in a worker thread: it waits to be told which task manager it is, then is that one until it ends. */

import type { MessagePort } from 'node:worker_threads';
import type { ToTaskManager } from '../messages.ts';
import type { Place, TaskManager } from './task-manager.ts';

export async function runTaskManager(port: MessagePort, make: (place: Place) => TaskManager): Promise<never> {
  let taskManager: TaskManager | null = null;
  const early: ToTaskManager[] = [];
  const place = await new Promise<Place>((resolve) => {
    port.on('message', (message: ToTaskManager) => {
      if (message.type === 'take-place') resolve(message);
      else if (taskManager === null) early.push(message);
      else taskManager.receive(message);
    });
    port.postMessage({ type: 'ready' });
  });
  taskManager = make(place);
  for (const message of early) taskManager.receive(message);
  return taskManager.loop();
}
