/** Reads the state of one operator out of a checkpoint: for all subtasks that wrote it, but only the key groups that are wanted. */

import { crc32 } from 'node:zlib';
import type { KeyedBlock } from '#engine/state/keyed-blocks.ts';
import { EMPTY_SNAPSHOT, type OperatorSnapshot, type RestoredSnapshot } from '#engine/state/snapshot.ts';
import type { ByteRange, Disk } from './disk.ts';
import { contentOf, diskCode } from './disk.ts';
import { decodeIndex, decodeOwn, isIntact, OWN, type Section } from './state-file.ts';
import {
  filesOf,
  type OperatorEntry,
  type OperatorStateHandles,
  type StateFile,
  type SubtaskStateHandle,
} from './state-handle.ts';
import { CorruptState, storageError } from './storage-error.ts';

/** Ranges of a file that are no further apart are read at one go, with what lies between. */
const GAP_BYTES = 32 << 10;

/** What a subtask that had finished is like: nothing is left, and it holds no watermark back. */
const FINISHED: OperatorSnapshot = { ...EMPTY_SNAPSHOT, watermark: Number.POSITIVE_INFINITY };

/**
 * Snapshots in the order of the subtasks that wrote them, each with the key groups of the range (inclusive) only; those that are large come bit by bit. Throws
 * `CorruptState`, and so does what comes later, where the bytes are not those that were written.
 */
export function openOperator(
  disk: Disk,
  state: OperatorStateHandles,
  [first, last]: readonly [first: number, last: number],
): Promise<RestoredSnapshot[]> {
  const wanted = (group: number): boolean => group >= first && group <= last;
  return Promise.all(
    state.subtasks.map((handle, subtask) =>
      handle === null ? FINISHED : openSubtask(disk, state, handle, `${state.name} (${subtask + 1})`, wanted),
    ),
  );
}

/** The same, all of it in memory. */
export async function readOperator(
  disk: Disk,
  state: OperatorStateHandles,
  range: readonly [first: number, last: number],
): Promise<OperatorSnapshot[]> {
  const snapshots = await openOperator(disk, state, range);
  return Promise.all(
    snapshots.map(async ({ rest, keyed, ...own }) => {
      const blocks = [...keyed];
      for await (const block of rest ?? []) blocks.push(block);
      return { ...own, keyed: blocks };
    }),
  );
}

/** What of a subtask's state is read at a time, bytes. */
const WINDOW_BYTES = 4 << 20;

async function openSubtask(
  disk: Disk,
  { operator, root }: OperatorStateHandles,
  handle: SubtaskStateHandle,
  who: string,
  wanted: (group: number) => boolean,
): Promise<RestoredSnapshot> {
  const entry = handle.operators.find(({ id }) => id === operator);
  if (entry === undefined) return EMPTY_SNAPSHOT;
  const files = new SubtaskFiles(disk, root, filesOf(handle), who);
  const all = await files.index(entry);
  const own = all.find(({ group }) => group === OWN);
  const groups = all.filter(({ group }) => group !== OWN && wanted(group));
  const [now, ...later] = windows(own === undefined ? groups : [own, ...groups]);
  const bytes = await files.read(now ?? []);
  const keyed = blocksOf(now ?? [], bytes);
  const known = { ...(own === undefined ? EMPTY_SNAPSHOT : decodeOwn(bytes[0] as Uint8Array)), keyed };
  if (later.length === 0) return known;
  const rest = async function* (): AsyncGenerator<KeyedBlock> {
    for (const window of later) yield* blocksOf(window, await files.read(window));
  };
  return { ...known, rest: rest() };
}

function blocksOf(sections: readonly Section[], bytes: readonly Uint8Array[]): KeyedBlock[] {
  return sections.flatMap(({ group }, i): KeyedBlock[] => (group === OWN ? [] : [[group, bytes[i] as Uint8Array]]));
}

function windows(sections: readonly Section[]): Section[][] {
  const all: Section[][] = [];
  let room = 0;
  for (const section of sections) {
    if (room <= 0) {
      all.push([]);
      room = WINDOW_BYTES;
    }
    all.at(-1)?.push(section);
    room -= section.length;
  }
  return all;
}

/** The files that hold the state of one subtask. */
class SubtaskFiles {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #files: readonly StateFile[];
  readonly #who: string;

  /** `who`: the subtask, for errors. */
  constructor(disk: Disk, root: string, files: readonly StateFile[], who: string) {
    this.#disk = disk;
    this.#root = root;
    this.#files = files;
    this.#who = who;
  }

