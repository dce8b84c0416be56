/** A running job on readings and what the commands read of it: its master, its source, its taps. */

import { systemClock } from '#base/clock.ts';
import { FileSource } from '#connectors/file/file-source.ts';
import { IotSimulator } from '#connectors/iot-simulator/simulator.ts';
import { ErrorsFeed } from '#connectors/live/errors-feed.ts';
import { findOperator, type JobGraph } from '#engine/graph/job-graph.ts';
import { IOT } from '#jobs/iot.ts';
import { buildJob } from '#jobs/registry.ts';
import { DiskSeam } from '#lab/faults/disk-seam.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { JobCheckpointsOptions } from '#runtime/job/job-checkpoints.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { type CheckpointFlags, checkpointsOf, restartOf } from './checkpoint-flags.ts';
import type { IotPlan } from './iot-options.ts';

export interface ReadingsJob {
  readonly master: JobMaster;
  readonly threads: TaskManagers;
  /** That this thread writes checkpoints to. */
  readonly disk: DiskSeam;
  readonly graph: JobGraph;
  /** Null: it takes none. */
  readonly checkpoints: JobCheckpointsOptions | null;
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
  const disk = new DiskSeam(new NodeDisk());
  const asked = checkpointsOf(flags, spec, params.output);
  const checkpoints = asked === null ? null : { ...asked, disk };
  const restart = restartOf(flags, checkpoints);
  const graph = buildJob(spec);
  const threads = new TaskManagers({
    count: taskManagers,
    slots,
    // Bundled, this module lies beside the worker's.
    entry: new URL('./worker.js', import.meta.url),
    standby: restart.type !== 'none',
    ...(flags.heartbeatTimeout === undefined ? {} : { heartbeatTimeoutMs: flags.heartbeatTimeout }),
  });
  const master = new JobMaster({
    spec,
    graph,
    taskManagers: threads,
    clock: systemClock,
    checkpoints,
    restart,
    ...(flags.stateAlert === undefined ? {} : { stateAlertBytes: flags.stateAlert }),
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
    threads,
    disk,
    graph,
    checkpoints,
    errors,
    files: source instanceof FileSource ? source : null,
    simulator: source instanceof IotSimulator ? source : null,
  };
}
