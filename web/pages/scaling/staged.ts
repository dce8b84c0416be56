import type { ParallelismWish, Rescale, RescaleEstimate, ScalableTask, ScalingView } from '#shared/scaling.ts';
import { compact, formatBytes, formatDuration, plural } from '../../ui/format.ts';

/** By task id: what was typed. */
export type Staged = Readonly<Record<string, string>>;

export interface Change {
  readonly task: ScalableTask;
  readonly to: number;
}

export interface CheckedStages {
  readonly changes: readonly Change[];
  /** By task id: why this number cannot be. */
  readonly wrong: Readonly<Record<string, string>>;
}

/** What differs from what is, and what cannot be. */
export function checkStaged(staged: Staged, { tasks, mostSubtasks }: ScalingView): CheckedStages {
  const changes: Change[] = [];
  const wrong: Record<string, string> = {};
  for (const task of tasks) {
    const text = staged[task.id];
    if (text === undefined) continue;
    const to = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isInteger(to) || to < 1) wrong[task.id] = `A whole number from 1 to ${task.maxParallelism}.`;
    else if (to > task.maxParallelism) wrong[task.id] = `Its max parallelism is ${task.maxParallelism}.`;
    else if (to > mostSubtasks) wrong[task.id] = `There are no more than ${mostSubtasks} slots.`;
    else if (to !== task.parallelism) changes.push({ task, to });
  }
  return { changes, wrong };
}

/** As the server wants it: by the first operator of each task. */
export function wishOf(changes: readonly Change[]): ParallelismWish {
  return Object.fromEntries(changes.map(({ task, to }) => [task.operators[0] ?? task.id, to]));
}

/** What applying will cost, by what was seen so far. */
export function costWords({ checkpointMs, stateBytes, gapMs, gaps }: RescaleEstimate): string {
  const checkpoint =
    checkpointMs === null
      ? 'A checkpoint is taken first, while the job goes on.'
      : `A checkpoint is taken first, while the job goes on: the last one took ${compact(formatDuration(checkpointMs))} and holds ${compact(formatBytes(stateBytes))}.`;
  const gap =
    gapMs === null
      ? 'Then the job stands until its tasks run again. How long that is has not been measured here yet.'
      : `Then the job stands for about ${compact(formatDuration(gapMs))} (estimate: the middle of the last ${plural(gaps, 'change')}).`;
  return `${checkpoint} ${gap}`;
}

/** Gain in throughput in words. */
export function rateChange({ rateBefore, rateAfter }: Rescale): string {
  if (rateAfter === null || rateBefore === 0) return '';
  const share = rateAfter / rateBefore - 1;
  return `${share >= 0 ? '+' : '−'}${Math.abs(Math.round(share * 100))} %`;
}
