/** Why a job does not go on from any of its checkpoints, in words for people: what is damaged, what that means, and what they may do. */

import { WeirError } from '#base/errors.ts';
import type { CompletedCheckpoint } from '../checkpoint/checkpoint-metadata.ts';
import type { SkippedCheckpoint } from '../checkpoint/checkpoint-store.ts';

/** Code `NO_CHECKPOINT_LEFT`. `skipped`: all there were. */
export function noneLeft(job: string, skipped: readonly SkippedCheckpoint[]): WeirError {
  return new WeirError(
    'NO_CHECKPOINT_LEFT',
    `Job ${job} cannot go on: none of its checkpoints is left. ${said(skipped)} Nothing was changed: put back what is damaged and try again, go on from a savepoint, or begin anew.`,
  );
}

/** Code `NO_WAY_BACK`. `doubled`: what was committed behind the checkpoint and cannot be taken back, a sentence for each sink. */
export function noWayBack(
  job: string,
  { path }: CompletedCheckpoint,
  skipped: readonly SkippedCheckpoint[],
  doubled: readonly string[],
): WeirError {
  const why =
    skipped.length > 0
      ? said(skipped)
      : 'A later checkpoint, or a savepoint with which it was stopped, has committed more than this one knows.';
  return new WeirError(
    'NO_WAY_BACK',
    `Job ${job} does not go back to ${path}, because rows would be there twice. ${why} ${doubled.join(' ')} Nothing was changed: put back what is damaged and try again, go on from the savepoint if there is one, or from ${path} by its path, and those rows are there twice.`,
  );
}

function said(skipped: readonly SkippedCheckpoint[]): string {
  return skipped
    .map(({ id, path, reason }) => `${id === 0 ? path : `Checkpoint ${id}`} cannot be used: ${reason}`)
    .join(' ');
}
