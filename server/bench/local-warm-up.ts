/** The warm-up jobs in this thread, for benches that run stages here. */

import { LocalExecutor } from '#runtime/local/local-executor.ts';
import { buildWarmUp, warmUpSpecs } from './warm-up-jobs.ts';

const ROWS = 20_000;

export function warmUpHere(): void {
  for (const channels of ['direct', 'ring'] as const) {
    for (const spec of warmUpSpecs({ rows: ROWS, parallelism: 2 })) {
      new LocalExecutor(buildWarmUp(spec), { channels }).run();
    }
  }
}
