/** One process at a time writes to an output directory: what two of them write there would be the results of neither. */

import { readdirSync, rmSync } from 'node:fs';
import { UsageError } from '#base/errors.ts';
import { DirectoryLock, holderAmong } from '#runtime/checkpoint/directory-lock.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import { thisProcess } from '#runtime/checkpoint/node-process.ts';

/** Throws a `UsageError` where somebody writes there. Changes nothing. */
export function refuseUsedOutput(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    // What is wrong with it is said by whoever uses it.
    return;
  }
  const holder = holderAmong(names, thisProcess());
  if (holder !== null)
    throw new UsageError(
      `${directory}: results are written there by ${holder}; stop it first, or choose another directory.`,
    );
}

/** It is this process's until that ends; null: there is no output. */
export async function takeOutput(directory: string | null): Promise<void> {
  if (directory === null) return;
  const { path } = await DirectoryLock.take(new NodeDisk(), directory, thisProcess(), 'its results');
  process.once('exit', () => rmSync(path, { force: true }));
}
