/**
 * A disk in memory that does what disks do to those who trust them. Operations wait until `step` is called, which does one of them, drawn from
 * the seed, and settles its promise: whoever drives a simulation decides when the disk makes progress, and one seed gives one history.
 *
 * What outlasts a crash is what the contracts of `Disk` and `OutputDisk` say and no more: contents that were synced, names in directories that were synced. Of
 * everything else each piece survives or not by itself, files also in part. An fsync may lie: then, by a clock, it is done `WRITE_BACK_MS` later.
 */

import { crc32 } from 'node:zlib';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { OutputDisk, OutputFile } from '#connectors/file/output-disk.ts';
import type { ByteRange, Disk } from '#runtime/checkpoint/disk.ts';
import { type Directory, diskError, type FileNode, SimulatedTree } from './simulated-tree.ts';

export type DiskOperation = keyof (Disk & OutputDisk & OutputFile);

export interface SimulatedDiskOptions {
  readonly random: Random;
  /** With `delay`: operations are due that many ms of this clock after they were asked for. Without: at once, in any order. */
  readonly clock?: Clock;
  readonly delay?: () => number;
}

/** What is wrong with the disk just now; may be changed at any time. */
export interface DiskFaults {
  /** Bytes that fit; what is beyond ends in ENOSPC. */
  capacity: number;
  /** Code of the error an operation ends in (`EACCES`, `EROFS`, `EIO` …); null: none. */
  refuse: (operation: DiskOperation, path: string) => string | null;
  /** Share of syncs that say they have, and have not. */
  lies: number;
}

/** A disk that lies has it safe after a while all the same. */
const WRITE_BACK_MS = 100;

type Ask = <T>(operation: DiskOperation, path: string, run: () => T, tear?: () => void) => Promise<T>;

/** Who asks. */
interface Life {
  ended: boolean;
  /** Until then (ms) nothing it asks for is done. */
  frozenUntil: number;
}

interface Waiting {
  readonly life: Life;
  readonly due: number;
  /** Does it and settles the promise. */
  readonly run: () => void;
  /** The machine stops in the middle of it. */
  readonly tear: () => void;
}

export class SimulatedDisk {
  readonly faults: DiskFaults = { capacity: Number.POSITIVE_INFINITY, refuse: () => null, lies: 0 };
  readonly #random: Random;
  readonly #clock: Clock | null;
  readonly #delay: () => number;
  readonly #tree = new SimulatedTree();
  #waiting: Waiting[] = [];
  /** Syncs that were told and not done. */
  readonly #cached: { readonly at: number; readonly sync: () => void }[] = [];
  /** Operations done since it was made. */
  #done = 0;
  /** Those who were killed talk to nobody. */
  readonly #lives = new Map<Disk & OutputDisk, Life>();

  constructor({ random, clock, delay }: SimulatedDiskOptions) {
    this.#random = random;
    this.#clock = clock ?? null;
    this.#delay = delay ?? (() => 0);
  }

