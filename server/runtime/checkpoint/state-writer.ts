/**
 * Writes the state of one subtask, checkpoint after checkpoint, one file each; runs in the subtask's thread, behind the synchronous part.
 * `state-file.ts` tells what the file looks like, `state-reader.ts` reads it.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import type { SubtaskId } from '../task/wiring.ts';
import { type Disk, unlessMissing } from './disk.ts';
import { Pieces } from './pieces.ts';
import { digestOf, encodeIndex, OWN, type Section, sectionsOf } from './state-file.ts';
import type { OperatorEntry, SubtaskStateHandle } from './state-handle.ts';
import { storageError } from './storage-error.ts';

export interface StateWriterOptions {
  readonly disk: Disk;
  /** `CheckpointStore.root`. */
  readonly root: string;
  readonly subtask: SubtaskId;
  /** Lets others have the thread for a moment, between portions of work of about a millisecond. */
  readonly pause?: () => Promise<void>;
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

/** Bytes worked through between two pauses. */
const PORTION_BYTES = 512 << 10;

export class StateWriter {
  readonly #options: StateWriterOptions;
  readonly #pause: () => Promise<void>;

  constructor(options: StateWriterOptions) {
    this.#options = options;
    this.#pause = options.pause ?? (() => turn());
  }

  /** Safe on disk once the answer is there; the names of the files are when the checkpoint is completed. */
  async write(target: CheckpointTarget, parts: readonly OperatorPart[]): Promise<SubtaskStateHandle> {
    const { root, subtask, disk } = this.#options;
    const directory = `chk-${target.checkpoint}`;
    const path = `${directory}/${subtask.vertex}-${subtask.index}.state`;
    const file = new Pieces();
    let full = 0;
    let portion = 0;
    const indexes: [string, Section[]][] = [];
    for (const { operator, snapshot } of parts) {
      const sections: Section[] = [];
      for (const [group, bytes] of sectionsOf(snapshot)) {
        const extents = [{ file: 0, offset: file.length, length: bytes.length }];
        sections.push({ group, length: bytes.length, digest: digestOf(bytes), extents });
        file.add(bytes);
        full += bytes.length;
        portion += bytes.length;
        if (portion >= PORTION_BYTES) {
          portion = 0;
          await this.#pause();
        }
      }
      indexes.push([operator, sections]);
    }
    const operators = indexes.map(([id, sections], i): OperatorEntry => {
      const index = encodeIndex(sections);
      const offset = file.length;
      file.add(index);
      const keyed = sections.some(({ group }) => group !== OWN);
      const lists = Object.keys((parts[i] as OperatorPart).snapshot.operator).length > 0;
      return { id, offset, length: index.length, keyed, stateful: keyed || lists };
    });
    const { pieces, crc32 } = file.take();
    try {
      await disk.makeDirectory(`${root}/${directory}`);
      await disk.write(`${root}/${path}`, pieces);
    } catch (error) {
      await unlessMissing(disk.remove(`${root}/${path}`)).catch(() => {});
      throw storageError(`State of checkpoint ${target.checkpoint} could not be written`, `${root}/${path}`, error);
    }
    return { file: { path, bytes: file.length, crc32 }, operators, shared: [], base: 0, full };
  }

  /** The checkpoint is complete: what comes next may build on it. */
  completed(_checkpoint: number): void {}

  /** The checkpoint will never be complete. */
  aborted(_checkpoint: number): void {}
}
