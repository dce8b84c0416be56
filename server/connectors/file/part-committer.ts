/** Makes staged parts visible, and takes back what a lost checkpoint has left (`part-files.ts`). */

import { join } from 'node:path';
import { syncNames } from '#base/directories.ts';
import { messageOf, WeirError } from '#base/errors.ts';
import type { Committer, SinkRecovery } from '#engine/io/sink.ts';
import { someOf } from '../piece-numbers.ts';
import type { OutputDisk } from './output-disk.ts';
import { type Part, partOf, type StagedPart, stagedName, withdrawnName } from './part-files.ts';
import { damageOf, type PartWriterState, runsOf } from './written-parts.ts';

export class PartCommitter implements Committer<StagedPart> {
  readonly #directory: string;
  readonly #disk: OutputDisk;

  constructor(directory: string, disk: OutputDisk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  async commit(parts: readonly StagedPart[]): Promise<never[]> {
    for (const { part, file } of await findAll(this.#disk, this.#directory, parts)) {
      if (file !== part.name) await this.#rename(file, part.name);
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

export interface PartRecovery {
  /** Which parts are those of this sink, or of those of its writers that have failed. Anything else is not touched. */
  readonly owns: (part: Part) => boolean;
  /** Parts that these commit again. */
  readonly handed: readonly StagedPart[];
  readonly restored: SinkRecovery<StagedPart, PartWriterState> | null;
  /** What savepoints that still exist have staged; null: that cannot be known now. */
  readonly savepoints: () => Promise<readonly StagedPart[] | null>;
  /** What was written last is read: parts that are committed and damaged cannot be repaired, and a sentence names them. */
  readonly look: boolean;
}

/**
 * Brings a directory to what the restored checkpoint knows. Leftovers go, but for what a savepoint has staged: whoever goes back to that commits it.
 * Parts that became visible with a later checkpoint, which is lost, are withdrawn. They stay as hidden files, since a checkpoint may have been
 * chosen by mistake, and come back when the job goes on from one that knows them. Gives a sentence about them.
 *
 * A part that is to be committed and is gone, or damaged, is an error: the checkpoint cannot be resumed from.
 */
export async function recoverParts(
  disk: OutputDisk,
  directory: string,
  { owns, handed, restored, savepoints, look }: PartRecovery,
): Promise<string[]> {
  const names = await doing(directory, 'cannot be used for output', async () => {
    await disk.makeDirectory(directory);
    if (look) await syncNames(disk, directory);
    return disk.list(directory);
  });
  const states = restored?.states ?? [];
  const runs = runsOf(states);
  const isOwn = ({ subtask, n }: Part): boolean =>
    runs.some(([of, from, end]) => of === subtask && from <= n && n < end);
  const pending = new Set((restored?.committables ?? []).map(({ name }) => name));
  await soundParts(disk, directory, handed, look);
  const parts = names.flatMap((file) => {
    const part = partOf(file);
    return part !== null && owns(part) ? [{ file, part }] : [];
  });
  parts.sort((a, b) => a.part.subtask - b.part.subtask || a.part.n - b.part.n);
  const damaged: string[] = [];
  const committed = states.flatMap((state) => state.parts).filter(({ name }) => !pending.has(name));
  for (const { file, part } of parts) {
    if (part.state !== 'withdrawn' || !isOwn(part) || pending.has(part.name) || names.includes(part.name)) continue;
    await doing(join(directory, file), 'cannot be taken back', () =>
      disk.rename(join(directory, file), join(directory, part.name)),
    );
  }
  if (look) {
    for (const part of committed) {
      const damage = await doing(directory, 'cannot be read', () => damageOf(disk, directory, part.name, part));
      if (damage !== null) damaged.push(damage);
    }
  }
  const withdrawn: string[] = [];
  const leftOver = parts.filter(({ part }) => part.state === 'staged' && !pending.has(part.name));
  const needed = leftOver.length === 0 ? [] : await savepoints();
  const kept = new Set((needed ?? leftOver.map(({ part }) => part)).map(({ name }) => name));
  for (const { file, part } of parts) {
    if (part.state === 'staged' && !pending.has(part.name) && !kept.has(part.name)) {
      await doing(join(directory, file), 'cannot be removed', () => disk.remove(join(directory, file)));
    }
    if (part.state === 'visible' && !isOwn(part)) {
      await doing(join(directory, file), 'cannot be withdrawn', () =>
        disk.rename(join(directory, file), join(directory, withdrawnName(file))),
      );
      withdrawn.push(file);
    }
  }
  await doing(directory, 'cannot be synced', () => disk.syncDirectory(directory));
  const losses = damaged.map(
    (damage) =>
      `${damage}: the disk has lost what it said was synced, or somebody has changed it. Its rows were committed and do not come again; to have them written again resume from an older checkpoint.`,
  );
  if (withdrawn.length === 0) return losses;
  const count = withdrawn.length === 1 ? '1 part' : `${withdrawn.length} parts`;
  const why = restored === null ? 'the job begins anew' : 'the checkpoint that it goes on from is older';
  return [
    ...losses,
    `${directory}: ${count} withdrawn, because ${why}: ${someOf(withdrawn)}; kept as ${withdrawnName('…')}. Their rows come again in later parts.`,
  ];
}

/** What is wrong with parts that a checkpoint still has to commit, or has committed; null: nothing. With `look` they are read. */
export async function damageOfParts(
  disk: OutputDisk,
  directory: string,
  parts: readonly StagedPart[],
  look: boolean,
): Promise<string | null> {
  try {
    await soundParts(disk, directory, parts, look);
    return null;
  } catch (error) {
    if (error instanceof WeirError && (error.code === 'PART_LOST' || error.code === 'PART_DAMAGED'))
      return error.message;
    throw error;
  }
}

/** Throws where one is not as it was handed over. */
async function soundParts(
  disk: OutputDisk,
  directory: string,
  parts: readonly StagedPart[],
  look: boolean,
): Promise<void> {
  const found = await findAll(disk, directory, parts);
  if (!look) return;
  for (const { part, file } of found) {
    const damage = await doing(directory, 'cannot be read', () => damageOf(disk, directory, file, part));
    if (damage !== null) throw damagedPart(damage);
  }
}

interface FoundPart {
  readonly part: StagedPart;
  /** Staged, visible, or withdrawn since. */
  readonly file: string;
}

function damagedPart(damage: string): WeirError {
  return new WeirError(
    'PART_DAMAGED',
    `${damage}: the disk has lost what it said was synced, or somebody has changed it. An older checkpoint writes its rows again.`,
  );
}

/** Where parts that were handed over are; that they are somewhere, and as long as they were. */
async function findAll(disk: OutputDisk, directory: string, parts: readonly StagedPart[]): Promise<FoundPart[]> {
  const sizeOf = (file: string): Promise<number | null> =>
    doing(join(directory, file), 'cannot be read', () => disk.sizeOf(join(directory, file)));
  const found: FoundPart[] = [];
  for (const part of parts) {
    const { name, bytes } = part;
    const places: { readonly file: string; readonly size: number }[] = [];
    for (const file of [stagedName(name), name, withdrawnName(name)]) {
      const size = await sizeOf(file);
      if (size !== null) places.push({ file, size });
    }
    const path = join(directory, name);
    const [place, another] = places;
    if (place === undefined) {
      throw new WeirError(
        'PART_LOST',
        `${path} does not exist, and ${stagedName(name)} is gone: its rows are lost. An older checkpoint writes them again.`,
      );
    }
    if (another !== undefined) {
      throw new WeirError(
        'PART_EXISTS',
        `${join(directory, another.file)} exists already and is never changed; ${place.file} stays as it is.`,
      );
    }
    const { file, size } = place;
    if (size !== bytes) throw damagedPart(`${join(directory, file)} has ${size} bytes instead of ${bytes}`);
    found.push({ part, file });
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
