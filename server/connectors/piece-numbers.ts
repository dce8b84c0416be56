/**
 * Numbers of the pieces that a sink's output is made of, part files or transactions: each subtask counts its own, and a checkpoint holds up to
 * where. That is how pieces it does not know are told from those it does, at whatever parallelism they were made.
 */

/**
 * What a writer's snapshot is: by subtask, the number of its next piece. Its own, and from subtask 0 also those of subtasks that no longer are:
 * all pieces below were handed over at the snapshot or before.
 */
export type PieceNumbers = readonly (readonly [subtask: number, next: number])[];

/** Number of the next piece by subtask, as all writers gave it together. */
export function numbersOf(states: readonly PieceNumbers[]): Map<number, number> {
  const numbers = new Map<number, number>();
  for (const [subtask, next] of states.flat()) numbers.set(subtask, Math.max(next, numbers.get(subtask) ?? 0));
  return numbers;
}

/** Counts the pieces of one subtask. */
export class PieceCounter {
  readonly #subtask: number;
  /** Of subtasks that no longer are. */
  readonly #retired: PieceNumbers;
  #next: number;

  constructor({
    subtask,
    parallelism,
    restored,
  }: {
    readonly subtask: number;
    readonly parallelism: number;
    readonly restored: readonly PieceNumbers[];
  }) {
    const numbers = numbersOf(restored);
    this.#subtask = subtask;
    this.#next = numbers.get(subtask) ?? 0;
    this.#retired = subtask === 0 ? [...numbers].filter(([other]) => other >= parallelism) : [];
  }

  /** Numbers below are taken. */
  skipTo(next: number): void {
    this.#next = Math.max(this.#next, next);
  }

  take(): number {
    return this.#next++;
  }

  snapshot(): PieceNumbers {
    return [[this.#subtask, this.#next], ...this.#retired];
  }
}

/** A few names of many. */
export function someOf(names: readonly string[]): string {
  const more = names.length - 5;
  return more > 0 ? `${names.slice(0, 5).join(', ')} and ${more} more` : names.join(', ');
}
