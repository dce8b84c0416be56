/**
 * Changes of parallelism that people ask for: what one would cost by what was seen so far, and what it did cost.
 *
 *   start ─> checkpoint ─> restarting ─> measuring (5 s) ─> done
 *               └─> failed: nothing was changed
 */

import type { Clock } from '#base/clock.ts';
import { messageOf, UsageError } from '#base/errors.ts';
import { withParallelism } from '#engine/graph/rescale.ts';
import { slotsOf } from '#runtime/job/job-execution.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import type { CheckpointStatistics } from '#shared/checkpoints.ts';
import { type JobState, RATE_WINDOW_MS } from '#shared/live.ts';
import {
  type ParallelismWish,
  type Rescale,
  type RescaleEstimate,
  SCALING_LIMITS,
  type ScalingView,
} from '#shared/scaling.ts';
import type { InjectionsOptions } from './injections.ts';
import { JobSight, type SightedJob } from './job-sight.ts';

/** What is asked of a job; `JobMaster` has all of it. */
export interface ScalableJob extends SightedJob {
  readonly state: JobState;
  readonly checkpoints: Pick<CheckpointStatistics, 'latest'> | null;
  rescale(changes: ParallelismWish): Promise<void>;
  onState(listener: (state: JobState) => void): () => void;
  onNews(listener: (news: JobNews) => void): () => void;
}

export interface RescalesOptions {
  readonly job: ScalableJob;
  readonly taskManagers: { readonly count: number; readonly slots: number; readonly most: number };
  readonly clock: Clock;
  readonly timers: InjectionsOptions['timers'];
}

export interface RescaleNews {
  readonly kind: 'rescale-started' | 'rescale-ended';
  readonly rescale: Rescale;
  readonly text: string;
}

const LOOK_MS = 500;
/** Gaps that an estimate is made of. */
const GAPS = 5;

export class Rescales {
  readonly #options: RescalesOptions;
  readonly #listeners = new Set<(news: RescaleNews) => void>();
  #history: readonly Rescale[] = [];
  #gaps: readonly number[] = [];
  #version = 0;
  #lastId = 0;
  readonly #sight: JobSight;
  /** Timers: of the next look, and of the rate behind the last rescale. */
  #looking: unknown = null;
  #measuring: unknown = null;

  constructor(options: RescalesOptions) {
    this.#options = options;
    const { job } = options;
    this.#sight = new JobSight(job, options.clock);
    job.onState((state) => this.#onState(state));
    job.onNews((news) => {
      if (news.type !== 'rescaled') return;
      this.#gaps = [...this.#gaps, news.gapMs].slice(-GAPS);
      this.#change({ gapMs: Math.round(news.gapMs) });
    });
    this.#look();
  }

  get version(): number {
    return this.#version;
  }

  get view(): ScalingView {
    const { job, taskManagers } = this.#options;
    return {
      version: this.#version,
      tasks: job.graph.vertices.map(({ id, name, operators, parallelism, maxParallelism }) => ({
        id,
        name,
        operators: operators.map((operator) => operator.id),
        parallelism,
        maxParallelism,
      })),
      taskManagers: taskManagers.count,
      slots: taskManagers.slots,
      mostSubtasks: taskManagers.most * taskManagers.slots,
      estimate: this.#estimate(),
      history: this.#history,
      blocked: this.#blocked(),
    };
  }

  onNews(listener: (news: RescaleNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Throws a `UsageError` by name where it cannot be; what happens then is told in the view. */
  start(wish: ParallelismWish): Rescale {
    const { job, taskManagers, clock } = this.#options;
    const blocked = this.#blocked();
    if (blocked !== null) throw new UsageError(blocked);
    const graph = withParallelism(job.graph, wish);
    const needed = slotsOf(graph);
    const most = taskManagers.most * taskManagers.slots;
    if (needed > most) {
      throw new UsageError(
        `${needed} subtasks need ${needed} slots, and ${taskManagers.most} task managers with ${taskManagers.slots} each have no more than ${most}.`,
      );
    }
    const changes = graph.vertices.flatMap(({ name, parallelism }, v) => {
      const from = job.graph.vertices[v]?.parallelism ?? 0;
      return from === parallelism ? [] : [{ task: name, from, to: parallelism }];
    });
    if (changes.length === 0) throw new UsageError('The job has these numbers of subtasks already.');
    this.#sight.sample();
    const { rate, lagMs } = this.#sight;
    const rescale: Rescale = {
      id: ++this.#lastId,
      startedAt: clock.now(),
      phase: 'checkpoint',
      changes,
      estimate: this.#estimate(),
      checkpointMs: null,
      gapMs: null,
      rateBefore: rate,
      rateAfter: null,
      lagBeforeMs: lagMs,
      lagAfterMs: null,
      error: null,
    };
    this.#history = [rescale, ...this.#history].slice(0, SCALING_LIMITS.history);
    this.#version++;
    this.#tell('rescale-started', `Rescale #${rescale.id} began: ${inWords(rescale)}.`);
    job.rescale(wish).then(
      () => this.#measure(),
      (error: unknown) => this.#fail(error),
    );
    return rescale;
  }

  get #current(): Rescale | null {
    const newest = this.#history[0];
    return newest === undefined || newest.phase === 'done' || newest.phase === 'failed' ? null : newest;
  }

  #blocked(): string | null {
    const { job } = this.#options;
    if (job.checkpoints === null)
      return 'This job takes no checkpoints, and cannot be rescaled without: start it with --checkpoint-interval.';
    const current = this.#current;
    if (current !== null && current.phase !== 'measuring') return 'Another change is under way: wait until it is done.';
    if (job.state !== 'RUNNING') return `The job is ${job.state}: it can be rescaled while it is RUNNING.`;
    return null;
  }

  #onState(state: JobState): void {
    const now = this.#options.clock.now();
    const current = this.#current;
    this.#version++;
    if (current === null) return;
    if (state === 'RESTARTING' && current.phase === 'checkpoint') {
      this.#change({ phase: 'restarting', checkpointMs: now - current.startedAt });
    }
  }