  async index(entry: OperatorEntry): Promise<Section[]> {
    const path = this.#where(0);
    const [index] = await readRanges(this.#disk, path, this.#who, [entry]);
    return decodeIndex(index as Uint8Array, `State of ${this.#who} in ${path} at byte ${entry.offset}`);
  }

  /** The bytes of these sections, compared with what is known of them. */
  async read(sections: readonly Section[]): Promise<Uint8Array[]> {
    const needed = this.#files.map((): ByteRange[] => []);
    for (const { extents } of sections) for (const extent of extents) needed[extent.file]?.push(extent);
    const contents = await Promise.all(
      needed.map(
        async (ranges, file) => new Contents(await readRuns(this.#disk, this.#where(file), this.#who, ranges)),
      ),
    );
    const all: Uint8Array[] = [];
    for (const section of sections) {
      const bytes = join(section, contents);
      if (!isIntact(bytes, section)) {
        throw await culprit(this.#disk, this.#root, this.#files, section, this.#who);
      }
      all.push(bytes);
    }
    return all;
  }

  #where(file: number): string {
    return `${this.#root}/${(this.#files[file] as StateFile).path}`;
  }
}

/** Parts of a file that were read, to be asked for by their place in it. */
class Contents {
  readonly #runs: readonly (ByteRange & { readonly bytes: Uint8Array })[];

  constructor(runs: readonly (ByteRange & { readonly bytes: Uint8Array })[]) {
    this.#runs = runs;
  }

  at({ offset, length }: ByteRange): Uint8Array {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#runs[middle] as ByteRange).offset <= offset) low = middle;
      else high = middle - 1;
    }
    const run = this.#runs[low];
    return run === undefined
      ? new Uint8Array(0)
      : run.bytes.subarray(offset - run.offset, offset - run.offset + length);
  }
}

/** Reads what covers the ranges in few and large steps. */
async function readRuns(
  disk: Disk,
  path: string,
  who: string,
  ranges: readonly ByteRange[],
): Promise<(ByteRange & { bytes: Uint8Array })[]> {
  if (ranges.length === 0) return [];
  const runs: { offset: number; length: number }[] = [];
  for (const { offset, length } of [...ranges].sort((a, b) => a.offset - b.offset)) {
    const before = runs.at(-1);
    if (before !== undefined && offset - (before.offset + before.length) <= GAP_BYTES) {
      before.length = Math.max(before.length, offset + length - before.offset);
    } else runs.push({ offset, length });
  }
  const bytes = await readRanges(disk, path, who, runs);
  return runs.map((run, i) => ({ ...run, bytes: bytes[i] as Uint8Array }));
}

async function readRanges(
  disk: Disk,
  path: string,
  who: string,
  ranges: readonly ByteRange[],
): Promise<readonly Uint8Array[]> {
  try {
    return await disk.readRanges(path, ranges);
  } catch (error) {
    throw readError(`State of ${who} could not be read`, path, error);
  }
}

/** Missing and unreadable parts are damage; what the file system forbids is not. */
export function readError(what: string, path: string, error: unknown): Error {
  const code = diskCode(error);
  const refused = storageError(what, path, error);
  return code === 'ENOENT' || code === 'EIO' ? new CorruptState(refused.message, { cause: error }) : refused;
}

function join(section: Section, contents: readonly Contents[]): Uint8Array {
  const parts = section.extents.map((extent) => (contents[extent.file] as Contents).at(extent));
  if (parts.length === 1) return parts[0] as Uint8Array;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Names the file that is damaged, of all that a section is made of. */
async function culprit(
  disk: Disk,
  root: string,
  files: readonly StateFile[],
  section: Section,
  who: string,
): Promise<CorruptState> {
  const what = section.group === OWN ? 'its own state' : `key group ${section.group}`;
  for (const [i, file] of files.entries()) {
    const extent = section.extents.find((e) => e.file === i);
    if (extent === undefined || (await damageOf(disk, root, file)) === null) continue;
    return new CorruptState(`State of ${who}, ${what}: ${root}/${file.path} is damaged near byte ${extent.offset}.`);
  }
  return new CorruptState(`State of ${who}, ${what}: ${root}/${(files[0] as StateFile).path} does not fit together.`);
}

/** What is wrong with a file, for people; null: nothing. Throws where it may not be read. */
export async function damageOf(
  disk: Disk,
  root: string,
  { path, bytes, crc32: expected }: StateFile,
): Promise<string | null> {
  const full = `${root}/${path}`;
  let length = 0;
  let checksum = 0;
  try {
    for await (const part of contentOf(disk, full)) {
      length += part.length;
      checksum = crc32(part, checksum);
    }
  } catch (error) {
    const code = diskCode(error);
    if (code === 'ENOENT') return `${full} is missing.`;
    if (code === 'EIO') return `${full} cannot be read (EIO): the disk reports a defect.`;
    throw storageError('A checkpoint could not be read', full, error);
  }
  if (length !== bytes) return `${full} has ${length} bytes instead of ${bytes}.`;
  return checksum === expected ? null : `${full} is damaged (its checksum is wrong).`;
}
