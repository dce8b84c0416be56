/** Directories of checkpoints that benches take. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkpointSettings } from '#runtime/checkpoint/checkpoint-settings.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { JobCheckpointsOptions } from '#runtime/job/job-checkpoints.ts';

/** What `work` needs to take checkpoints this often, ms, in a directory that is gone afterwards. */
export async function withCheckpoints<T>(
  intervalMs: number,
  work: (checkpoints: JobCheckpointsOptions) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-checkpoints-'));
  try {
    const settings = checkpointSettings({ intervalMs, history: 1000 });
    return await work({ settings, directory, disk: new NodeDisk(), resume: { from: 'beginning' } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
