/**
 * The life of a job (`flink-reference` §5.3): diagram, table and check in one place.
 *
 *                 ┌────────────> CANCELLING ──> CANCELED
 *                 │                  ^
 *   CREATED ──> RUNNING ──> FAILING ─┤
 *      │          │            └─────────────> FAILED
 *      │          └──────────────────────────> FINISHED
 *      └──> (FAILING, CANCELLING: a job may fail or be cancelled while it is deployed)
 */

import { WeirError } from '#base/errors.ts';

export type JobState = 'CREATED' | 'RUNNING' | 'FAILING' | 'FAILED' | 'CANCELLING' | 'CANCELED' | 'FINISHED';

const NEXT: Record<JobState, readonly JobState[]> = {
  CREATED: ['RUNNING', 'FAILING', 'CANCELLING'],
  RUNNING: ['FINISHED', 'FAILING', 'CANCELLING'],
  FAILING: ['FAILED', 'CANCELLING'],
  CANCELLING: ['CANCELED'],
  FAILED: [],
  CANCELED: [],
  FINISHED: [],
};

/** No state follows. */
export function isTerminal(state: JobState): boolean {
  return NEXT[state].length === 0;
}

/** Throws when a job cannot go from one state to the other. */
export function checkTransition(from: JobState, to: JobState): void {
  if (!NEXT[from].includes(to)) throw new WeirError('JOB_STATE', `A job that is ${from} cannot become ${to}.`);
}
