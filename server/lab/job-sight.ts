/** How a job fares, for those who compare it before and behind something that is done to it. */

import type { Clock } from '#base/clock.ts';
import { findOperator, type JobGraph } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import { type JobNumbers, JobSampler } from '#runtime/metrics/sampler.ts';

export interface SightedJob {
  readonly graph: JobGraph;
  /** Other ones with each attempt. */
  readonly cells: readonly (readonly Float64Array[])[];
}

/** Follows a job over its attempts, for as long as somebody takes samples. */
export class JobSight {
  readonly #job: SightedJob;
  readonly #clock: Clock;
  #sampler: JobSampler;
  #sampled: SightedJob['cells'];

  constructor(job: SightedJob, clock: Clock) {
    this.#job = job;
    this.#clock = clock;
    this.#sampled = job.cells;
    this.#sampler = new JobSampler(job.graph, job.cells);
  }

  /** To be called every so often: rates are those between the samples of the last seconds. */
  sample(): void {
    const { graph, cells } = this.#job;
    if (cells !== this.#sampled) this.#sampler = new JobSampler(graph, cells, null, this.#sampler.history);
    this.#sampled = cells;
    this.#sampler.sample(this.#clock.now());
  }

  /** Events per second of all sources. */
  get rate(): number {
    return this.#totals?.eventsPerSecond ?? 0;
  }

  /** Null: there is no watermark yet. */
  get lagMs(): number | null {
    return this.#totals?.watermarkLagMs ?? null;
  }

  /** Rows that came too late, in this attempt. */
  get late(): number {
    return this.#totals?.late ?? 0;
  }

  /** Those of them that nobody took, in this attempt. */
  get dropped(): number {
    let dropped = 0;
    for (const [v, { operators }] of this.#job.graph.vertices.entries())
      for (const task of this.#job.cells[v] ?? [])
        for (const o of operators.keys()) dropped += operatorCells(task, o)[OperatorCell.LATE_DROPPED] as number;
    return dropped;
  }

  /** Of the busiest subtask of the operator with this id, as a share of 1. */
  busy(operator: string): number {
    const at = findOperator(this.#job.graph, operator);
    return at === null ? 0 : Math.max(0, ...(this.#sampler.numbers()?.vertices.busy[at.vertex] ?? []));
  }

  get #totals(): JobNumbers['totals'] | undefined {
    return this.#sampler.numbers()?.totals;
  }
}
