/**
 * The savepoints of one job that still exist, as far as they lie where it has put them: what sinks have staged for them must stay, because nobody
 * commits it but a job that goes on from there. One that was moved is not known, nor is one of which not even the directory can be read.
 */

import { sinkRecovery } from '#engine/operators/sink.ts';
import { type CompletedCheckpoint, METADATA } from './checkpoint-metadata.ts';
import { type Disk, diskCode, unlessMissing } from './disk.ts';
import { loadCheckpoint } from './savepoints.ts';
import { readOperator } from './state-reader.ts';
import { CorruptState, storageError } from './storage-error.ts';

/** Beside the checkpoints: the directories that savepoints were put in when somebody named one, as JSON. */
const DIRECTORIES = 'savepoint-directories';
/** Key groups of nobody: operator state alone is read. */
const NO_GROUPS = [0, -1] as const;

export class JobSavepoints {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #job: string;
  readonly #usual: readonly string[];
  /** Null: not read yet. */
  #named: readonly string[] | null = null;

  /** `root`: of the job's checkpoints. `usual`: where savepoints go if nobody says anything else. */
  constructor(disk: Disk, root: string, job: string, usual: readonly string[]) {
    this.#disk = disk;
    this.#root = root;
    this.#job = job;
    this.#usual = usual;
  }

  /** A savepoint will be put there: from now on it is looked for there, by other processes too. Throws `CHECKPOINT_STORAGE`. */
  async willPutInto(directory: string): Promise<void> {
    const path = `${this.#root}/${DIRECTORIES}`;
    try {
      const named = await this.#directories();
      if (this.#usual.includes(directory) || named.includes(directory)) return;
      await unlessMissing(this.#disk.remove(`${path}.tmp`));
      await this.#disk.write(`${path}.tmp`, [Buffer.from(JSON.stringify([...named, directory]))]);
      await this.#disk.rename(`${path}.tmp`, path);
      await this.#disk.syncDirectory(this.#root);
      this.#named = [...named, directory];
    } catch (error) {
      throw storageError(`That there are savepoints of ${this.#job} in ${directory} could not be noted`, path, error);
    }
  }

  /** What a sink would have to commit if the job went on from one of them, whichever; null: it cannot be known now. */
  async committables(operator: string): Promise<readonly unknown[] | null> {
    try {
      const found: unknown[] = [];
      for (const directory of [...this.#usual, ...(await this.#directories())]) {
        for (const savepoint of await this.#in(directory))
          found.push(...(await this.#committablesOf(savepoint, operator)));
      }
      return found;
    } catch {
      return null;
    }
  }

  async #directories(): Promise<readonly string[]> {
    if (this.#named !== null) return this.#named;
    try {
      const bytes = await this.#disk.read(`${this.#root}/${DIRECTORIES}`);
      this.#named = JSON.parse(Buffer.from(bytes).toString()) as string[];
    } catch (error) {
      if (diskCode(error) !== 'ENOENT') throw error;
      this.#named = [];
    }
    return this.#named;
  }

  async #in(directory: string): Promise<readonly CompletedCheckpoint[]> {
    let names: string[];
    try {
      names = await this.#disk.list(directory);
    } catch (error) {
      if (diskCode(error) === 'ENOENT') return [];
      throw error;
    }
    const found: CompletedCheckpoint[] = [];
    for (const name of names.filter((one) => one.startsWith('savepoint-'))) {
      const path = `${directory}/${name}`;
      if (!(await this.#disk.exists(`${path}/${METADATA}`))) continue;
      const savepoint = await unlessDamaged(loadCheckpoint(this.#disk, path));
      if (savepoint?.job.name === this.#job) found.push(savepoint);
    }
    return found;
  }

  async #committablesOf({ root, vertices }: CompletedCheckpoint, operator: string): Promise<readonly unknown[]> {
    const vertex = vertices.find(({ operators }) => operators.some(({ id }) => id === operator));
    if (vertex === undefined) return [];
    const handles = { operator, name: operator, root, subtasks: vertex.subtasks };
    const snapshots = await unlessDamaged(readOperator(this.#disk, handles, NO_GROUPS));
    return snapshots === null ? [] : sinkRecovery(snapshots).committables;
  }
}

/** Null: nobody can go on from it any more. What the disk could not read just now is an error. */
async function unlessDamaged<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (!(error instanceof CorruptState) || diskCode(error.cause) === 'EIO') throw error;
    return null;
  }
}
