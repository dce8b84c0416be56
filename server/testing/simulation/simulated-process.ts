/** One life of the program: a real job master with its task managers, which begins where the last one left off. */

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Resume } from '#runtime/job/job-checkpoints.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import type { JobSpec } from '#runtime/messages.ts';
import type { JobState } from '#shared/live.ts';
import type { SimulatedDisk } from '../simulated-disk.ts';
import type { Scenario } from './draw.ts';
import type { Parallelism, Trouble } from './readings.ts';
import { buildJob } from './simulated-jobs.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { type AnyDisk, type Seams, SimulatedTaskManagers } from './simulated-task-managers.ts';
import { SimulatedTimers } from './simulated-timers.ts';

const CHECKPOINTS = '/checkpoints';

export interface ProcessOptions {
  readonly scenario: Scenario;
  /** Which life of the program this is. */
  readonly life: number;
  readonly resume: Resume;
  readonly parallelism: Parallelism;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: SimulatedDisk;
  readonly trouble: Trouble;
  readonly seams: Seams;
  readonly onNews: (news: JobNews) => void;
  /** It is over; an error where the job could not be started. */
  readonly onEnd: (state: JobState, error: string | null) => void;
}

export class SimulatedProcess {
  readonly timers: SimulatedTimers;
  readonly network: SimulatedNetwork;
  readonly taskManagers: SimulatedTaskManagers;
  readonly master: JobMaster;

  constructor(options: ProcessOptions) {
    const { scenario, life, resume, parallelism, clock, random, disk, trouble, seams } = options;
    const { job, networkMs, slots } = scenario;
    this.timers = new SimulatedTimers(clock);
    this.network = new SimulatedNetwork(clock, () => random.below(networkMs + 1));
    const build = (_: JobSpec, mounted: AnyDisk): JobGraph => buildJob(job, parallelism, mounted, trouble);
    const spec: JobSpec = { name: 'simulated', params: null };
    const mounted = disk.mount();
    const graph = build(spec, mounted);
    this.taskManagers = new SimulatedTaskManagers({
      count: Math.ceil(Math.max(parallelism.source, parallelism.main, parallelism.sink) / slots),
      slots,
      build,
      clock,
      timers: this.timers,
      random,
      network: this.network,
      disk,
      heartbeatMs: scenario.heartbeatMs,
      seams,
    });
    this.master = new JobMaster({
      spec,
      graph: seams.graph?.(graph) ?? graph,
      taskManagers: this.taskManagers,
      clock,
      timers: this.timers,
      random,
      restart: scenario.restart,
      checkpoints: {
        settings: scenario.checkpoints,
        directory: CHECKPOINTS,
        disk: mounted,
        resume,
        process: { self: `${life}`, alive: (name) => name === `${life}`, describe: (name) => `life ${name}` },
      },
    });
    let problem: string | null = null;
    this.master.onNews(options.onNews);
    this.master.start().catch((error: unknown) => {
      problem = messageOf(error);
    });
    void this.master.done.then((state) => options.onEnd(state, problem ?? this.#why(state)));
  }

  #why(state: JobState): string | null {
    return state === 'FAILED' ? messageOf(this.master.failure) : null;
  }

  /** Everything in it that could happen now. */
  due(): (() => void)[] {
    return [...this.timers.due(), ...this.network.due(), ...this.taskManagers.due()];
  }

  get nextAt(): number {
    return Math.min(this.timers.nextAt, this.network.nextAt, this.taskManagers.nextAt);
  }
}
