/** A served job takes checkpoints by itself, in a directory of its own: several servers on one machine do not meet. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '#base/errors.ts';
import type { CheckpointFlags } from './checkpoint-flags.ts';

const INTERVAL_MS = 10_000;

export interface ServedCheckpoints {
  /** With what was not said filled in. */
  readonly flags: CheckpointFlags;
  /** Goes with the server, unless there are savepoints in it; null: nobody's but the user's. */
  readonly temporary: string | null;
}

/** `output`: directory of results, which holds checkpoints too; null: there is none. */
export function servedCheckpoints(flags: CheckpointFlags, output: string | null): ServedCheckpoints {
  const filled = { ...flags, checkpointInterval: flags.checkpointInterval ?? INTERVAL_MS };
  const off = filled.checkpointInterval === 'off' && flags.resume === undefined;
  if (off || flags.checkpointDir !== undefined || output !== null) return { flags: filled, temporary: null };
  if (flags.resume === 'latest')
    throw new UsageError(
      '--resume latest needs the directory in which the server before has kept its checkpoints: give --checkpoint-dir DIRECTORY.',
    );
  const temporary = mkdtempSync(join(tmpdir(), 'weir-checkpoints-'));
  return { flags: { ...filled, checkpointDir: temporary }, temporary };
}

/** The process ends. What somebody asked for stays: gives its savepoints, none where all is gone. Never throws. */
export function removeTemporary(directory: string): string[] {
  try {
    const savepoints = readdirSync(directory).filter((name) => name.startsWith('savepoint-'));
    if (savepoints.length === 0) rmSync(directory, { recursive: true, force: true });
    return savepoints.map((name) => join(directory, name));
  } catch {
    return [];
  }
}
