/**
 * What the file sink needs of a file system, as few and as small operations as possible, so that a test can stop between any two and a
 * simulation can be one. What fails does so with an error whose `code` is that of Node (`ENOENT`, `EEXIST`, `ENOSPC` …).
 *
 * Three things outlast a crash of the machine: contents of a file when its `sync` has resolved, names in a directory when `syncDirectory` has,
 * and directories when `makeDirectory` has.
 */

import { closeSync, createReadStream, openSync, unlinkSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { makeSafeDirectories, syncDirectory } from '#base/directories.ts';
import { fsync, readdir, rename, stat, unlink } from '#base/files.ts';

export interface OutputDisk {
  /** Makes a file, at once. `EEXIST` if the name is taken. */
  create(path: string): OutputFile;
  /** Bytes of a file; null: it is not there. */
  sizeOf(path: string): Promise<number | null>;
  /** CRC-32 of a file's contents. */
  checksumOf(path: string): Promise<number>;
  /** Atomically; a file that has the new name is replaced. */
  rename(from: string, to: string): Promise<void>;
  /** A file. */
  remove(path: string): Promise<void>;
  /** With those above it; nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Names in it, in no order. */
  list(path: string): Promise<string[]>;
  syncDirectory(path: string): Promise<void>;
}

/** A file that is being written. */
export interface OutputFile {
  /** Appends, at once. */
  write(bytes: Uint8Array): void;
  sync(): Promise<void>;
  close(): void;
  /** Closes and removes it, at once. */
  discard(): void;
}

/** The machine's own. */
export const nodeDisk: OutputDisk = {
  create(path) {
    const fd = openSync(path, 'wx');
    return {
      write(bytes) {
        for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
      },
      sync: () => fsync(fd),
      close: () => closeSync(fd),
      discard() {
        closeSync(fd);
        unlinkSync(path);
      },
    };
  },
  sizeOf: (path) =>
    stat(path).then(
      ({ size }) => size,
      (error: unknown) => {
        if (codeOf(error) === 'ENOENT') return null;
        throw error;
      },
    ),
  async checksumOf(path) {
    let checksum = 0;
    for await (const chunk of createReadStream(path)) checksum = crc32(chunk as Buffer, checksum);
    return checksum;
  },
  rename,
  remove: unlink,
  makeDirectory: makeSafeDirectories,
  list: (path) => readdir(path),
  syncDirectory,
};

/** Node's code of an error. */
export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
