/** The directory of `--output`, made ready before a job starts. Main thread. */

import { accessSync, constants, readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '#base/directories.ts';
import { messageOf, UsageError } from '#base/errors.ts';
import { partOf } from './part-files.ts';

/** Subdirectories of an output, one per kind of result. */
export const OUTPUTS = ['windows', 'errors', 'late'] as const;
export type OutputName = (typeof OUTPUTS)[number];

export interface OutputDirectoryOptions {
  /** Removes the parts, and leftovers of killed runs, that are there; nothing else. Default false: parts are a reason to refuse. */
  readonly overwrite?: boolean;
  /** The job goes on from a checkpoint: what is there stays, and the sinks sort out what belongs to it. Default false. */
  readonly resume?: boolean;
}

/**
 * Makes `directory` and its subdirectories, checks that they can be written, and gives their paths. A directory that holds results is
 * refused without `overwrite`. Everything wrong is a `UsageError`.
 */
export function prepareOutputDirectory(
  directory: string,
  { overwrite = false, resume = false }: OutputDirectoryOptions = {},
): Record<OutputName, string> {
  const paths = {
    windows: join(directory, 'windows'),
    errors: join(directory, 'errors'),
    late: join(directory, 'late'),
  };
  const found = OUTPUTS.flatMap((name) => partsIn(paths[name]));
  const visible = found.filter((part) => part.visible);
  if (visible.length > 0 && !overwrite && !resume) {
    const more = visible.length > 1 ? ` and ${visible.length - 1} more` : '';
    throw new UsageError(
      `${directory}: already holds results (${visible[0]?.path}${more}); pass --resume latest to go on from a checkpoint, --overwrite to remove them, or choose another directory.`,
    );
  }
  try {
    for (const path of Object.values(paths)) {
      makeDirectories(path);
      accessSync(path, constants.W_OK | constants.X_OK);
    }
    if (overwrite) for (const part of found) unlinkSync(part.path);
  } catch (error) {
    throw new UsageError(`${directory}: cannot be used for output, ${messageOf(error)}.`, { cause: error });
  }
  return paths;
}

function partsIn(path: string): { readonly path: string; readonly visible: boolean }[] {
  let names: string[];
  try {
    if (!statSync(path).isDirectory()) throw new Error('not a directory');
    names = readdirSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new UsageError(`${path}: cannot be used for output, ${messageOf(error)}.`, { cause: error });
  }
  return names.sort().flatMap((name) => {
    const part = partOf(name);
    return part === null ? [] : [{ path: join(path, name), visible: part.state === 'visible' }];
  });
}
