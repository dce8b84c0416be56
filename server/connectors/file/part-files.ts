/**
 * Names and life of part files.
 *
 *   .part-2-7.csv.inprogress ── committed: renamed ──> part-2-7.csv      (part 7 of subtask 2; never changed from then on)
 */

import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, WeirError } from '#base/errors.ts';
import type { Committer } from '#engine/io/sink.ts';

/** A part that is written, synced and closed, and waits for its rename. Plain data. */
export interface StagedPart {
  readonly staged: string;
  readonly final: string;
}

const FINAL = /^(.+)-(\d+)-(\d+)\.[a-z0-9]+$/;
const STAGED = /^\.(.+-\d+-\d+\.[a-z0-9]+)\.inprogress$/;

export function partPaths(
  directory: string,
  prefix: string,
  subtask: number,
  n: number,
  extension: string,
): StagedPart {
  const name = `${prefix}-${subtask}-${n}.${extension}`;
  return { staged: join(directory, `.${name}.inprogress`), final: join(directory, name) };
}

/** What a file in an output directory is; null: nothing of ours. */
export function partOf(
  fileName: string,
): { readonly visible: boolean; readonly prefix: string; readonly subtask: number; readonly n: number } | null {
  const staged = STAGED.exec(fileName)?.[1];
  const match = FINAL.exec(staged ?? fileName);
  if (match === null || fileName.startsWith('.') !== (staged !== undefined)) return null;
  return { visible: staged === undefined, prefix: match[1] as string, subtask: Number(match[2]), n: Number(match[3]) };
}

/** Number of the next part of a subtask: one more than any that is there, visible or not. */
export function nextPart(directory: string, prefix: string, subtask: number): number {
  let next = 0;
  for (const name of readdirSync(directory)) {
    const part = partOf(name);
    if (part !== null && part.prefix === prefix && part.subtask === subtask) next = Math.max(next, part.n + 1);
  }
  return next;
}

export class PartCommitter implements Committer<StagedPart> {
  commit(parts: readonly StagedPart[]): readonly StagedPart[] {
    const directories = new Set<string>();
    for (const { staged, final } of parts) {
      directories.add(dirname(final));
      if (!existsSync(staged)) {
        // Committed before: the rename is the commit.
        if (existsSync(final)) continue;
        throw new WeirError(
          'PART_LOST',
          `${staged}: the staged part is gone and ${final} does not exist; its rows are lost.`,
        );
      }
      if (existsSync(final)) {
        throw new WeirError('PART_EXISTS', `${final} exists already and is never changed; ${staged} stays as it is.`);
      }
      try {
        renameSync(staged, final);
      } catch (error) {
        throw new WeirError('PART_COMMIT', `${staged}: cannot be renamed to ${final}, ${messageOf(error)}`, {
          cause: error,
        });
      }
    }
    for (const directory of directories) syncDirectory(directory);
    return [];
  }
}

/** Makes renames in a directory survive a power cut. */
function syncDirectory(directory: string): void {
  let fd: number | null = null;
  try {
    fd = openSync(directory, 'r');
    fsyncSync(fd);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    // Some file systems cannot sync a directory; the rename stands all the same.
    if (code === 'EINVAL' || code === 'EISDIR' || code === 'EPERM' || code === 'ENOTSUP') return;
    throw new WeirError('PART_COMMIT', `${directory}: cannot be synced, ${messageOf(error)}`, { cause: error });
  } finally {
    if (fd !== null) closeSync(fd);
  }
}
