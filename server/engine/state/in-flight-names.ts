/** Names in snapshots of what a barrier has overtaken. */

import type { OwnSnapshot } from './snapshot.ts';

/** Rows around a task that find their place at any parallelism (`runtime/task/in-flight-state.ts`). */
export const IN_FLIGHT = 'in-flight';
/** Those that only the same subtasks can take back. */
export const IN_FLIGHT_HERE = 'in-flight-here';
/** Rows that a sink held for its writer; likewise. */
export const HELD = 'held';

/** Whether a snapshot fits no other parallelism than its own. */
export function fitsHereOnly(names: Readonly<Record<string, unknown>>): boolean {
  return names[IN_FLIGHT_HERE] !== undefined || names[HELD] !== undefined;
}

/** What belongs to the operator itself: it would keep lists that it does not know. */
export function withoutInFlight(snapshot: OwnSnapshot): OwnSnapshot {
  const { [IN_FLIGHT]: anywhere, [IN_FLIGHT_HERE]: here, ...operator } = snapshot.operator;
  return anywhere === undefined && here === undefined ? snapshot : { ...snapshot, operator };
}
