/** The jobs that the benches' task managers know: those that ship with Weir, and the warm-up jobs. */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { IOT, type IotParams } from '#jobs/iot.ts';
import { buildJob } from '#jobs/registry.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { buildWarmUp, isWarmUp } from './warm-up-jobs.ts';

export function buildBenchJob(spec: JobSpec): JobGraph {
  return isWarmUp(spec) ? buildWarmUp(spec) : buildJob(spec);
}

/** `run iot` with its defaults and `--watermark-emit on-event`, printing and writing nothing. */
export function iotParams(
  source: IotParams['source'],
  parallelism: number,
  changes: Partial<Pick<IotParams, 'window' | 'output' | 'live' | 'watermarkEmit' | 'idleTimeoutMs'>> = {},
): IotParams {
  return {
    source,
    time: 'event',
    window: { kind: 'tumbling', sizeMs: 5000 },
    outOfOrdernessMs: 5000,
    allowedLatenessMs: 0,
    idleTimeoutMs: null,
    watermarkEmit: 'on-event',
    parallelism: { source: parallelism, window: parallelism },
    output: null,
    console: null,
    live: false,
    rollIntervalMs: 10_000,
    ...changes,
  };
}

export { IOT };