  /** The disk as a process or a thread sees it, until `crash` or `kill`: then nothing it asks for is done, and nothing it waits for comes. */
  mount(): Disk & OutputDisk {
    const life: Life = { ended: false, frozenUntil: 0 };
    const ask: Ask = (operation, path, run, tear = () => {}) => {
      if (life.ended) return new Promise(() => {});
      return this.#ask(life, operation, path, run, tear);
    };
    const tree = this.#tree;
    const disk: Disk & OutputDisk = {
      write: (path, pieces) => {
        const write = (all: readonly Uint8Array[]): Promise<void> =>
          ask(
            'write',
            path,
            () => this.#write(path, joined(all)),
            () => this.#tearWrite(path, joined(all)),
          );
        return Array.isArray(pieces) ? write(pieces) : gathered(pieces as AsyncIterable<Uint8Array>).then(write);
      },
      read: (path) => ask('read', path, () => tree.file(path).content.slice()),
      readRanges: (path, ranges) => ask('readRanges', path, () => rangesOf(tree.file(path), ranges)),
      rename: (from, to) => {
        const run = (): void => tree.rename(from, to);
        return ask('rename', from, run, run);
      },
      remove: (path) => {
        const run = (): void => tree.remove(path);
        return ask('remove', path, run, run);
      },
      makeDirectory: (path) => {
        const make = (): void => {
          for (const changed of tree.makeDirectory(path)) this.#syncNames(changed);
        };
        return ask('makeDirectory', path, make, () => tree.makeDirectory(path));
      },
      removeDirectory: (path) => {
        const run = (): void => tree.removeDirectory(path);
        return ask('removeDirectory', path, run, run);
      },
      list: (path) => ask('list', path, () => [...tree.directory(path).entries.keys()].sort()),
      syncDirectory: (path) =>
        ask('syncDirectory', path, () => {
          this.#syncNames(tree.directory(path));
        }),
      exists: (path) => ask('exists', path, () => tree.find(path) !== null),
      sizeOf: (path) => ask('sizeOf', path, () => (tree.find(path) === null ? null : tree.file(path).content.length)),
      checksumOf: (path) => ask('checksumOf', path, () => crc32(tree.file(path).content)),
      create: (path) => this.#create(path, ask, life),
    };
    this.#lives.set(disk, life);
    return disk;
  }

