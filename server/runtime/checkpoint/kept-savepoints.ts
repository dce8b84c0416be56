/** Savepoints that lie in directories: taken by themselves every so often and removed again, looked into, disposed of. */

import { basename, dirname } from 'node:path';
import { WeirError } from '#base/errors.ts';
import type { CompletedCheckpoint } from './checkpoint-metadata.ts';
import { DirectoryLock, type ProcessIdentity } from './directory-lock.ts';
import type { Disk } from './disk.ts';
import { disposeSavepoint, listSavepoints } from './savepoints.ts';

/** Of savepoints that come by themselves, below the directory of checkpoints: what people take lies elsewhere and stays. */
export const SCHEDULED = 'scheduled-savepoints';

/** Removes the oldest of a job's savepoints in a directory, but for so many. Those that cannot be read stay, and count for nothing. */
export async function retainSavepoints(disk: Disk, directory: string, job: string, retained: number): Promise<void> {
  const own = (await listSavepoints(disk, directory)).filter(({ savepoint }) => savepoint?.job.name === job);
  const ages = own.sort((a, b) => order(a.savepoint as CompletedCheckpoint, b.savepoint as CompletedCheckpoint));
  for (const { path } of ages.slice(0, -retained)) await disposeSavepoint(disk, path);
}

function order(a: CompletedCheckpoint, b: CompletedCheckpoint): number {
  return a.completedAt - b.completedAt || a.id - b.id;
}

/**
 * Removes what somebody has named: a savepoint, or a checkpoint that a job has left behind. Checkpoints of a job that runs, in this process or
 * another, are refused.
 */
export async function disposeKept(disk: Disk, path: string, process: ProcessIdentity): Promise<void> {
  if (!/^chk-\d+$/.test(basename(path))) return disposeSavepoint(disk, path);
  const root = dirname(path);
  if (!(await disk.exists(root))) return disposeSavepoint(disk, path);
  let lock: DirectoryLock;
  try {
    lock = await DirectoryLock.take(disk, root, process);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'CHECKPOINT_DIRECTORY_IN_USE') throw error;
    throw new WeirError(
      error.code,
      `${path} belongs to a job that is running: it removes its checkpoints by itself. Stop it first, or dispose of a savepoint.`,
      { cause: error },
    );
  }
  try {
    await disposeSavepoint(disk, path);
  } finally {
    await lock.release();
  }
}
