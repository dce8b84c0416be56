/** One job on task managers that are there already, as `weir run` does it: sampled while it runs, counted from its cells. */

import { systemClock } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import { OperatorCell } from '#engine/metrics/cells.ts';
import type { JobCheckpointsOptions } from '#runtime/job/job-checkpoints.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { type JobNumbers, JobSampler } from '#runtime/metrics/sampler.ts';
import { buildBenchJob } from './jobs.ts';
import { expectedRows, warmUpSpecs } from './warm-up-jobs.ts';

/** As `weir run` looks at the cells. */
const SAMPLE_MS = 100;
const WARM_UP_ROWS = 200_000;

export interface JobRun {
  /** From RUNNING to FINISHED. */
  readonly seconds: number;
  readonly totals: JobNumbers['totals'];
  /** Rows an operator took, over all its subtasks. */
  recordsIn(operator: string): number;
}

/** Entry of the benches' threads; bundled, it lies beside the module that this is in. */
export const WORKER = new URL('./bench-worker.js', import.meta.url);

export function newTaskManagers(count: number): TaskManagers {
  return new TaskManagers({ count, slots: 1, entry: WORKER });
}

export interface JobRunOptions {
  /** Default: it takes none. */
  readonly checkpoints?: JobCheckpointsOptions;
  /** Called as often as the job is sampled. */
  readonly look?: (master: JobMaster) => void;
}

/** Throws unless the job finishes. */
export async function runJob(
  taskManagers: TaskManagers,
  spec: JobSpec,
  { checkpoints, look }: JobRunOptions = {},
): Promise<JobRun> {
  const graph = buildBenchJob(spec);
  const master = new JobMaster({ spec, graph, taskManagers, clock: systemClock, checkpoints: checkpoints ?? null });
  const sampler = new JobSampler(graph, master.cells);
  let began = 0;
  let ended = 0;
  master.onState((state) => {
    if (state === 'RUNNING') began = performance.now();
    if (state === 'FINISHED') ended = performance.now();
  });
  const sampling = setInterval(() => {
    sampler.sample(Date.now());
    look?.(master);
  }, SAMPLE_MS);
  try {
    await master.start();
    const state = await master.done;
    if (state !== 'FINISHED') {
      throw new WeirError('BENCH_JOB', `Job ${spec.name} is ${state}: ${master.failure?.message ?? 'no cause known'}`);
    }
  } finally {
    clearInterval(sampling);
  }
  sampler.sample(Date.now());
  const numbers = sampler.numbers() as JobNumbers;
  const recordsIn = (operator: string): number => {
    const place = sampler.layout.operators.find((o) => o.id === operator);
    if (place === undefined) throw new WeirError('BENCH_OPERATOR', `Job ${spec.name} has no operator "${operator}".`);
    const cell = place.offset + OperatorCell.RECORDS_IN;
    return (master.cells[place.vertex] ?? []).reduce((sum, cells) => sum + (cells[cell] as number), 0);
  };
  const run = { seconds: (ended - began) / 1000, totals: numbers.totals, recordsIn };
  master.dispose();
  return run;
}

/** Runs every warm-up job once and checks what came out. */
export async function warmUp(taskManagers: TaskManagers): Promise<void> {
  for (const spec of warmUpSpecs({ rows: WARM_UP_ROWS, parallelism: taskManagers.count })) {
    const { operator, rows } = expectedRows(spec);
    const run = await runJob(taskManagers, spec);
    if (rows !== null) expectCount(`${spec.name}, rows into ${operator}`, run.recordsIn(operator), rows);
  }
}

/** A count that is off makes every speed worthless. */
export function expectCount(what: string, counted: number, expected: number): void {
  if (counted !== expected) throw new WeirError('BENCH_COUNT', `${what}: ${counted}, but it must be ${expected}.`);
}
