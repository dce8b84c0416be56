/**
 * Tells when the state of an operator grows beyond a size, and when it is back below: state without a time to live grows until memory ends, and
 * nobody looks at it before.
 */

import type { Clock, Timers } from '#base/clock.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import type { JobCells } from './job-cells.ts';
import type { JobNews } from './job-news.ts';

/** Between two looks, ms. */
const LOOK_MS = 1000;
/** It is over below this share of the size, so that state at the border is told of once. */
const OVER_BELOW = 0.9;

export interface StateAlertOptions {
  /** Of one operator, all subtasks. */
  readonly bytes: number;
  readonly graph: () => JobGraph;
  readonly cells: () => JobCells['cells'];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly tell: (news: JobNews) => void;
}

export class StateAlert {
  readonly #options: StateAlertOptions;
  /** Ids of operators that have been told of. */
  readonly #large = new Set<string>();
  #cancel: (() => void) | null = null;

  constructor(options: StateAlertOptions) {
    this.#options = options;
  }

  /** Looks now, and again and again. */
  start(): void {
    this.stop();
    this.#look();
    this.#cancel = this.#options.timers.after(LOOK_MS, () => this.start(), true);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #look(): void {
    const { bytes: limit, graph, cells, clock, tell } = this.#options;
    for (const [v, { operators }] of graph().vertices.entries()) {
      for (const [o, { id, name }] of operators.entries()) {
        let bytes = 0;
        for (const task of cells()[v] ?? []) bytes += operatorCells(task, o)[OperatorCell.STATE_BYTES] as number;
        const large = bytes >= (this.#large.has(id) ? limit * OVER_BELOW : limit);
        if (large === this.#large.has(id)) continue;
        if (large) this.#large.add(id);
        else this.#large.delete(id);
        tell({ type: 'state-size', at: clock.now(), operator: name, bytes, limit, large });
      }
    }
  }
}
