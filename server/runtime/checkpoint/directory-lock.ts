/**
 * One process at a time works in a directory. Whoever wants it leaves a file there that carries the name of the process, and then looks for
 * others: those whose process has ended are removed, one that lives is an error. No file is ever taken over, so that there is no moment at
 * which two can think that they have it; at worst two that start at the same time both refuse.
 */

import { WeirError } from '#base/errors.ts';
import { type Disk, diskCode, unlessMissing } from './disk.ts';

export interface ProcessIdentity {
  /** Tells this process from every other one that was or will be on this machine; fit for the name of a file. */
  readonly self: string;
  /** Whether the process of that name still lives. */
  alive(name: string): boolean;
  /** The process in words: `process 4711`. */
  describe(name: string): string;
}

const PREFIX = 'lock-';

/** The process other than `who` that has a lock among these files of a directory and lives, in words; null: there is none. */
export function holderAmong(names: readonly string[], who: ProcessIdentity): string | null {
  const holders = names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
  const other = holders.find((holder) => holder !== who.self && who.alive(holder));
  return other === undefined ? null : who.describe(other);
}

export class DirectoryLock {
  readonly #disk: Disk;
  /** Of the file. */
  readonly path: string;

  private constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.path = path;
  }

  /** `what`: that whoever is refused should keep elsewhere. */
  static async take(
    disk: Disk,
    directory: string,
    who: ProcessIdentity,
    what = 'its checkpoints',
  ): Promise<DirectoryLock> {
    const path = `${directory}/${PREFIX}${who.self}`;
    try {
      await disk.write(path, []);
    } catch (error) {
      if (diskCode(error) !== 'EEXIST') throw error;
      throw held(directory, 'another job of this process', what);
    }
    const lock = new DirectoryLock(disk, path);
    try {
      for (const name of await disk.list(directory)) {
        const other = name.slice(PREFIX.length);
        if (!name.startsWith(PREFIX) || other === who.self) continue;
        if (who.alive(other)) throw held(directory, who.describe(other), what);
        await unlessMissing(disk.remove(`${directory}/${name}`));
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
    return lock;
  }

  async release(): Promise<void> {
    await unlessMissing(this.#disk.remove(this.path));
  }
}

function held(directory: string, who: string, what: string): WeirError {
  return new WeirError(
    'CHECKPOINT_DIRECTORY_IN_USE',
    `${directory} is used by ${who}. Stop it first, or give this job another directory for ${what}.`,
  );
}
