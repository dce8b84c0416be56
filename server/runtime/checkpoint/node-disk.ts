/** The disk of this machine. */

import { makeSafeDirectories, syncDirectory } from '#base/directories.ts';
import { access, close, fsync, open, read, readdir, readFile, rename, rmdir, unlink, writev } from '#base/files.ts';
import type { ByteRange, Content, Disk } from './disk.ts';

/** Bytes that go to the operating system at a time. */
const WRITE_BYTES = 4 << 20;
/** Pieces that do: what `writev` takes at least on every system. */
const WRITE_PIECES = 1024;

export class NodeDisk implements Disk {
  async write(path: string, pieces: Content): Promise<void> {
    const file = await open(path, 'wx');
    try {
      for await (const group of groups(pieces)) {
        let rest = group;
        while (rest.length > 0) rest = behind(rest, (await writev(file, rest)).bytesWritten);
      }
      await fsync(file);
    } finally {
      await close(file);
    }
  }

  async read(path: string): Promise<Uint8Array> {
    const { buffer, byteOffset, length } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, length);
  }

  async readRanges(path: string, ranges: readonly ByteRange[]): Promise<Uint8Array[]> {
    const file = await open(path, 'r');
    try {
      const parts: Uint8Array[] = [];
      for (const { offset, length } of ranges) {
        const part = new Uint8Array(length);
        let got = 0;
        while (got < length) {
          const { bytesRead } = await read(file, part, got, length - got, offset + got);
          if (bytesRead === 0) break;
          got += bytesRead;
        }
        parts.push(part.subarray(0, got));
      }
      return parts;
    } finally {
      await close(file);
    }
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to);
  }

  remove(path: string): Promise<void> {
    return unlink(path);
  }

  makeDirectory(path: string): Promise<void> {
    return makeSafeDirectories(path);
  }

  removeDirectory(path: string): Promise<void> {
    return rmdir(path);
  }

  async list(path: string): Promise<string[]> {
    return (await readdir(path)).sort();
  }

  syncDirectory(path: string): Promise<void> {
    return syncDirectory(path);
  }

  async exists(path: string): Promise<boolean> {
    try {
      await access(path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
}

/** In portions of a size that the operating system takes at a time. */
async function* groups(pieces: Content): AsyncIterable<Uint8Array[]> {
  let group: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    group.push(piece);
    bytes += piece.length;
    if (bytes < WRITE_BYTES && group.length < WRITE_PIECES) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

/** What is left of the pieces when so many bytes are written. */
function behind(pieces: Uint8Array[], written: number): Uint8Array[] {
  let skip = written;
  let first = 0;
  while (first < pieces.length && skip >= (pieces[first] as Uint8Array).length) {
    skip -= (pieces[first] as Uint8Array).length;
    first++;
  }
  if (skip === 0) return pieces.slice(first);
  return [(pieces[first] as Uint8Array).subarray(skip), ...pieces.slice(first + 1)];
}
