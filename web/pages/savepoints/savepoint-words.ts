import type { CheckpointKind } from '#shared/checkpoints.ts';
import type { SavepointDetails, SavepointTask } from '#shared/savepoints.ts';

const KINDS: Record<CheckpointKind, string> = {
  checkpoint: 'checkpoint',
  savepoint: 'taken while it ran',
  stop: 'job stopped behind it',
  drain: 'job drained behind it',
};

export function kindWords(kind: CheckpointKind | null): string {
  return kind === null ? 'cannot be read' : KINDS[kind];
}

/** What a task would have when the job goes on from it. */
export function parallelismWords({ parallelism, parallelismNow }: SavepointTask): string {
  if (parallelismNow === null) return `${parallelism}, not in the job`;
  return parallelismNow === parallelism ? `${parallelism}, as now` : `${parallelism}, now ${parallelismNow}`;
}

/** Whether and how the job would go on from it, one sentence each. */
export function fitWords({ kind, fresh, dropped, obstacle }: SavepointDetails): string[] {
  if (obstacle !== null) return [obstacle];
  const words: string[] = [];
  if (kind === 'drain')
    words.push('All windows were fired before it was taken: results of a job that goes on from it miss their rows.');
  if (dropped.length > 0) words.push(`State of ${dropped.join(', ')} has no operator in the job any more.`);
  if (fresh.length > 0) words.push(`Not in it, so they begin empty: ${fresh.join(', ')}.`);
  if (words.length === 0) words.push('Every operator of the job finds its state in it.');
  return words;
}

/** What somebody has to type before it is removed. */
export function confirmation(name: string): string {
  return name.slice(-4);
}
