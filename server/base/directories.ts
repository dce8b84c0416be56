/** Directories with those above them, and the true reason where that cannot be; and how they outlast a crash of the machine. */

import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { close, fsync, open } from './files.ts';

/**
 * Gives the first one that was made; undefined: all were there. One after the other: asked for all of them at once, Node calls a file system that is
 * read-only a missing one, and tries for ever below `/proc`.
 */
export function makeDirectories(path: string): string | undefined {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.unshift(at);
  // That says so where it is a file.
  if (missing.length === 0) return mkdirSync(path, { recursive: true });
  let first: string | undefined;
  for (const directory of missing) {
    try {
      mkdirSync(directory);
      first ??= directory;
    } catch (error) {
      // Somebody else has made it meanwhile.
      if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw error;
    }
  }
  return first;
}

/** As `makeDirectories`; their names are safe once it has resolved. */
export async function makeSafeDirectories(path: string): Promise<void> {
  const first = makeDirectories(path);
  if (first === undefined) return;
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** Some file systems cannot sync a directory; its names stand all the same. */
const CANNOT_SYNC = new Set(['EINVAL', 'ENOTSUP']);

/** Names in it are safe once it has resolved. */
export async function syncDirectory(path: string): Promise<void> {
  // There is no such thing on Windows, where a directory cannot be opened: names there are as safe as they get.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await fsync(directory);
  } catch (error) {
    if (!CANNOT_SYNC.has(String((error as { code?: unknown }).code))) throw error;
  } finally {
    await close(directory);
  }
}

/** Where nothing can be written nothing waits to be. */
const NOT_OURS = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL']);

/**
 * Syncs the name of a directory that is there, and of all above it: another process may have made it and been killed before it had. What may not be
 * synced was not made by that one.
 */
export async function syncNames(disk: { syncDirectory(path: string): Promise<void> }, path: string): Promise<void> {
  for (let at = resolve(path); at !== dirname(at); at = dirname(at)) {
    try {
      await disk.syncDirectory(dirname(at));
    } catch (error) {
      if (!NOT_OURS.has(String((error as { code?: unknown }).code))) throw error;
    }
  }
}
