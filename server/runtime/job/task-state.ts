/**
 * The life of one attempt of a subtask (`flink-reference` §5.3): diagram, table and check in one place. A restart is a new attempt.
 *
 *   CREATED ──> SCHEDULED ──> DEPLOYING ──> INITIALIZING ──> RUNNING ──> FINISHED
 *      │            │             │       (has its state,       │
 *      │            │             │      waits for others)      │
 *      │            │             └──────────────┴──────────────┴──> CANCELING ──> CANCELED
 *      └────────────┴── nothing is there to be cancelled ────────────────────────────^
 *
 * and FAILED from every state that is not terminal.
 */

import { WeirError } from '#base/errors.ts';

export type TaskState =
  | 'CREATED'
  | 'SCHEDULED'
  | 'DEPLOYING'
  | 'INITIALIZING'
  | 'RUNNING'
  | 'FINISHED'
  | 'CANCELING'
  | 'CANCELED'
  | 'FAILED';

const NEXT: Record<TaskState, readonly TaskState[]> = {
  CREATED: ['SCHEDULED', 'CANCELED', 'FAILED'],
  SCHEDULED: ['DEPLOYING', 'CANCELED', 'FAILED'],
  DEPLOYING: ['INITIALIZING', 'CANCELING', 'FAILED'],
  INITIALIZING: ['RUNNING', 'CANCELING', 'FAILED'],
  RUNNING: ['FINISHED', 'CANCELING', 'FAILED'],
  CANCELING: ['CANCELED', 'FAILED'],
  FINISHED: [],
  CANCELED: [],
  FAILED: [],
};

/** No state follows. */
export function isTerminalTask(state: TaskState): boolean {
  return NEXT[state].length === 0;
}

/** Throws when a subtask cannot go from one state to the other. */
export function checkTaskTransition(from: TaskState, to: TaskState): void {
  if (!NEXT[from].includes(to)) throw new WeirError('TASK_STATE', `A subtask that is ${from} cannot become ${to}.`);
}