  #measure(): void {
    const { timers } = this.#options;
    const current = this.#current;
    if (current === null) return;
    this.#change({ phase: 'measuring' });
    const gap = current.gapMs === null ? '' : `, gap ${current.gapMs} ms`;
    this.#tell('rescale-ended', `Rescale #${current.id} is done: ${inWords(current)}${gap}.`);
    this.#measuring = timers.set(() => {
      this.#sight.sample();
      const { rate, lagMs } = this.#sight;
      // Another may have begun.
      this.#history = this.#history.map((one) =>
        one.id === current.id ? { ...one, phase: 'done', rateAfter: rate, lagAfterMs: lagMs } : one,
      );
      this.#version++;
    }, RATE_WINDOW_MS + LOOK_MS);
  }

  #fail(error: unknown): void {
    // A job that is restarted with new numbers has them, whatever else happens to it.
    const current = this.#current;
    if (current === null) return;
    this.#change({ phase: 'failed', error: messageOf(error) });
    this.#tell('rescale-ended', `Rescale #${current.id} failed: ${messageOf(error)}`);
  }

  #change(change: Partial<Rescale>): void {
    const current = this.#current;
    if (current === null) return;
    this.#history = [{ ...current, ...change }, ...this.#history.slice(1)];
    this.#version++;
  }

  #estimate(): RescaleEstimate {
    const last = this.#options.job.checkpoints?.latest.completed ?? null;
    const sorted = [...this.#gaps].sort((a, b) => a - b);
    const middle = sorted[sorted.length >> 1];
    return {
      checkpointMs: last === null ? null : Math.round(last.durationMs),
      stateBytes: last?.fullBytes ?? null,
      gapMs: middle === undefined ? null : Math.round(middle),
      gaps: sorted.length,
    };
  }

  /** Another job takes the place of this one, which nobody looks at any more. */
  close(): void {
    const { timers } = this.#options;
    timers.clear(this.#looking);
    timers.clear(this.#measuring);
  }

  #look(): void {
    const { timers } = this.#options;
    this.#sight.sample();
    this.#looking = timers.set(() => this.#look(), LOOK_MS);
  }

  #tell(kind: RescaleNews['kind'], text: string): void {
    const rescale = this.#history[0];
    if (rescale !== undefined) for (const listener of this.#listeners) listener({ kind, rescale, text });
  }
}

function inWords({ changes }: Rescale): string {
  return changes.map(({ task, from, to }) => `${task} from ${from} to ${to}`).join(', ');
}
