/** What a seed means: the job, its settings, and what goes wrong when. */

import { Random } from '#base/random.ts';
import { type CheckpointSettings, checkpointSettings } from '#runtime/checkpoint/checkpoint-settings.ts';
import type { RestartSettings } from '#runtime/job/restart-settings.ts';
import { drawPipelineFaults, drawPipelines, inPipelines } from './pipelines.ts';
import { type Parallelism, pick } from './readings.ts';
import { drawJob, type SimulatedJob } from './simulated-jobs.ts';

export type Fault =
  | { readonly type: 'kill'; readonly taskManager: number }
  | { readonly type: 'hang'; readonly taskManager: number; readonly ms: number }
  | { readonly type: 'throw' }
  | { readonly type: 'process'; readonly downMs: number; readonly next: Parallelism }
  | { readonly type: 'machine'; readonly downMs: number; readonly next: Parallelism }
  | { readonly type: 'full'; readonly ms: number }
  | { readonly type: 'refuse'; readonly ms: number; readonly share: number }
  | { readonly type: 'slow'; readonly ms: number }
  | { readonly type: 'lie'; readonly ms: number }
  | { readonly type: 'flip' }
  | { readonly type: 'rescale'; readonly to: number }
  | { readonly type: 'savepoint' }
  /** The job is stopped with a savepoint, and a program goes on from that. */
  | { readonly type: 'stop'; readonly downMs: number; readonly next: Parallelism; readonly claim: boolean }
  /** The process ends, and the next one goes back to the savepoint that was taken last. */
  | { readonly type: 'back'; readonly downMs: number; readonly next: Parallelism; readonly claim: boolean };

export interface Scenario {
  readonly seed: number;
  readonly job: SimulatedJob;
  readonly parallelism: Parallelism;
  readonly slots: number;
  readonly checkpoints: CheckpointSettings;
  readonly restart: RestartSettings;
  readonly heartbeatMs: number;
  readonly diskMs: number;
  readonly networkMs: number;
  /** In the order of their times, ms from the start. */
  readonly faults: readonly { readonly at: number; readonly fault: Fault }[];
}

export function draw(seed: number): Scenario {
  const random = new Random(seed, 1);
  const drawnJob = drawJob(random);
  const several = seed % SEVERAL_REGIONS === 0;
  const job = several ? drawPipelines(new Random(seed, 6), drawnJob) : drawnJob;
  // At least once gives what exactly once does only where no task has two channels.
  const once = job.kind === 'join' || random.below(8) > 0;
  const most = { source: once && !job.late ? 3 : 1, main: once ? 3 : 1, sink: once ? 2 : 1 };
  const parallelism = drawParallelism(random, most);
  // Drawn apart, so that other draws are what they were. Rows in flight come without watermarks to another parallelism: where rows may be late it stays the same.
  const barriers = once ? pick(new Random(seed, 3), BARRIERS) : ALIGNED;
  const incremental = new Random(seed, 4).below(2) === 0;
  const minPauseMs = pick(random, [0, 0, 10]);
  const batches = job.rows.length / job.batch;
  const spanMs = 60 + batches * job.everyMs;
  const drawn = Array.from({ length: random.below(6) }, () => ({
    at: random.below(spanMs),
    fault: drawFault(random, most),
  })).map(({ at, fault }) => ({
    at,
    fault: barriers.unaligned && job.late && fault.type === 'rescale' ? { ...fault, to: parallelism.main } : fault,
  }));
  // Runs in which nothing goes wrong stay so.
  const stops = drawn.length === 0 ? [] : drawStops(new Random(seed, 5), spanMs, most);
  const inOnes = several && drawn.length > 0 ? drawPipelineFaults(new Random(seed, 7), spanMs) : [];
  const faults = [...drawn, ...stops, ...inOnes].sort((a, b) => a.at - b.at);
  return {
    seed,
    job,
    parallelism: several ? inPipelines(parallelism) : parallelism,
    slots: 1 + random.below(2),
    checkpoints: checkpointSettings({
      intervalMs: pick(random, [10, 20, 40]),
      mode: once ? 'exactly-once' : 'at-least-once',
      timeoutMs: pick(random, [30, 100, 1000]),
      minPauseMs,
      ...barriers,
      incremental,
      maxConcurrent: drawMaxConcurrent(random, barriers.unaligned),
      tolerableFailures: pick(random, [0, 1, Number.POSITIVE_INFINITY]),
      retained: 1 + random.below(3),
    }),
    restart: drawRestart(random),
    heartbeatMs: 40,
    diskMs: pick(random, [0, 1, 5]),
    networkMs: pick(random, [0, 2, 6]),
    faults: several ? faults.map(({ at, fault }) => ({ at, fault: throughPipelines(fault) })) : faults,
  };
}

