/** The content of one state file, made while it is written, and what is to be known of it once it is. */

import { fitsHereOnly } from '#engine/state/in-flight-names.ts';
import { inPortions } from '#engine/state/keyed-blocks.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import type { OwnSnapshot, TakenSnapshot } from '#engine/state/snapshot.ts';
import { Pieces } from './pieces.ts';
import { checksumsOf, encodeIndex, encodeOwn, OWN, type Section } from './state-file.ts';
import type { OperatorEntry, StateFile } from './state-handle.ts';
import { PORTION_BYTES, type WrittenState } from './written-state.ts';

/** State of one operator of the subtask's chain. */
export interface OperatorPart {
  /** Id of the operator. */
  readonly operator: string;
  readonly snapshot: Eventually<TakenSnapshot>;
  /** Lists besides those of the snapshot. */
  readonly besides?: Eventually<OwnSnapshot['operator']>;
}

/** Of one operator; `file` in extents is a checkpoint's number, 0 for this file where nothing is shared. */
interface Written {
  readonly id: string;
  readonly own: OwnSnapshot;
  readonly sections: readonly Section[];
}

export class StateContent {
  readonly #parts: readonly OperatorPart[];
  readonly #state: WrittenState | null;
  readonly #pause: () => Promise<void>;
  readonly #file = new Pieces();
  readonly #taken: TakenSnapshot[] = [];
  operators: readonly OperatorEntry[] = [];
  /** Older files that hold parts of the state. */
  shared: readonly StateFile[] = [];
  /** Bytes of all state and its index, whichever file they are in. */
  full = 0;
  /** What has kept it from being made. */
  failure: { readonly cause: unknown } | null = null;

  /** `state`: what is known of earlier files; null: all goes into this one. */
  constructor(parts: readonly OperatorPart[], state: WrittenState | null, pause: () => Promise<void>) {
    this.#parts = parts;
    this.#state = state;
    this.#pause = pause;
  }

  get bytes(): number {
    return this.#file.length;
  }

  get crc32(): number {
    return this.#file.crc32;
  }

  /** All of it is on the disk: nothing of what `pieces` gave is needed any more. */
  written(): void {
    for (const { written } of this.#taken) written?.();
  }

  /** To be written one behind the other. */
  async *pieces(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.#make();
    } catch (cause) {
      this.failure = { cause };
      throw cause;
    }
  }

  async *#make(): AsyncGenerator<Uint8Array, void, void> {
    const file = this.#file;
    const all: Section[][] = [];
    for (const { operator, snapshot } of this.#parts) {
      const sections: Section[] = [];
      all.push(sections);
      let portion = 0;
      for await (const [group, bytes] of inPortions((await snapshot).keyed, this.#pause)) {
        sections.push(await this.#section(operator, group, bytes));
        yield* file.take();
        portion += bytes.length;
        if (portion < PORTION_BYTES) continue;
        portion = 0;
        await this.#pause();
      }
    }
    // What an operator has of its own may be known only when the last barrier has come.
    const written: Written[] = [];
    for (const [i, { operator, snapshot, besides }] of this.#parts.entries()) {
      const taken = await snapshot;
      this.#taken.push(taken);
      const { watermark, operator: lists } = taken;
      const own = { watermark, operator: { ...lists, ...(await besides) } };
      const section = await this.#section(operator, OWN, encodeOwn(own));
      written.push({ id: operator, own, sections: [section, ...(all[i] as Section[])] });
    }
    const state = file.length;
    const older = [...(this.#state?.files ?? [])];
    const numbers = new Map(older.map(([number], i) => [number, i + 1]));
    this.shared = older.map(([, one]) => one);
    this.operators = written.map((one) => this.#addIndex(one, (number) => numbers.get(number) ?? 0));
    const sections = written.flatMap((one) => one.sections);
    this.full = sections.reduce((sum, { length }) => sum + length, file.length - state);
    yield* file.takeAll();
  }

  /** Puts the bytes into the file, unless they are somewhere already. */
  async #section(operator: string, group: number, bytes: Uint8Array): Promise<Section> {
    const file = this.#file;
    if (this.#state !== null) {
      const { length, digest, extents } = await this.#state.add(`${group} ${operator}`, bytes, file, this.#pause);
      return { group, length, digest, extents };
    }
    const extents = [{ file: 0, offset: file.length, length: bytes.length }];
    const before = file.crc32;
    file.add(bytes);
    return { group, length: bytes.length, digest: checksumsOf(before, file.crc32), extents };
  }

  #addIndex({ id, own, sections }: Written, fileOf: (checkpoint: number) => number): OperatorEntry {
    const file = this.#file;
    const local = sections.map((section) => ({
      ...section,
      extents: section.extents.map((extent) => ({ ...extent, file: fileOf(extent.file) })),
    }));
    const index = encodeIndex(local);
    const offset = file.length;
    file.add(index);
    const sizes = new Map<number, number>();
    for (const { group, length } of sections) if (group !== OWN) sizes.set(group, (sizes.get(group) ?? 0) + length);
    const groups = [...sizes].flat();
    const keyed = groups.length > 0;
    const stateful = keyed || Object.keys(own.operator).length > 0;
    const entry = { id, offset, length: index.length, keyed, stateful, groups };
    return fitsHereOnly(own.operator) ? { ...entry, here: true } : entry;
  }
}
