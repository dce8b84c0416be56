/**
 * Writes the state of one subtask, checkpoint after checkpoint, one file each; runs in the subtask's thread, behind the synchronous part.
 * `state-file.ts` tells what the file looks like, `state-reader.ts` reads it.
 *
 * Incremental: a checkpoint builds on the last one that is known to be complete, and refers to what that has already. The first one of every
 * attempt is whole, and so are savepoints.
 */

import { randomInt } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import type { SubtaskId } from '../task/wiring.ts';
import { type Disk, unlessMissing } from './disk.ts';
import { Pieces } from './pieces.ts';
import { digestOf, encodeIndex, OWN, type Section, sectionsOf } from './state-file.ts';
import type { OperatorEntry, StateFile, SubtaskStateHandle } from './state-handle.ts';
import { storageError } from './storage-error.ts';
import { PORTION_BYTES, WrittenState } from './written-state.ts';

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

/** State of one operator of the subtask's chain. */
export interface OperatorPart {
  /** Id of the operator. */
  readonly operator: string;
  readonly snapshot: OperatorSnapshot;
}

export class StateWriter {
  readonly #options: StateWriterOptions;
  readonly #pause: () => Promise<void>;
  readonly #seed: number;
  /** Of the last checkpoint known to be complete. */
  #base: WrittenState | null = null;
  /** Of those that may become complete. */
  readonly #pending = new Map<number, WrittenState>();

  constructor(options: StateWriterOptions) {
    this.#options = options;
    this.#pause = options.pause ?? (() => turn());
    this.#seed = options.seed ?? randomInt(2 ** 31);
  }

  /** Safe on disk once the answer is there; the names of the files are when the checkpoint is completed. */
  async write({ checkpoint, kind }: CheckpointTarget, parts: readonly OperatorPart[]): Promise<SubtaskStateHandle> {
    const { root, subtask, disk, incremental = false } = this.#options;
    const name = `${subtask.vertex}-${subtask.index}.state`;
    const shares = incremental && kind === 'checkpoint';
    const path = shares ? `shared/${checkpoint}-${name}` : `chk-${checkpoint}/${name}`;
    const file = new Pieces();
    const base = shares ? this.#base : null;
    const state = shares ? new WrittenState(checkpoint, base, this.#seed) : null;
    const sections = await this.#addSections(parts, file, state);
    const shared = [...(state?.files ?? [])];
    const numbers = new Map(shared.map(([number], i) => [number, i + 1]));
    const operators = parts.map(({ operator, snapshot }, i) =>
      addIndex(file, operator, snapshot, sections[i] as Section[], (number) => numbers.get(number) ?? 0),
    );
    const { pieces, crc32 } = file.take();
    try {
      await disk.makeDirectory(`${root}/chk-${checkpoint}`);
      await disk.write(`${root}/${path}`, pieces);
    } catch (error) {
      await unlessMissing(disk.remove(`${root}/${path}`)).catch(() => {});
      throw storageError(`State of checkpoint ${checkpoint} could not be written`, `${root}/${path}`, error);
    }
    const written: StateFile = { path, bytes: file.length, crc32 };
    if (state !== null) {
      state.seal(written);
      this.#pending.set(checkpoint, state);
    }
    return {
      file: written,
      operators,
      shared: shared.map(([, older]) => older),
      base: base?.checkpoint ?? 0,
      full: sections.flat().reduce((sum, { length }) => sum + length, 0),
    };
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

  /** Puts the state into the file, or where it is already. Per part its sections; `file` in extents is a checkpoint's number. */
  async #addSections(parts: readonly OperatorPart[], file: Pieces, state: WrittenState | null): Promise<Section[][]> {
    let portion = 0;
    const all: Section[][] = [];
    for (const { operator, snapshot } of parts) {
      const sections: Section[] = [];
      all.push(sections);
      for (const [group, bytes] of sectionsOf(snapshot)) {
        if (state === null) {
          const extents = [{ file: 0, offset: file.length, length: bytes.length }];
          file.add(bytes);
          sections.push({ group, length: bytes.length, digest: digestOf(bytes), extents });
        } else {
          const { length, digest, extents } = await state.add(`${group} ${operator}`, bytes, file, this.#pause);
          sections.push({ group, length, digest, extents });
        }
        portion += bytes.length;
        if (portion < PORTION_BYTES) continue;
        portion = 0;
        await this.#pause();
      }
    }
    return all;
  }
}

function addIndex(
  file: Pieces,
  id: string,
  snapshot: OperatorSnapshot,
  sections: readonly Section[],
  fileOf: (checkpoint: number) => number,
): OperatorEntry {
  const local = sections.map((section) => ({
    ...section,
    extents: section.extents.map((extent) => ({ ...extent, file: fileOf(extent.file) })),
  }));
  const index = encodeIndex(local);
  const offset = file.length;
  file.add(index);
  const keyed = sections.some(({ group }) => group !== OWN);
  return { id, offset, length: index.length, keyed, stateful: keyed || Object.keys(snapshot.operator).length > 0 };
}
