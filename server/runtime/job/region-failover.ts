/**
 * Restarts regions of a job that have failed, from the last completed checkpoint, while the others go on (Flink's region failover).
 *
 *   a region fails ─> closed; checkpoints in progress are aborted ─> delay ─> its sinks take back, its tasks are deployed, its sources get back
 *          ^                                                           ^      what they had been assigned since ─> all run: checkpoints go on
 *          └── another one, or the same again ─────────────────────────┘
 *
 * Failures that come before the restart belong to it (RS1). One set of regions is restarted after the other. Where a region cannot be restarted
 * alone the whole job is, and why is told.
 */

import type { Clock, Timers } from '#base/clock.ts';
import type { SubtaskId } from '../task/channels.ts';
import type { JobCheckpoints, RestorePoint } from './job-checkpoints.ts';
import type { JobExecution } from './job-execution.ts';
import type { RowAccounts } from './row-accounts.ts';
import type { TaskManagerPool } from './task-managers.ts';

/** The job around it. */
export interface FailoverJob {
  readonly execution: JobExecution;
  /** Null: the job takes none. */
  readonly checkpoints: JobCheckpoints | null;
  readonly accounts: RowAccounts;
  readonly taskManagers: Pick<TaskManagerPool, 'start'>;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Counts a failure and tells it. Gives how long to wait, ms; null: the job ends. */
  readonly count: (error: Error, scope: string) => number | null;
  /** The whole job must restart. */
  readonly restartAll: (error: Error, why: string) => void;
  /** These subtasks run again, and all others do; `gapMs`: since the first of them failed. */
  readonly onRestarted: (restarted: RestartedRegions) => void;
}

export interface RestartedRegions {
  readonly regions: number;
  readonly subtasks: readonly SubtaskId[];
  readonly gapMs: number;
}

export class RegionFailover {
  readonly #job: FailoverJob;
  /** Closed, and not deployed again yet. */
  readonly #failed = new Set<number>();
  /** Settles when all of them are closed, and it is known which checkpoint is the latest. */
  #closed: Promise<unknown> = Promise.resolve();
  /** The next restart has not begun: failures belong to it. */
  #waiting = false;
  #delayMs = 0;
  #endDelay: (() => void) | null = null;
  #work: Promise<void> | null = null;
  #over = false;
  #began = 0;
  #restarted = new Set<number>();

  constructor(job: FailoverJob) {
    this.#job = job;
  }

  /** The whole job restarts, or ends. Resolves when nothing more is done to sinks and tasks here. */
  async end(): Promise<void> {
    this.#over = true;
    this.#endDelay?.();
    await this.#work;
  }

  /** Null: it is taken care of. Otherwise the whole job must restart, and why: null where it has only this region. */
  takes(region: number, error: Error): { readonly why: string | null } | null {
    const { execution, checkpoints, clock } = this.#job;
    if (execution.regions.length === 1) return { why: null };
    const regions = new Set([...this.#failed, region]);
    const why =
      checkpoints === null
        ? 'it takes no checkpoints'
        : (execution.obstacle(regions) ?? checkpoints.obstacle(execution.subtasksOf(regions)));
    if (why !== null) return { why };
    if (this.#work === null) this.#began = clock.nanos();
    this.#failed.add(region);
    this.#closed = Promise.all([this.#closed, execution.leave(region), checkpoints?.failover()]);
    if (this.#waiting) return null;
    this.#waiting = true;
    const delayMs = this.#job.count(error, this.#scope());
    if (delayMs === null) return null;
    this.#delayMs = delayMs;
    this.#work ??= this.#restartFailed();
    return null;
  }

  /** One set after the other, until none is left. */
  async #restartFailed(): Promise<void> {
    let point: RestorePoint | null = null;
    while (this.#failed.size > 0) {
      await this.#delay();
      await this.#settled();
      if (this.#over) return;
      const regions = [...this.#failed];
      this.#failed.clear();
      this.#waiting = false;
      try {
        const found = await this.#restart(regions);
        if (this.#over) return;
        if (found === null) {
          this.#job.restartAll(new Error('The last completed checkpoint is damaged.'), 'it goes back further');
          return;
        }
        point = found.point;
      } catch (error) {
        if (!this.#over)
          this.#job.restartAll(
            error instanceof Error ? error : new Error(String(error)),
            'a region could not be restarted alone',
          );
        return;
      }
      for (const region of regions) this.#restarted.add(region);
    }
    this.#work = null;
    const { execution, checkpoints, clock, onRestarted } = this.#job;
    const restarted = [...this.#restarted];
    this.#restarted.clear();
    checkpoints?.resume(point);
    const gapMs = (clock.nanos() - this.#began) / 1e6;
    onRestarted({ regions: restarted.length, subtasks: execution.subtasksOf(restarted), gapMs });
  }

  /** What they go on from; null: it is damaged. */
  async #restart(regions: readonly number[]): Promise<{ readonly point: RestorePoint | null } | null> {
    const { execution, checkpoints, accounts, taskManagers } = this.#job;
    const subtasks = execution.subtasksOf(regions);
    await taskManagers.start();
    const found = (await checkpoints?.newest()) ?? null;
    if (found === null || this.#over) return found;
    await checkpoints?.recoverSinks(found.point, subtasks);
    if (this.#over) return found;
    accounts.restarted(subtasks, found.point?.checkpoint.id ?? null);
    await execution.comeBack(regions, found.point);
    return found;
  }

  async #settled(): Promise<void> {
    for (let closed: unknown = null; closed !== this.#closed; ) {
      closed = this.#closed;
      await closed;
    }
  }

  #delay(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#job.timers.after(this.#delayMs, () => this.#endDelay?.());
      this.#endDelay = () => {
        this.#endDelay = null;
        cancel();
        resolve();
      };
    });
  }

  /** For people. */
  #scope(): string {
    const { regions } = this.#job.execution;
    return `${this.#failed.size} of ${regions.length} regions`;
  }
}