  /** What a process writes is seen by all at once; what of it outlasts a crash is another matter. */
  #create(path: string, ask: Ask, life: Life): OutputFile {
    const now = <T>(operation: DiskOperation, run: () => T): T => {
      if (life.ended) throw new Error(`A process that was killed asks the disk for ${operation} of ${path}.`);
      this.#done++;
      const code = this.faults.refuse(operation, path);
      if (code !== null) throw diskError(code, operation, path);
      return run();
    };
    const file = now('create', () => this.#tree.create(path));
    return {
      write: (bytes) => now('write', () => this.#append(file, path, bytes)),
      sync: () =>
        ask('sync', path, () => {
          this.#syncContents(file);
        }),
      close: () => now('close', () => {}),
      discard: () => now('discard', () => this.#tree.remove(path)),
    };
  }

  /** Operations that wait. */
  get pending(): number {
    return this.#waiting.length;
  }

  get operations(): number {
    return this.#done;
  }

  /** When the next one is due, ms; Infinity: nothing waits. */
  get nextAt(): number {
    return Math.min(...this.#waiting.map(({ due, life }) => Math.max(due, life.frozenUntil)));
  }

  /** Does one operation that is due; false: none is. */
  step(): boolean {
    const now = this.#now();
    const due = this.#waiting.filter(({ due, life }) => due <= now && life.frozenUntil <= now);
    if (due.length === 0) return false;
    const operation = due[this.#random.below(due.length)] as Waiting;
    this.#waiting.splice(this.#waiting.indexOf(operation), 1);
    this.#done++;
    operation.run();
    return true;
  }

  /** Steps until the promise is settled: for tests that drive nothing but the disk. */
  async run<T>(task: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    task.then(mark, mark);
    for (let idle = 0; idle < 100; ) {
      await new Promise((resolve) => setImmediate(resolve));
      if (settled) return task;
      idle = this.step() ? 0 : idle + 1;
    }
    throw new Error('What is waited for does not come: the disk has nothing left to do.');
  }

  /** Whoever mounted it is killed, absent: everybody. What was about to be done is done, or not, or in part. What had been done stays. */
  kill(mounted?: Disk & OutputDisk): void {
    const only = mounted === undefined ? null : this.#lives.get(mounted);
    for (const [disk, life] of this.#lives) {
      if (only !== null && life !== only) continue;
      life.ended = true;
      this.#lives.delete(disk);
    }
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ life }) => !life.ended);
    for (const { life, tear } of waiting) if (life.ended && this.#random.next() < 0.5) tear();
  }

  /** Whoever mounted it stands still until then, ms: it hears of nothing, and nothing it had asked for is done. */
  freeze(mounted: Disk & OutputDisk, until: number): void {
    const life = this.#lives.get(mounted);
    if (life !== undefined) life.frozenUntil = until;
  }

  /** The machine stops: as `kill`, and of what was not synced anything may be missing. */
  crash(): void {
    this.kill();
    for (const { at, sync } of this.#cached.splice(0)) if (at <= this.#now()) sync();
    this.#tree.lose(
      () => this.#random.next() < 0.5,
      (file) => this.#torn(file),
    );
  }

  /** Paths of all files. */
  files(): string[] {
    return this.#tree.files().map(({ path }) => path);
  }

  /** Below a directory. What they hold is never changed, but replaced. */
  filesIn(directory: string): { readonly path: string; readonly content: Uint8Array }[] {
    return this.#tree.files(directory).map(({ path, file }) => ({ path, content: file.content }));
  }

  contentOf(path: string): Uint8Array {
    return this.#tree.file(path).content;
  }

  /** A bit of the file is another one from now on; drawn, if no byte is named. */
  flip(path: string, byte?: number): void {
    const file = this.#tree.file(path);
    const at = byte ?? this.#random.below(file.content.length);
    const content = file.content.slice();
    content[at] = (content[at] as number) ^ (1 << this.#random.below(8));
    file.content = content;
    file.synced = content;
  }

  #ask<T>(life: Life, operation: DiskOperation, path: string, run: () => T, tear: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        life,
        due: this.#now() + this.#delay(),
        run: () => {
          try {
            const code = this.faults.refuse(operation, path);
            if (code !== null) throw diskError(code, operation, path);
            resolve(run());
          } catch (error) {
            reject(error);
          }
        },
        tear: () => {
          try {
            tear();
          } catch {
            // It would have been refused.
          }
        },
      });
    });
  }

  #write(path: string, content: Uint8Array): void {
    const file = this.#tree.create(path);
    this.#append(file, path, content);
    this.#syncContents(file);
  }

  #syncContents(file: FileNode): void {
    const { content } = file;
    const sync = (): void => {
      if (file.synced.length < content.length) file.synced = content;
    };
    if (this.#lying()) this.#cached.push({ at: this.#safeAt, sync });
    else sync();
  }

  #syncNames(directory: Directory): void {
    if (this.#lying()) this.#cached.push({ at: this.#safeAt, sync: this.#tree.unsynced(directory).keep });
    else this.#tree.sync(directory);
  }

  /** As far as there is room. */
  #append(file: FileNode, path: string, content: Uint8Array): void {
    const { capacity } = this.faults;
    const used =
      capacity === Number.POSITIVE_INFINITY ? 0 : this.#tree.files().reduce((sum, f) => sum + f.file.content.length, 0);
    const free = capacity - used;
    file.content = joined([file.content, content.subarray(0, Math.max(0, free))]);
    if (content.length > free) throw diskError('ENOSPC', 'write', path);
  }

  #tearWrite(path: string, content: Uint8Array): void {
    this.#tree.create(path).content = content.slice(0, this.#random.below(content.length + 1));
  }

  /** What is left of a file that was not synced. */
  #torn({ content, synced }: FileNode): Uint8Array {
    const fate = this.#random.below(4);
    if (fate === 0) return synced;
    if (fate === 1) return content;
    if (fate === 2) return content.slice(0, this.#random.below(content.length + 1));
    const hole = content.slice();
    const from = this.#random.below(hole.length + 1);
    return hole.fill(0, from, from + 1 + this.#random.below(hole.length));
  }

  get #safeAt(): number {
    return this.#clock === null ? Number.POSITIVE_INFINITY : this.#clock.now() + WRITE_BACK_MS;
  }

  #lying(): boolean {
    return this.faults.lies > 0 && this.#random.next() < this.faults.lies;
  }

  #now(): number {
    return this.#clock?.now() ?? 0;
  }
}

/** What comes by and by is one operation all the same. */
async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function rangesOf(file: FileNode, ranges: readonly ByteRange[]): Uint8Array[] {
  return ranges.map(({ offset, length }) => file.content.slice(offset, offset + length));
}
