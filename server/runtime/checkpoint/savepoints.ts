/** Completed checkpoints by their path: what a job starts from, what somebody looks into or removes. */

import { dirname } from 'node:path';
import { UsageError } from '#base/errors.ts';
import {
  allFilesOf,
  type CompletedCheckpoint,
  completedFrom,
  decodeMetadata,
  METADATA,
} from './checkpoint-metadata.ts';
import { type Disk, diskCode, unlessMissing } from './disk.ts';
import { damageOf, readError } from './state-reader.ts';
import { CorruptState, storageError } from './storage-error.ts';

export const SHARED = 'shared';
/** `_metadata` of a checkpoint that was given up: the job has gone on from an earlier one. It can be restored if somebody asks for it. */
export const GIVEN_UP = `${METADATA}.given-up`;
/** How files of state end. */
export const STATE = '.state';
/** `_metadata` while it is written. */
export const UNFINISHED = `${METADATA}.tmp`;

/** Reads `_metadata`; looks at no other file. Throws `CorruptState` where it is missing or damaged. */
export async function loadCheckpoint(disk: Disk, path: string, metadata = METADATA): Promise<CompletedCheckpoint> {
  const file = `${path}/${metadata}`;
  let bytes: Uint8Array;
  try {
    bytes = await disk.read(file);
  } catch (error) {
    throw readError('A checkpoint could not be read', file, error);
  }
  const { content, origin } = decodeMetadata(bytes, file);
  return completedFrom(content, { root: content.kind === 'checkpoint' ? dirname(path) : path, path, origin });
}

/** What is wrong with a checkpoint, for people, every byte looked at; null: nothing. */
export async function damageOfCheckpoint(disk: Disk, path: string): Promise<string | null> {
  try {
    await loadSound(disk, path, METADATA);
    return null;
  } catch (error) {
    if (!(error instanceof CorruptState)) throw error;
    return error.message;
  }
}

/** With all its files as they were written; `CorruptState` otherwise. */
async function loadSound(disk: Disk, path: string, metadata: string): Promise<CompletedCheckpoint> {
  const checkpoint = await loadCheckpoint(disk, path, metadata);
  for (const file of allFilesOf(checkpoint).values()) {
    const damage = await damageOf(disk, checkpoint.root, file);
    if (damage !== null) throw new CorruptState(damage);
  }
  return checkpoint;
}

/** A savepoint, or a checkpoint that was kept, with all its files as they were written. */
export async function openSavepoint(disk: Disk, path: string): Promise<CompletedCheckpoint> {
  const metadata = await metadataIn(disk, path);
  try {
    return await loadSound(disk, path, metadata);
  } catch (error) {
    if (!(error instanceof CorruptState)) throw error;
    throw new CorruptState(`${path} cannot be restored. ${error.message}`, { cause: error });
  }
}

/** Whole savepoints in a directory, in the order of their names. Those that cannot be read come with what is wrong. */
export async function listSavepoints(
  disk: Disk,
  directory: string,
): Promise<{ path: string; savepoint: CompletedCheckpoint | null; problem: string | null }[]> {
  const found = [];
  let names: string[];
  try {
    names = await disk.list(directory);
  } catch (error) {
    if (diskCode(error) === 'ENOENT') return [];
    throw storageError('Savepoints could not be listed', directory, error);
  }
  for (const name of names.filter((n) => n.startsWith('savepoint-'))) {
    const path = `${directory}/${name}`;
    if (!(await disk.exists(`${path}/${METADATA}`))) continue;
    try {
      found.push({ path, savepoint: await loadCheckpoint(disk, path), problem: null });
    } catch (error) {
      found.push({ path, savepoint: null, problem: (error as Error).message });
    }
  }
  return found;
}

/** Removes a savepoint, or a kept checkpoint and those of its shared files that no other checkpoint beside it needs. */
export async function disposeSavepoint(disk: Disk, path: string): Promise<void> {
  const metadata = await metadataIn(disk, path);
  try {
    const shared = await loadCheckpoint(disk, path, metadata).then(sharedFilesOf, () => []);
    await removeCheckpoint(disk, path);
    if (shared.length === 0) return;
    const root = dirname(path);
    const others = [...(await checkpointsIn(disk, root)), ...(await checkpointsIn(disk, root, GIVEN_UP))];
    const needed = new Set(others.flatMap(({ checkpoint }) => (checkpoint === null ? [] : sharedFilesOf(checkpoint))));
    for (const file of shared) if (!needed.has(file)) await unlessMissing(disk.remove(`${root}/${file}`));
  } catch (error) {
    throw storageError('A savepoint could not be removed', path, error);
  }
}

export function sharedFilesOf(checkpoint: CompletedCheckpoint): string[] {
  return [...allFilesOf(checkpoint).keys()].filter((file) => file.startsWith(`${SHARED}/`));
}

/** A checkpoint's directory and what was written there for it; whatever else lies in it stays. After a crash it is whole, or none. */
export async function removeCheckpoint(disk: Disk, path: string): Promise<void> {
  let names: string[];
  try {
    names = await disk.list(path);
  } catch (error) {
    if (diskCode(error) === 'ENOENT') return;
    throw error;
  }
  const metadata = names.filter((name) => name === METADATA || name === GIVEN_UP);
  for (const name of metadata) await unlessMissing(disk.remove(`${path}/${name}`));
  if (metadata.length > 0) await disk.syncDirectory(path);
  for (const name of names) {
    if (name.endsWith(STATE) || name === UNFINISHED) await unlessMissing(disk.remove(`${path}/${name}`));
  }
  try {
    await unlessMissing(disk.removeDirectory(path));
  } catch (error) {
    if (diskCode(error) !== 'ENOTEMPTY') throw error;
  }
}

/** A checkpoint in a job's directory. */
export interface FoundCheckpoint {
  readonly id: number;
  readonly path: string;
  /** Null: `_metadata` cannot be read, and `problem` says why. */
  readonly checkpoint: CompletedCheckpoint | null;
  readonly problem: string | null;
}

/** `chk-7` and its like, from the oldest to the newest, as far as they are complete (or given up). */
export async function checkpointsIn(disk: Disk, root: string, metadata = METADATA): Promise<FoundCheckpoint[]> {
  const found: FoundCheckpoint[] = [];
  for (const { id, path } of await checkpointDirectories(disk, root)) {
    if (!(await disk.exists(`${path}/${metadata}`))) continue;
    try {
      found.push({ id, path, checkpoint: await loadCheckpoint(disk, path, metadata), problem: null });
    } catch (error) {
      if (!(error instanceof CorruptState)) throw error;
      found.push({ id, path, checkpoint: null, problem: error.message });
    }
  }
  return found;
}

/** Complete or not, by number. */
export async function checkpointDirectories(disk: Disk, root: string): Promise<{ id: number; path: string }[]> {
  return (await disk.list(root))
    .flatMap((name) => {
      const id = /^chk-([1-9]\d*)$/.exec(name)?.[1];
      return id === undefined ? [] : { id: Number(id), path: `${root}/${name}` };
    })
    .sort((a, b) => a.id - b.id);
}

/** Name of its `_metadata`; a `UsageError` where there is none. */
async function metadataIn(disk: Disk, path: string): Promise<string> {
  for (const name of [METADATA, GIVEN_UP]) if (await disk.exists(`${path}/${name}`)) return name;
  throw new UsageError(
    `${path} is no savepoint: there is no file ${METADATA} in it. Give the directory that was printed when the savepoint was taken.`,
  );
}
