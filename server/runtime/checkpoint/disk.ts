/**
 * What checkpoints need of a file system, as few and as small operations as possible, so that a simulation can be one
 * (`testing/simulated-disk.ts`) and stop between any two. Paths are absolute. Whatever fails rejects with an error whose `code` is that of
 * Node (`ENOENT`, `EEXIST`, `ENOSPC`, `EACCES`, `EROFS` …).
 *
 * Three things outlast a crash of the machine: the contents of a file when `write` has resolved, the names in a directory when
 * `syncDirectory` has, and directories when `makeDirectory` has.
 */
export interface Disk {
  /**
   * Writes a new file of these pieces, one behind the other, and syncs its contents. `EEXIST` if the name is taken. Pieces that come by and by are
   * asked for as they can be written; where they fail the file is left as it is.
   */
  write(path: string, pieces: Content): Promise<void>;
  /** What it gives is a plain `Uint8Array`, no `Buffer`: their `slice` does not copy. */
  read(path: string): Promise<Uint8Array>;
  /** Parts of one file, in the order asked for. Shorter than asked where the file ends before. */
  readRanges(path: string, ranges: readonly ByteRange[]): Promise<Uint8Array[]>;
  /** Atomically; a file that has the new name is replaced. `EXDEV`: the new name is on another file system. */
  rename(from: string, to: string): Promise<void>;
  /** A file. */
  remove(path: string): Promise<void>;
  /** With those above it, their names synced; nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  /** An empty one. */
  removeDirectory(path: string): Promise<void>;
  /** Names of files and directories in it, sorted. */
  list(path: string): Promise<string[]>;
  syncDirectory(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
}

export type Content = readonly Uint8Array[] | AsyncIterable<Uint8Array>;

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** `ENOENT` and its like; null: not an error of a disk. */
export function diskCode(error: unknown): string | null {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

/** Does what the promise does, and nothing where the file or directory is not there. */
export async function unlessMissing(operation: Promise<void>): Promise<void> {
  try {
    await operation;
  } catch (error) {
    if (diskCode(error) !== 'ENOENT') throw error;
  }
}

/** Copies a directory with everything in it, synced, to a name that is not taken. */
export async function copyTree(disk: Disk, from: string, to: string): Promise<void> {
  await disk.makeDirectory(to);
  for (const name of await disk.list(from)) await disk.write(`${to}/${name}`, contentOf(disk, `${from}/${name}`));
  await disk.syncDirectory(to);
}

/** Bytes of a file that are in memory at a time. */
const READ_BYTES = 4 << 20;

/** A file from its beginning to its end, however large. */
export async function* contentOf(disk: Disk, path: string): AsyncGenerator<Uint8Array, void, void> {
  for (let offset = 0; ; ) {
    const [part] = (await disk.readRanges(path, [{ offset, length: READ_BYTES }])) as [Uint8Array];
    if (part.length > 0) yield part;
    if (part.length < READ_BYTES) return;
    offset += part.length;
  }
}
