/** The jobs that the benches' task managers know: those that ship with Weir, and the warm-up jobs. */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { buildJob } from '#jobs/registry.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { buildStateJob, isStateJob } from './state-jobs.ts';
import { buildWarmUp, isWarmUp } from './warm-up-jobs.ts';

export function buildBenchJob(spec: JobSpec): JobGraph {
  if (isWarmUp(spec)) return buildWarmUp(spec);
  return isStateJob(spec) ? buildStateJob(spec) : buildJob(spec);
}
