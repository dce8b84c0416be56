/** Collecting garbage in all threads of the process, so that what is measured is what is held. Works with `--expose-gc` only. */

import { BroadcastChannel } from 'node:worker_threads';

/** Threads listen here (`worker.ts`). */
export const GARBAGE_CHANNEL = 'weir-bench-garbage';

/** The threads have had a turn of their loops to do it when it resolves. */
const PATIENCE_MS = 100;

export async function collectGarbage(): Promise<void> {
  const channel = new BroadcastChannel(GARBAGE_CHANNEL);
  channel.postMessage('collect');
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  channel.close();
}
