import type { JobView } from '#shared/live.ts';

/** Why nothing can be injected now, in words for a button, or null. */
export function whyNotInject(blocked: string | null, job: JobView | null): string | null {
  if (blocked !== null) return lowerFirst(blocked);
  if (job === null) return 'no job is running';
  if (job.simulator === null) return 'this job reads real input, not the simulator';
  if (job.state !== 'RUNNING') return `the job is ${job.state.toLowerCase()}`;
  return null;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
