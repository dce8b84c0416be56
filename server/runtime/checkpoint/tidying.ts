/**
 * Removes what checkpoints have left behind. That it cannot is no failure: it tells, and tries again with the next checkpoint.
 */

import type { WeirError } from '#base/errors.ts';
import { type Disk, unlessMissing } from './disk.ts';
import { checkpointDirectories, disposeSavepoint, removeCheckpoint, SHARED } from './savepoints.ts';
import { storageError } from './storage-error.ts';

/** How many checkpoints later files of a discarded one are still looked for: a writer may not have heard of it yet. */
const REMEMBERED = 100;

export class Tidying {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #warn: (problem: WeirError) => void;
  /** Paths of checkpoints that are to go. */
  #goners = new Set<string>();
  /** Numbers of those that will never be complete. */
  readonly #discarded = new Set<number>();

  constructor(disk: Disk, root: string, warn: (problem: WeirError) => void) {
    this.#disk = disk;
    this.#root = root;
    this.#warn = warn;
  }

  /** A checkpoint or savepoint nobody needs any more. */
  remove(path: string): void {
    this.#goners.add(path);
  }

  /** Whatever was written for it is to go. */
  discard(checkpoint: number): void {
    this.#discarded.add(checkpoint);
  }

  /** `needed`: shared files that stay; so do those of checkpoints from `pending` on that were not discarded. */
  async run(needed: ReadonlySet<string>, pending: number): Promise<void> {
    const goners = this.#goners;
    this.#goners = new Set();
    for (const path of goners) {
      if (!(await this.#attempt(path, () => this.#removeOne(path)))) this.#goners.add(path);
    }
    await this.#attempt(this.#root, async () => {
      for (const { id, path } of await checkpointDirectories(this.#disk, this.#root)) {
        if (this.#discarded.has(id)) await removeCheckpoint(this.#disk, path);
      }
    });
    await this.#attempt(`${this.#root}/${SHARED}`, async () => {
      for (const name of await this.#disk.list(`${this.#root}/${SHARED}`)) {
        const file = `${SHARED}/${name}`;
        const number = numberOf(name);
        if (needed.has(file) || (number >= pending && !this.#discarded.has(number))) continue;
        await unlessMissing(this.#disk.remove(`${this.#root}/${file}`));
      }
    });
    for (const id of this.#discarded) if (id < pending - REMEMBERED) this.#discarded.delete(id);
  }

  /** Shared files of this job are looked after by `run`; those of another one, whose checkpoint was claimed, go here. */
  #removeOne(path: string): Promise<void> {
    return path.startsWith(`${this.#root}/`) ? removeCheckpoint(this.#disk, path) : this.#removeForeign(path);
  }

  async #removeForeign(path: string): Promise<void> {
    await disposeSavepoint(this.#disk, path).catch((error: unknown) => {
      // Not a savepoint: one that was never completed, or is gone already.
      if ((error as { code?: unknown }).code !== 'USAGE') throw error;
      return removeCheckpoint(this.#disk, path);
    });
  }

  async #attempt(path: string, remove: () => Promise<void>): Promise<boolean> {
    try {
      await remove();
      return true;
    } catch (error) {
      this.#warn(storageError('Old checkpoints could not be removed', path, error));
      return false;
    }
  }
}

/** The checkpoint that wrote a shared file. */
export function numberOf(file: string): number {
  const number = Number.parseInt(file, 10);
  return Number.isNaN(number) ? 0 : number;
}
