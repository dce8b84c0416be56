import type { FaultsView } from '#shared/faults.ts';
import type { JobView } from '#shared/live.ts';

/** Why no fault can begin now, in words for a button, or null. */
export function whyNotFault(blocked: string | null, job: JobView | null, view: FaultsView | null): string | null {
  if (blocked !== null) return `${blocked.charAt(0).toLowerCase()}${blocked.slice(1)}`;
  if (job === null || view === null) return 'no job is running';
  if (job.state !== 'RUNNING') return `the job is ${job.state.toLowerCase()}`;
  return null;
}
