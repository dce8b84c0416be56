import type { Subtask } from '../task/subtask.ts';

/**
 * Somebody who gets at the operators of a thread from outside (`server/lab`): orders come by mail, and reach what was deployed before as well
 * as what will be. A thread without one ignores such mail.
 */
export interface Disturber {
  /** An order, plain data; takes effect before the next step of any subtask. */
  receive(order: unknown): void;
  /** These subtasks have been made, and are about to run. */
  deployed(subtasks: readonly Subtask[]): void;
  /** They are gone. */
  disposed(subtasks: readonly Subtask[]): void;
}
