/** Makes staged parts visible, and takes back what a lost checkpoint has left (`part-files.ts`). */

import { join } from 'node:path';
import { messageOf, WeirError } from '#base/errors.ts';
import type { Committer, SinkRecovery } from '#engine/io/sink.ts';
import { numbersOf, type PieceNumbers, someOf } from '../piece-numbers.ts';
import type { OutputDisk } from './output-disk.ts';
import { type Part, partOf, type StagedPart, stagedName, withdrawnName } from './part-files.ts';

export class PartCommitter implements Committer<StagedPart> {
  readonly #directory: string;
  readonly #disk: OutputDisk;

  constructor(directory: string, disk: OutputDisk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  async commit(parts: readonly StagedPart[]): Promise<never[]> {
    for (const { name, place } of await findAll(this.#disk, this.#directory, parts)) {
      if (place === 'staged') await this.#rename(stagedName(name), name);
    }
    await doing(this.#directory, 'cannot be synced', () => this.#disk.syncDirectory(this.#directory));
    return [];
  }

  #rename(from: string, to: string): Promise<void> {
    return doing(join(this.#directory, from), `cannot be renamed to ${to}`, () =>
      this.#disk.rename(join(this.#directory, from), join(this.#directory, to)),
    );
  }
}

/**
 * Brings a directory to what the restored checkpoint knows: leftovers go, and parts that became visible with a later checkpoint, which is
 * lost, are withdrawn. They stay as hidden files: a checkpoint may have been chosen by mistake. Gives a sentence about them.
 *
 * `owns`: which parts are those of this sink. Anything else is not touched. A part that the checkpoint knows and that is gone, or damaged, is
 * an error: it cannot be resumed from.
 */
export async function recoverParts(
  disk: OutputDisk,
  directory: string,
  owns: (part: Part) => boolean,
  restored: SinkRecovery<StagedPart, PieceNumbers> | null,
): Promise<string[]> {
  const names = await doing(directory, 'cannot be used for output', async () => {
    await disk.makeDirectory(directory);
    return disk.list(directory);
  });
  const known = numbersOf(restored?.states ?? []);
  const handed = restored?.committables ?? [];
  const pending = new Set(handed.map(({ name }) => name));
  await findAll(disk, directory, handed);
  const withdrawn: string[] = [];
  const parts = names.flatMap((file) => {
    const part = partOf(file);
    return part !== null && owns(part) ? [{ file, part }] : [];
  });
  parts.sort((a, b) => a.part.subtask - b.part.subtask || a.part.n - b.part.n);
  for (const { file, part } of parts) {
    if (part.state === 'staged' && !pending.has(part.name)) {
      await doing(join(directory, file), 'cannot be removed', () => disk.remove(join(directory, file)));
    }
    if (part.state === 'visible' && part.n >= (known.get(part.subtask) ?? 0)) {
      await doing(join(directory, file), 'cannot be withdrawn', () =>
        disk.rename(join(directory, file), join(directory, withdrawnName(file))),
      );
      withdrawn.push(file);
    }
  }
  await doing(directory, 'cannot be synced', () => disk.syncDirectory(directory));
  if (withdrawn.length === 0) return [];
  const count = withdrawn.length === 1 ? '1 part' : `${withdrawn.length} parts`;
  const why = restored === null ? 'the job begins anew' : 'the checkpoint that it goes on from is older';
  return [
    `${directory}: ${count} withdrawn, because ${why}: ${someOf(withdrawn)}; kept as ${withdrawnName('…')}. Their rows come again in later parts.`,
  ];
}

/** Where parts that were handed over are; that they are somewhere, and as long as they were. */
async function findAll(
  disk: OutputDisk,
  directory: string,
  parts: readonly StagedPart[],
): Promise<{ readonly name: string; readonly place: 'staged' | 'visible' }[]> {
  const sizeOf = (file: string): Promise<number | null> =>
    doing(join(directory, file), 'cannot be read', () => disk.sizeOf(join(directory, file)));
  const found: { name: string; place: 'staged' | 'visible' }[] = [];
  for (const { name, bytes } of parts) {
    const staged = await sizeOf(stagedName(name));
    const visible = await sizeOf(name);
    const path = join(directory, name);
    if (staged !== null && visible !== null) {
      throw new WeirError(
        'PART_EXISTS',
        `${path} exists already and is never changed; ${stagedName(name)} stays as it is.`,
      );
    }
    const size = staged ?? visible;
    if (size === null) {
      throw new WeirError(
        'PART_LOST',
        `${path} does not exist, and ${stagedName(name)} is gone: its rows are lost. Resume from an older checkpoint, which writes them again.`,
      );
    }
    if (size !== bytes) {
      throw new WeirError(
        'PART_DAMAGED',
        `${staged === null ? path : join(directory, stagedName(name))} has ${size} bytes instead of ${bytes}: the disk has lost what it said was synced. Resume from an older checkpoint, which writes its rows again.`,
      );
    }
    found.push({ name, place: staged === null ? 'visible' : 'staged' });
  }
  return found;
}

async function doing<T>(path: string, what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new WeirError('PART_COMMIT', `${path} ${what}: ${messageOf(error)}.`, { cause: error });
  }
}
