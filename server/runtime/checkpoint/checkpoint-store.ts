/**
 * The completed checkpoints of one job, on disk:
 *
 *   <directory>/<job>/chk-7/_metadata        what makes it one, written last
 *                     chk-7/<task>.state     what it has for itself
 *                     shared/7-<task>.state  what later ones may build on
 *                     chk-6/_metadata.given-up   not to be restored any more: the job has gone on from an earlier one
 *                     lock-<process>
 *   <directory>/savepoint-<job>-<random>/    whole in itself, and the user's
 *
 * Nothing keeps counts of who refers to a file: whenever a checkpoint has completed, files that none needs any more are found and removed. So
 * there is nothing that a crash could leave wrong.
 *
 * Main thread. `complete`, `discard`, `latest` and `startFrom` are done one after the other.
 */

import { syncNames } from '#base/directories.ts';
import { WeirError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import {
  type CheckpointContent,
  type CompletedCheckpoint,
  completedFrom,
  encodeMetadata,
  handlesOf,
  METADATA,
  type Origin,
} from './checkpoint-metadata.ts';
import { DirectoryLock, type ProcessIdentity } from './directory-lock.ts';
import { copyTree, type Disk, diskCode, unlessMissing } from './disk.ts';
import {
  checkpointDirectories,
  checkpointsIn,
  damageOfCheckpoint,
  type FoundCheckpoint,
  GIVEN_UP,
  loadCheckpoint,
  removeCheckpoint,
  SHARED,
  sharedFilesOf,
  UNFINISHED,
} from './savepoints.ts';
import type { SubtaskStateHandle } from './state-handle.ts';
import { storageError } from './storage-error.ts';
import { numberOf, Tidying } from './tidying.ts';

export interface CheckpointStoreOptions {
  readonly disk: Disk;
  /** For checkpoints and savepoints of all jobs. */
  readonly directory: string;
  /** Name of the job. */
  readonly job: string;
  /** How many completed checkpoints are kept, at least 1. */
  readonly retained: number;
  readonly process: ProcessIdentity;
  /** Names savepoints. */
  readonly random: Random;
  /** Told of files that could not be removed: a nuisance, no failure; it is tried again. */
  readonly warn?: (problem: WeirError) => void;
}

/** A checkpoint that cannot be restored. */
export interface SkippedCheckpoint {
  readonly id: number;
  readonly path: string;
  /** For people. */
  readonly reason: string;
}

export interface RestorePoint {
  /** Null: there is none. Where some were skipped, that means: none is left. */
  readonly checkpoint: CompletedCheckpoint | null;
  /** Newer ones, the newest first. */
  readonly skipped: readonly SkippedCheckpoint[];
}

/** `skipped`: newer ones, the newest first. A sentence for people; null: nothing. */
export type Obstacle = (
  checkpoint: CompletedCheckpoint,
  skipped: readonly SkippedCheckpoint[],
) => Promise<string | null>;

export class CheckpointStore {
  readonly root: string;
  readonly #options: CheckpointStoreOptions;
  readonly #disk: Disk;
  readonly #lock: DirectoryLock;
  /** From the oldest to the newest. */
  #kept: FoundCheckpoint[] = [];
  /** No longer kept, but writers may still build on their files. */
  #subsumed: CompletedCheckpoint[] = [];
  readonly #givenUp: FoundCheckpoint[] = [];
  /** Savepoint with which the job was being stopped: what sinks have committed with it is known to no checkpoint before. */
  #stop: FoundCheckpoint | null = null;
  readonly #tidying: Tidying;
  /** Paths of those that another process has written: it may have been killed before it had synced the name of `_metadata`. */
  readonly #found = new Set<string>();
  #origin: Origin | null = null;
  #nextCheckpoint = 1;
  /** Numbers of the attempt that runs are not below: its writers build on nothing older. */
  #attempt = 1;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: CheckpointStoreOptions, root: string, lock: DirectoryLock) {
    this.#options = options;
    this.#disk = options.disk;
    this.root = root;
    this.#lock = lock;
    this.#tidying = new Tidying(options.disk, root, (problem) => options.warn?.(problem));
  }

  /** Takes the directory for this process, finds what is there, and removes what was never completed. */
  static async open(options: CheckpointStoreOptions): Promise<CheckpointStore> {
    const { disk, directory, job } = options;
    const root = `${directory}/${directoryName(job)}`;
    try {
      await disk.makeDirectory(`${root}/${SHARED}`);
      await syncNames(disk, `${root}/${SHARED}`);
      const lock = await DirectoryLock.take(disk, root, options.process);
      const store = new CheckpointStore(options, root, lock);
      try {
        await store.#find();
      } catch (error) {
        await lock.release();
        throw error;
      }
      return store;
    } catch (error) {
      throw storageError(`Checkpoints of ${job} cannot be kept`, root, error);
    }
  }

  /** Numbers from here on were never used. */
  get nextCheckpoint(): number {
    return this.#nextCheckpoint;
  }

  /** What the job began from, as long as it is one of those to fall back on. */
  get origin(): Origin | null {
    return this.#origin;
  }

  /** Those that can be restored as far as is known, from the oldest to the newest. */
  list(): readonly CompletedCheckpoint[] {
    return this.#kept.flatMap(({ checkpoint }) => checkpoint ?? []);
  }

  /**
   * All of it is written: makes it a checkpoint, or a savepoint in the directory `savepoints`. From the moment the answer is there it outlasts
   * every crash; before, and where this throws, it is whole or none. Throws `CHECKPOINT_STORAGE`; `discard` it then.
   */
  complete(content: CheckpointContent, savepoints = this.#options.directory): Promise<CompletedCheckpoint> {
    return this.#inTurn(async () => {
      try {
        return content.kind === 'checkpoint'
          ? await this.#completeCheckpoint(content)
          : await this.#completeSavepoint(content, savepoints);
      } catch (error) {
        const what = content.kind === 'checkpoint' ? 'Checkpoint' : 'Savepoint';
        throw storageError(`${what} ${content.id} of ${content.job.name} could not be completed`, this.root, error);
      }
    });
  }

  /** It will never be complete: what it has written goes. Never throws. */
  discard(id: number): Promise<void> {
    return this.#inTurn(() => {
      this.#tidying.discard(id);
      return this.#tidy();
    });
  }

  /**
   * The newest that can be restored, also a savepoint with which the job was being stopped when it failed, every byte checked, and to which `obstacle` has no objection: it is told those that are skipped, and gives
   * what keeps the job from going on there. Those that are skipped are given up if there is an older one: the job goes on from that,
   * and what came later never was. Where none is left, or `obstacle` throws, they stay, so that whoever can repair them may.
   */
  latest(obstacle: Obstacle = () => Promise.resolve(null)): Promise<RestorePoint> {
    return this.#inTurn(() => {
      this.#attempt = this.#nextCheckpoint;
      return this.#latest(obstacle);
    });
  }

  /**
   * The one that `latest` would look at first, if it can be restored, every byte checked: for a part of the job that goes back to it while others go
   * on and build on what they have written. Changes nothing. Null: it cannot be.
   */
  newest(): Promise<RestorePoint | null> {
    return this.#inTurn(async () => {
      const found = this.#stop ?? this.#kept.at(-1) ?? this.#origin;
      if (found === null) return { checkpoint: null, skipped: [] };
      const known = 'checkpoint' in found ? found.checkpoint : null;
      const { checkpoint } = await this.#usable({ path: found.path, checkpoint: known }, [], () =>
        Promise.resolve(null),
      );
      return checkpoint === null ? null : { checkpoint, skipped: [] };
    });
  }

  /**
   * The job begins there, or from nothing, and not where its last run was: what that has left is given up. The restored one stands in for
   * checkpoints until there are enough; then it is removed if it was claimed. One of this job's own belongs to it anyway.
   */
  startFrom(checkpoint: CompletedCheckpoint | null, mode: 'no-claim' | 'claim' = 'no-claim'): Promise<void> {
    return this.#inTurn(async () => {
      this.#attempt = this.#nextCheckpoint;
      const own = checkpoint !== null && checkpoint.root === this.root;
      await this.#giveUp(this.#kept.filter(({ id }) => !own || id > checkpoint.id));
      this.#origin = null;
      this.#stop = null;
      if (checkpoint === null) return;
      await this.#secure(checkpoint.path);
      if (own) {
        await this.#takeBack(checkpoint);
        return;
      }
      this.#origin = { path: checkpoint.path, claimed: mode === 'claim' };
      this.#nextCheckpoint = Math.max(this.#nextCheckpoint, checkpoint.id + 1);
    });
  }

  /** Everything that was asked for before is done, tidying included. */
  async settled(): Promise<void> {
    await this.#last.catch(() => {});
  }

  /** Gives the directory back. */
  async close(): Promise<void> {
    await this.settled();
    await this.#lock.release();
  }

  async #completeCheckpoint(content: CheckpointContent): Promise<CompletedCheckpoint> {
    const path = `${this.root}/chk-${content.id}`;
    await this.#disk.makeDirectory(path);
    await this.#disk.syncDirectory(`${this.root}/${SHARED}`);
    const origin = this.#kept.length + 1 < this.#options.retained ? this.#origin : null;
    await this.#writeMetadata(path, content, origin);
    const checkpoint = completedFrom(content, { root: this.root, path, origin });
    this.#kept.push({ id: content.id, path, checkpoint, problem: null });
    this.#stop = null;
    this.#nextCheckpoint = Math.max(this.#nextCheckpoint, content.id + 1);
    for (const known of this.#kept.splice(0, this.#kept.length - this.#options.retained)) {
      this.#tidying.remove(known.path);
      if (known.checkpoint !== null) this.#subsumed.push(known.checkpoint);
    }
    const floor = Math.min(...handlesOf(content).map((handle) => oldestBuiltOn(handle, content.id, this.#attempt)));
    this.#subsumed = this.#subsumed.filter(({ id }) => id >= floor);
    if (origin === null && this.#origin !== null) {
      if (this.#origin.claimed) this.#tidying.remove(this.#origin.path);
      this.#origin = null;
    }
    // Nobody waits for it but who comes next.
    void this.#inTurn(() => this.#tidy());
    return checkpoint;
  }

  async #completeSavepoint(content: CheckpointContent, savepoints: string): Promise<CompletedCheckpoint> {
    const pending = `${this.root}/chk-${content.id}`;
    await this.#disk.makeDirectory(pending);
    await this.#disk.makeDirectory(savepoints);
    await syncNames(this.#disk, savepoints);
    const path = await this.#freeName(savepoints, content.job.name);
    try {
      await this.#disk.syncDirectory(pending);
      await this.#move(pending, path);
      await this.#disk.syncDirectory(savepoints);
      const moved = inOwnDirectory(content, `chk-${content.id}/`);
      await this.#writeMetadata(path, moved, null);
      this.#nextCheckpoint = Math.max(this.#nextCheckpoint, content.id + 1);
      const savepoint = completedFrom(moved, { root: path, path, origin: null });
      if (content.kind === 'stop') this.#stop = { id: content.id, path, checkpoint: savepoint, problem: null };
      return savepoint;
    } catch (error) {
      await removeCheckpoint(this.#disk, path).catch(() => {});
      throw error;
    }
  }

  /** The last step: with the new name the checkpoint is there. */
  async #writeMetadata(path: string, content: CheckpointContent, origin: Origin | null): Promise<void> {
    await this.#disk.write(`${path}/${UNFINISHED}`, [encodeMetadata(content, origin)]);
    await this.#disk.syncDirectory(path);
    await this.#disk.rename(`${path}/${UNFINISHED}`, `${path}/${METADATA}`);
    await this.#disk.syncDirectory(path);
  }

  async #move(from: string, to: string): Promise<void> {
    try {
      await this.#disk.rename(from, to);
    } catch (error) {
      if (diskCode(error) !== 'EXDEV') throw error;
      await copyTree(this.#disk, from, to);
      await removeCheckpoint(this.#disk, from);
    }
  }

  async #freeName(directory: string, job: string): Promise<string> {
    for (;;) {
      const random = [this.#options.random.int32(), this.#options.random.int32()];
      const suffix = random.map((n) => (n >>> 8).toString(16).padStart(6, '0')).join('');
      const path = `${directory}/savepoint-${directoryName(job)}-${suffix}`;
      if (!(await this.#disk.exists(path))) return path;
    }
  }

  async #latest(obstacle: Obstacle): Promise<RestorePoint> {
    const skipped: SkippedCheckpoint[] = [];
    for (const found of [...this.#kept, ...(this.#stop === null ? [] : [this.#stop])].reverse()) {
      const { id, path } = found;
      const { checkpoint, reason } = await this.#usable(found, skipped, obstacle);
      if (checkpoint !== null) {
        if (this.#found.has(path)) await this.#secure(path);
        this.#kept = this.#kept.map((known) => (known === found ? { id, path, checkpoint, problem: null } : known));
        await this.#giveUp(this.#kept.filter((known) => known.id > id));
        return { checkpoint, skipped };
      }
      skipped.push({ id, path, reason });
    }
    if (this.#origin === null) return { checkpoint: null, skipped };
    const { path } = this.#origin;
    const { checkpoint, reason } = await this.#usable({ path, checkpoint: null }, skipped, obstacle);
    if (checkpoint === null) return { checkpoint, skipped: [...skipped, { id: 0, path, reason }] };
    await this.#secure(path);
    await this.#giveUp(this.#kept);
    return { checkpoint, skipped };
  }

  /** A crash of the machine takes it from nobody: what sinks commit with it would be there without it. */
  async #secure(path: string): Promise<void> {
    try {
      await this.#disk.syncDirectory(path);
    } catch (error) {
      // Nothing waits to be written where nothing can be.
      if (diskCode(error) !== 'EROFS' && diskCode(error) !== 'EINVAL')
        throw storageError('A checkpoint to go on from could not be synced', path, error);
    }
    this.#found.delete(path);
  }

  /** Null, and why, where it cannot be gone on from. */
  async #usable(
    { path, checkpoint: known }: Pick<FoundCheckpoint, 'path' | 'checkpoint'>,
    skipped: readonly SkippedCheckpoint[],
    obstacle: Obstacle,
  ): Promise<{ checkpoint: CompletedCheckpoint; reason: null } | { checkpoint: null; reason: string }> {
    const damage = await damageOfCheckpoint(this.#disk, path);
    if (damage !== null) return { checkpoint: null, reason: damage };
    // It may have been unreadable when this process began.
    const checkpoint = known ?? (await loadCheckpoint(this.#disk, path));
    const reason = await obstacle(checkpoint, skipped);
    return reason === null ? { checkpoint, reason } : { checkpoint: null, reason };
  }

  /** They are no checkpoints any more: the job will write another history. */
  async #giveUp(checkpoints: readonly FoundCheckpoint[]): Promise<void> {
    try {
      for (const { path } of checkpoints) {
        await unlessMissing(this.#disk.rename(`${path}/${METADATA}`, `${path}/${GIVEN_UP}`));
        await unlessMissing(this.#disk.syncDirectory(path));
      }
    } catch (error) {
      throw storageError('Checkpoints that are skipped could not be put aside', this.root, error);
    }
    this.#givenUp.push(...checkpoints);
    this.#kept = this.#kept.filter((known) => !checkpoints.includes(known));
  }

  /** One of this job's own that may have been given up. */
  async #takeBack(checkpoint: CompletedCheckpoint): Promise<void> {
    const { id, path } = checkpoint;
    if (this.#kept.some((known) => known.path === path)) return;
    try {
      await this.#disk.rename(`${path}/${GIVEN_UP}`, `${path}/${METADATA}`);
      await this.#disk.syncDirectory(path);
    } catch (error) {
      throw storageError(`Checkpoint ${id} could not be taken back`, path, error);
    }
    this.#givenUp.splice(0, Infinity, ...this.#givenUp.filter((known) => known.path !== path));
    this.#kept.push({ id, path, checkpoint, problem: null });
  }

  async #find(): Promise<void> {
    this.#kept = await checkpointsIn(this.#disk, this.root);
    for (const { path } of this.#kept) this.#found.add(path);
    this.#origin = this.#kept.findLast(({ checkpoint }) => checkpoint !== null)?.checkpoint?.origin ?? null;
    const newest = this.#kept.at(-1)?.id ?? 0;
    for (const known of await checkpointsIn(this.#disk, this.root, GIVEN_UP)) {
      if (known.id > newest) this.#givenUp.push(known);
    }
    const known = new Set([...this.#kept, ...this.#givenUp].map(({ path }) => path));
    for (const { id, path } of await checkpointDirectories(this.#disk, this.root)) {
      this.#nextCheckpoint = Math.max(this.#nextCheckpoint, id + 1);
      if (!known.has(path)) this.#tidying.remove(path);
    }
    for (const file of await this.#disk.list(`${this.root}/${SHARED}`)) {
      this.#nextCheckpoint = Math.max(this.#nextCheckpoint, numberOf(file) + 1);
    }
    await this.#findLeftOverSavepoints();
    // What is there was written before this process began: nothing of it is still on its way.
    await this.#tidy(this.#nextCheckpoint);
  }

  /** Those of this job, in the directory where they go by themselves, that were not completed. */
  async #findLeftOverSavepoints(): Promise<void> {
    const { directory, job } = this.#options;
    const prefix = `savepoint-${directoryName(job)}-`;
    for (const name of await this.#disk.list(directory)) {
      const path = `${directory}/${name}`;
      if (!name.startsWith(prefix) || !/^[0-9a-f]{12}$/.test(name.slice(prefix.length))) continue;
      if (!(await this.#disk.exists(`${path}/${METADATA}`))) this.#tidying.remove(path);
    }
  }

  /** Shared files written for checkpoints from `pending` on may belong to one that is not complete yet. */
  async #tidy(pending = (this.#kept.at(-1)?.id ?? 0) + 1): Promise<void> {
    const known = [...this.#kept, ...this.#givenUp].flatMap(({ checkpoint }) => checkpoint ?? []);
    // What one needs that cannot be read just now is not known.
    const from = this.#kept.some(({ checkpoint }) => checkpoint === null) ? 0 : pending;
    await this.#tidying.run(new Set([...known, ...this.#subsumed].flatMap(sharedFilesOf)), from);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task, task);
    this.#last = done;
    // Whoever asked hears of it.
    done.catch(() => {});
    return done;
  }
}

/** A name as part of a path: what could mean something to a file system is written in hexadecimal. */
function directoryName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/gu, (c) => `%${(c.codePointAt(0) as number).toString(16)}`);
}

/** The same with paths that start from the checkpoint's own directory. */
function inOwnDirectory(content: CheckpointContent, prefix: string): CheckpointContent {
  const vertices = content.vertices.map((vertex) => ({
    ...vertex,
    subtasks: vertex.subtasks.map((handle) => {
      if (handle === null) return null;
      if (!handle.file.path.startsWith(prefix) || handle.shared.length > 0) {
        throw new WeirError(
          'CHECKPOINT_STORAGE',
          `A savepoint holds all its files, and ${handle.file.path} is not in it.`,
        );
      }
      return { ...handle, file: { ...handle.file, path: handle.file.path.slice(prefix.length) } };
    }),
  }));
  return { ...content, vertices };
}

/**
 * The oldest completed checkpoint that later files of a writer may refer to, from what it has written for one. A writer that had heard of none by
 * then may have heard of any of its attempt since, and of no later one when it writes the next.
 */
function oldestBuiltOn({ base, file }: SubtaskStateHandle, checkpoint: number, attempt: number): number {
  if (base > 0) return base;
  return file.path.startsWith(`${SHARED}/`) ? attempt : checkpoint;
}
