/**
 * Writes the state of one subtask, checkpoint after checkpoint, one file each; runs in the subtask's thread, behind the synchronous part.
 * `state-file.ts` tells what the file looks like, `state-reader.ts` reads it.
 *
 *   key groups, block by block ─> where they are already, or into the file ─> the disk, as fast as that takes them
 *
 * Incremental: a checkpoint builds on the last one that is known to be complete, and refers to what that has already. The first one of every
 * attempt is whole, and so are savepoints.
 */

import { randomInt } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import type { SubtaskId } from '../task/channels.ts';
import { type Content, type Disk, unlessMissing } from './disk.ts';
import { type OperatorPart, StateContent } from './state-content.ts';
import type { StateFile, SubtaskStateHandle } from './state-handle.ts';
import { storageError } from './storage-error.ts';
import { WrittenState } from './written-state.ts';

export interface StateWriterOptions {
  readonly disk: Disk;
  /** `CheckpointStore.root`. */
  readonly root: string;
  readonly subtask: SubtaskId;
  /** Whether checkpoints build on earlier ones. Default: no, each is whole. */
  readonly incremental?: boolean;
  /** Lets others have the thread for a moment, between portions of work of about a millisecond. */
  readonly pause?: () => Promise<void>;
  /** Of the hash by which unchanged bytes are known again. Default: drawn. */
  readonly seed?: number;
}

export interface CheckpointTarget {
  readonly checkpoint: number;
  readonly kind: CheckpointKind;
}

/** What the disk is given at a time, bytes: where there is less, it is asked nothing before all of it is there. */
const BEGIN_BYTES = 4 << 20;

export class StateWriter {
  readonly #options: StateWriterOptions;
  readonly pause: () => Promise<void>;
  readonly #seed: number;
  /** Of the last checkpoint known to be complete. */
  #base: WrittenState | null = null;
  /** Of those that may become complete. */
  readonly #pending = new Map<number, WrittenState>();

  constructor(options: StateWriterOptions) {
    this.#options = options;
    this.pause = options.pause ?? (() => turn());
    this.#seed = options.seed ?? randomInt(2 ** 31);
  }

  /**
   * Safe on disk once the answer is there; the names of the files are when the checkpoint is completed. `pause` may throw: then nothing is left of it.
   */
  async write(
    { checkpoint, kind }: CheckpointTarget,
    parts: readonly OperatorPart[],
    pause = this.pause,
  ): Promise<SubtaskStateHandle> {
    const { root, subtask, disk, incremental = false } = this.#options;
    const name = `${subtask.vertex}-${subtask.index}.state`;
    const shares = incremental && kind === 'checkpoint';
    const path = shares ? `shared/${checkpoint}-${name}` : `chk-${checkpoint}/${name}`;
    const base = shares ? this.#base : null;
    const state = shares ? new WrittenState(checkpoint, base, this.#seed) : null;
    const file = new StateContent(parts, state, pause);
    const content = file.pieces();
    let asked = false;
    try {
      const pieces = await begun(content, BEGIN_BYTES);
      asked = true;
      await disk.makeDirectory(`${root}/chk-${checkpoint}`);
      await disk.write(`${root}/${path}`, pieces);
    } catch (error) {
      if (asked) await unlessMissing(disk.remove(`${root}/${path}`)).catch(() => {});
      if (file.failure !== null) throw file.failure.cause;
      throw storageError(`State of checkpoint ${checkpoint} could not be written`, `${root}/${path}`, error);
    } finally {
      await content.return();
    }
    file.written();
    const { operators, shared, bytes, crc32, full } = file;
    const written: StateFile = { path, bytes, crc32 };
    if (state !== null) {
      state.seal(written);
      this.#pending.set(checkpoint, state);
    }
    return { file: written, operators, shared, base: base?.checkpoint ?? 0, full };
  }

  /** The checkpoint is complete: what comes next may build on it. */
  completed(checkpoint: number): void {
    const state = this.#pending.get(checkpoint);
    if (state !== undefined) this.#base = state;
    for (const id of this.#pending.keys()) if (id <= checkpoint) this.#pending.delete(id);
  }

  /** The checkpoint will never be complete. */
  aborted(checkpoint: number): void {
    this.#pending.delete(checkpoint);
  }
}

/** Goes on when so much of it is there, or all: then it is a list. */
async function begun(content: AsyncGenerator<Uint8Array, void, void>, bytes: number): Promise<Content> {
  const first: Uint8Array[] = [];
  for (let got = 0; got < bytes; ) {
    const { done, value } = await content.next();
    if (done === true) return first;
    first.push(value);
    got += value.length;
  }
  return followed(first, content);
}

async function* followed(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* first;
  yield* rest;
}
