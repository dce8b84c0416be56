/**
 * The life of a job (`flink-reference` §5.3): diagram, table and check in one place.
 *
 *                 ┌───────────────────────> CANCELLING ──> CANCELED
 *                 │                             ^
 *   CREATED ──> RUNNING ──────────> FAILING ────┤
 *      │         │ ^ │                 ^  └────────────────> FAILED
 *      │         │ │ └──────────────── │ ──────────────────> FINISHED
 *      │         v │                   │
 *      └─> RESTARTING ─────────────────┘
 *
 * From CREATED and RESTARTING as from RUNNING: a job may fail, be cancelled and be restarted while it is deployed. RESTARTING lasts from
 * the failure until all tasks run again, over any number of attempts. **Flink:** INITIALIZING and SUSPENDED belong to leaders that change,
 * which Weir has not.
 */

import { WeirError } from '#base/errors.ts';
import type { JobState } from '#shared/live.ts';

const NEXT: Record<JobState, readonly JobState[]> = {
  CREATED: ['RUNNING', 'RESTARTING', 'FAILING', 'CANCELLING'],
  RUNNING: ['FINISHED', 'RESTARTING', 'FAILING', 'CANCELLING'],
  RESTARTING: ['RUNNING', 'FAILING', 'CANCELLING'],
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