/** Every so many seeds; none that had ever failed before there were any is one of them. */
export const SEVERAL_REGIONS = 7;

const throughPipelines = (fault: Fault): Fault =>
  'next' in fault ? { ...fault, next: inPipelines(fault.next) } : fault;

const ALIGNED = { unaligned: false, alignedTimeoutMs: 0 };
const BARRIERS = [ALIGNED, { unaligned: true, alignedTimeoutMs: 0 }, { unaligned: true, alignedTimeoutMs: 4 }];

function drawMaxConcurrent(random: Random, unaligned: boolean): number {
  const drawn = 1 + random.below(3);
  return unaligned ? 1 : drawn;
}

/** In every third run; drawn apart, too. */
function drawStops(random: Random, spanMs: number, most: Parallelism): { at: number; fault: Fault }[] {
  if (random.below(3) > 0) return [];
  return Array.from({ length: 1 + random.below(3) }, () => {
    const type = pick(random, ['stop', 'stop', 'back', 'savepoint'] as const);
    const next = drawParallelism(random, most);
    const [downMs, claim] = [random.below(30), random.below(2) === 0];
    return {
      at: random.below(spanMs),
      fault: type === 'savepoint' ? { type } : { type, downMs, next, claim },
    };
  });
}

function drawParallelism(random: Random, most: Parallelism): Parallelism {
  return {
    source: 1 + random.below(most.source),
    main: 1 + random.below(most.main),
    sink: 1 + random.below(most.sink),
  };
}

function drawRestart(random: Random): RestartSettings {
  const type = pick(random, ['none', 'fixed-delay', 'failure-rate', 'exponential-delay'] as const);
  const attempts = pick(random, [1, 3, Number.POSITIVE_INFINITY]);
  switch (type) {
    case 'none':
      return { type };
    case 'fixed-delay':
      return { type, attempts, delayMs: random.below(20) };
    case 'failure-rate':
      return { type, maxFailures: 1 + random.below(3), intervalMs: 100, delayMs: random.below(20) };
    case 'exponential-delay':
      return { type, initialMs: 1 + random.below(10), maxMs: 50, multiplier: 2, resetMs: 100, jitter: 0.1, attempts };
  }
}

function drawFault(random: Random, most: Parallelism): Fault {
  const ms = 5 + random.below(60);
  const type = pick(random, [
    'kill',
    'kill',
    'hang',
    'throw',
    'process',
    'process',
    'machine',
    'machine',
    'full',
    'refuse',
    'slow',
    'lie',
    'flip',
    'rescale',
    'savepoint',
  ] as const);
  switch (type) {
    case 'kill':
      return { type, taskManager: random.below(3) };
    case 'hang':
      return { type, taskManager: random.below(3), ms: 2 * ms };
    case 'process':
    case 'machine':
      return { type, downMs: random.below(30), next: drawParallelism(random, most) };
    case 'refuse':
      return { type, ms, share: pick(random, [0.05, 0.3, 1]) };
    case 'full':
    case 'slow':
    case 'lie':
      return { type, ms };
    case 'rescale':
      return { type, to: 1 + random.below(most.main) };
    default:
      return { type };
  }
}
