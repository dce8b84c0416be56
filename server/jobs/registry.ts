/** The jobs that ship with Weir, by name. */

import { UsageError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { type AlertsParams, buildAlerts } from './alerts.ts';
import { buildIot, type IotParams } from './iot.ts';
import { buildSessions, type SessionsParams } from './sessions.ts';
import { buildThresholds, type ThresholdsParams } from './thresholds.ts';
import { buildTrends, type TrendsParams } from './trends.ts';

export interface AvailableJob {
  readonly name: string;
  /** One line for people. */
  readonly description: string;
}

const JOBS: readonly (AvailableJob & { build: (params: unknown) => JobGraph })[] = [
  {
    name: 'iot',
    description: 'Readings of IoT devices: validated, keyed by device, min / max / avg per sensor in windows.',
    build: (params) => buildIot(params as IotParams),
  },
  {
    name: 'sessions',
    description: 'When each device was active: session windows with start, end, number of readings, min and max.',
    build: (params) => buildSessions(params as SessionsParams),
  },
  {
    name: 'alerts',
    description: 'Devices that fall silent, come back, or leave their usual range: timers and state per device.',
    build: (params) => buildAlerts(params as AlertsParams),
  },
  {
    name: 'trends',
    description: 'How each device changes: the highest temperature of every window beside that of the window before.',
    build: (params) => buildTrends(params as TrendsParams),
  },
  {
    name: 'thresholds',
    description: 'Readings outside of what is allowed at their time: thresholds from a broadcast stream.',
    build: (params) => buildThresholds(params as ThresholdsParams),
  },
];

export const availableJobs: readonly AvailableJob[] = JOBS.map(({ name, description }) => ({ name, description }));

/** The graph of a job; the same in every thread that is given the same spec. An unknown name is an error that lists the known ones. */
export function buildJob(spec: { readonly name: string; readonly params: unknown }): JobGraph {
  const job = JOBS.find((j) => j.name === spec.name);
  if (job === undefined)
    throw new UsageError(`There is no job "${spec.name}"; there are: ${JOBS.map((j) => j.name).join(', ')}.`);
  return job.build(spec.params);
}
