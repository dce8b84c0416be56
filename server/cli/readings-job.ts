/** A running job on readings and what the commands read of it: its master, its source, its taps. */

import { systemClock } from '#base/clock.ts';
import { FileSource } from '#connectors/file/file-source.ts';
import { IotSimulator } from '#connectors/iot-simulator/simulator.ts';
import { ErrorsFeed } from '#connectors/live/errors-feed.ts';
import { findOperator, type JobGraph } from '#engine/graph/job-graph.ts';
import { IOT } from '#jobs/iot.ts';
import { buildJob } from '#jobs/registry.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { type CheckpointFlags, checkpointsOf, restartOf } from './checkpoint-flags.ts';
import type { IotPlan } from './iot-options.ts';

export interface ReadingsJob {
  readonly master: JobMaster;
  readonly graph: JobGraph;
  /** Counts by reason, complete once the job has ended. */
  readonly errors: ErrorsFeed;
  /** The instance whose enumerator runs; null where the source is the other one. */
  readonly files: FileSource | null;
  readonly simulator: IotSimulator | null;
}

/** Made, not started. */
export function makeReadingsJob(
  spec: JobSpec,
  { taskManagers, slots, params }: IotPlan,
  flags: CheckpointFlags,
): ReadingsJob {
  const checkpoints = checkpointsOf(flags, spec, params.output);
  const restart = restartOf(flags, checkpoints);
  const graph = buildJob(spec);
  const master = new JobMaster({
    spec,
    graph,
    // Bundled, this module lies beside the worker's.
    taskManagers: new TaskManagers({
      count: taskManagers,
      slots,
      entry: new URL('./worker.js', import.meta.url),
      standby: restart.type !== 'none',
    }),
    clock: systemClock,
    checkpoints,
    restart,
  });
  const errors = new ErrorsFeed(
    (id, query) => master.inspect(id, query),
    IOT.errorsLive,
    IOT.lateLive,
    () => systemClock.now(),
  );
  master.onReport(IOT.errorsLive, (subtask, message) => errors.onErrorsReport(subtask, message));
  master.onReport(IOT.lateLive, (subtask, message) => errors.onLateReport(subtask, message));
  const place = findOperator(graph, IOT.source);
  const source = place === null ? null : graph.vertices[place.vertex]?.operators[place.operator]?.source;
  return {
    master,
    graph,
    errors,
    files: source instanceof FileSource ? source : null,
    simulator: source instanceof IotSimulator ? source : null,
  };
}
