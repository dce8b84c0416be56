/** The states of all subtasks in their latest attempts; every step is checked (`task-state.ts`). */

import type { SubtaskId } from '../task/channels.ts';
import { checkTaskTransition, isTerminalTask, type TaskState } from './task-state.ts';

/** How many subtasks are in each state; the states in which none is are left out. */
export type TaskCounts = Partial<Readonly<Record<TaskState, number>>>;

export class TaskStates {
  /** By vertex and index. */
  readonly #states: TaskState[][] = [];
  /** Of each, 0 for the first. */
  readonly #attempts: number[][] = [];

  /** `before`: of the job's attempt before, whose numbers go on; null: there was none. */
  constructor(subtasks: readonly SubtaskId[], before: TaskStates | null = null) {
    for (const id of subtasks) {
      const { vertex, index } = id;
      this.#states[vertex] ??= [];
      this.#attempts[vertex] ??= [];
      (this.#states[vertex] as TaskState[])[index] = 'CREATED';
      (this.#attempts[vertex] as number[])[index] = (before?.attemptOf(id) ?? -1) + 1;
    }
  }

  /** Null: there is no such subtask. */
  attemptOf({ vertex, index }: SubtaskId): number | null {
    return this.#attempts[vertex]?.[index] ?? null;
  }

  /** They have ended, and begin once more: another attempt of each. Throws where one has not. */
  again(subtasks: readonly SubtaskId[]): void {
    for (const id of subtasks) {
      if (!isTerminalTask(this.of(id))) throw new Error(`A subtask that is ${this.of(id)} cannot begin again.`);
      (this.#states[id.vertex] as TaskState[])[id.index] = 'CREATED';
      (this.#attempts[id.vertex] as number[])[id.index] = (this.attemptOf(id) as number) + 1;
    }
  }

  of({ vertex, index }: SubtaskId): TaskState {
    return this.#states[vertex]?.[index] as TaskState;
  }

  /** Throws where they cannot. */
  move(subtasks: readonly SubtaskId[], to: TaskState): void {
    for (const id of subtasks) {
      checkTaskTransition(this.of(id), to);
      (this.#states[id.vertex] as TaskState[])[id.index] = to;
    }
  }

  /** Those that have not ended have failed. */
  fail(subtasks: readonly SubtaskId[]): void {
    this.move(
      subtasks.filter((id) => !isTerminalTask(this.of(id))),
      'FAILED',
    );
  }

  /** The attempt is given up: what nobody was told of is gone at once, the others are told. */
  cancel(subtasks: readonly SubtaskId[]): void {
    const open = subtasks.filter((id) => !isTerminalTask(this.of(id)) && this.of(id) !== 'CANCELING');
    const untold = open.filter((id) => this.of(id) === 'CREATED' || this.of(id) === 'SCHEDULED');
    this.move(untold, 'CANCELED');
    this.move(
      open.filter((id) => !untold.includes(id)),
      'CANCELING',
    );
  }

  /** Those that were told are gone. */
  canceled(subtasks: readonly SubtaskId[]): void {
    this.move(
      subtasks.filter((id) => this.of(id) === 'CANCELING'),
      'CANCELED',
    );
  }

  get counts(): TaskCounts {
    const counts: Partial<Record<TaskState, number>> = {};
    for (const state of this.#states.flat()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }
}
