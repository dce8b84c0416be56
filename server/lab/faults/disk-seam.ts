/** A disk that others can be put in front of while it is used: the seam through which faults reach what checkpoints write. */

import type { ByteRange, Content, Disk } from '#runtime/checkpoint/disk.ts';
import { type DiskEffect, tagOf } from './orders.ts';

export class DiskSeam implements Disk {
  readonly #real: Disk;
  /** By fault. */
  readonly #effects = new Map<number, DiskEffect>();
  #disk: Disk;

  constructor(real: Disk) {
    this.#real = real;
    this.#disk = real;
  }

  begin(fault: number, effect: DiskEffect): void {
    this.#effects.set(fault, effect);
    this.#stack();
  }

  end(fault: number): void {
    this.#effects.delete(fault);
    this.#stack();
  }

  #stack(): void {
    this.#disk = [...this.#effects].reduce((disk: Disk, [fault, effect]) => disturbed(disk, fault, effect), this.#real);
  }

  write(path: string, pieces: Content): Promise<void> {
    return this.#disk.write(path, pieces);
  }

  read(path: string): Promise<Uint8Array> {
    return this.#disk.read(path);
  }

  readRanges(path: string, ranges: readonly ByteRange[]): Promise<Uint8Array[]> {
    return this.#disk.readRanges(path, ranges);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  removeDirectory(path: string): Promise<void> {
    return this.#disk.removeDirectory(path);
  }

  list(path: string): Promise<string[]> {
    return this.#disk.list(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path);
  }

  exists(path: string): Promise<boolean> {
    return this.#disk.exists(path);
  }
}

/** All of `disk`, with another way to write. */
function disturbed(disk: Disk, fault: number, effect: DiskEffect): Disk {
  const write = writing(disk, fault, effect);
  return {
    write,
    read: (path) => disk.read(path),
    readRanges: (path, ranges) => disk.readRanges(path, ranges),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    removeDirectory: (path) => disk.removeDirectory(path),
    list: (path) => disk.list(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    exists: (path) => disk.exists(path),
  };
}

function writing(disk: Disk, fault: number, effect: DiskEffect): Disk['write'] {
  switch (effect.type) {
    case 'refuse':
      return () => {
        const error = Object.assign(new Error(`${effect.code}: ${effect.says}, write (${tagOf(fault)})`), {
          code: effect.code,
        });
        return Promise.reject(error);
      };
    case 'delay':
      return async (path, pieces) => {
        await new Promise((resolve) => setTimeout(resolve, effect.ms));
        return disk.write(path, pieces);
      };
    case 'corrupt':
      return (path, pieces) => disk.write(path, corrupted(pieces));
  }
}

/** Pieces among which the one to damage is chosen, bytes. */
const LOOKED_AT_BYTES = 1 << 20;

/** In the middle of the longest of the first pieces, where content is. */
async function* corrupted(pieces: Content): AsyncIterable<Uint8Array> {
  let first: Uint8Array[] | null = [];
  let bytes = 0;
  for await (const piece of pieces) {
    if (first === null) yield piece;
    else {
      first.push(piece.slice());
      bytes += piece.length;
      if (bytes < LOOKED_AT_BYTES) continue;
      yield* damaged(first);
      first = null;
    }
  }
  if (first !== null) yield* damaged(first);
}

function damaged(copies: readonly Uint8Array[]): readonly Uint8Array[] {
  const longest = copies.reduce((a, b) => (b.length > a.length ? b : a), new Uint8Array());
  if (longest.length > 0) longest[longest.length >> 1] = (longest[longest.length >> 1] as number) ^ 0xff;
  return copies;
}
