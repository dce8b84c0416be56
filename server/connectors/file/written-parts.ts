/**
 * Which parts each subtask has handed over: the numbers of all, and of the last ones what was in them.
 *
 * Numbers are not always one behind the other: those of parts that lie there from a history that was given up are left out. The job may go back to
 * that one, by a savepoint, and needs to know then which are whose.
 *
 * A machine may lose, in a crash, what its disk had said was synced; a
 * disk brings to safety by itself, within half a minute or so, what it lies about. So that is how far back a new process looks whether parts are as
 * they were written, and names those that are not.
 */

import { join } from 'node:path';
import type { WriterContext } from '#engine/io/sink.ts';
import type { PieceNumbers } from '../piece-numbers.ts';
import type { OutputDisk } from './output-disk.ts';
import { type Part, partOf, type StagedPart } from './part-files.ts';

/** Of each subtask: a checkpoint has one at most. */
const REMEMBERED = 32;

/** Parts `from .. end` of a subtask. */
export type Run = readonly [subtask: number, from: number, end: number];

/** A writer's snapshot. */
export interface PartWriterState {
  readonly numbers: PieceNumbers;
  /** All parts, in order; from subtask 0 also those of subtasks that no longer are. Absent in older snapshots: all below `numbers`. */
  readonly runs?: readonly Run[];
  /** The last parts, from the oldest to the newest; from subtask 0 also those of subtasks that no longer are. */
  readonly parts: readonly StagedPart[];
}

export class WrittenParts {
  readonly #retired: readonly StagedPart[];
  #own: readonly StagedPart[];
  readonly #retiredRuns: readonly Run[];
  #ownRuns: readonly Run[];

  constructor({ subtask, parallelism, restored }: WriterContext<PartWriterState>) {
    const parts = restored.flatMap((state) =>
      state.parts.map((part) => ({ part, of: partOf(part.name)?.subtask ?? 0 })),
    );
    this.#own = parts.filter(({ of }) => of === subtask).map(({ part }) => part);
    this.#retired = subtask === 0 ? parts.filter(({ of }) => of >= parallelism).map(({ part }) => part) : [];
    const runs = runsOf(restored);
    this.#ownRuns = runs.filter(([of]) => of === subtask);
    this.#retiredRuns = subtask === 0 ? runs.filter(([of]) => of >= parallelism) : [];
  }

  add(part: StagedPart): void {
    this.#own = [...this.#own.slice(1 - REMEMBERED), part];
    const { subtask, n } = partOf(part.name) as Part;
    const last = this.#ownRuns.at(-1);
    this.#ownRuns =
      last?.[2] === n
        ? [...this.#ownRuns.slice(0, -1), [subtask, last[1], n + 1]]
        : [...this.#ownRuns, [subtask, n, n + 1]];
  }

  snapshot(): Pick<Required<PartWriterState>, 'runs' | 'parts'> {
    return { runs: [...this.#retiredRuns, ...this.#ownRuns], parts: [...this.#retired, ...this.#own] };
  }
}

/** Of all writers together. */
export function runsOf(states: readonly PartWriterState[]): readonly Run[] {
  return states.flatMap(({ runs, numbers }) => runs ?? numbers.map(([subtask, next]): Run => [subtask, 0, next]));
}

/** What has become of a part; null: it is as it was written. */
export async function damageOf(
  disk: OutputDisk,
  directory: string,
  file: string,
  part: StagedPart,
): Promise<string | null> {
  const path = join(directory, file);
  const size = await disk.sizeOf(path);
  if (size === null) return `${path} is gone`;
  if (size !== part.bytes) return `${path} has ${size} bytes instead of ${part.bytes}`;
  return (await disk.checksumOf(path)) === part.checksum ? null : `${path} is not what was written`;
}
