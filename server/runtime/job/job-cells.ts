/** The shared memory in which a job's numbers live, by vertex and index of the subtask. */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import { newCells, newLatencies } from '../task/wiring.ts';

export interface JobCells {
  /** `engine/metrics/cells.ts` */
  readonly cells: readonly (readonly Float64Array[])[];
  /** `engine/metrics/latency.ts` */
  readonly latencies: readonly (readonly Float64Array[])[];
}

/** What only ever grows. */
const COUNTERS = [OperatorCell.RECORDS_IN, OperatorCell.RECORDS_OUT, OperatorCell.LATE_DROPPED, OperatorCell.EXPIRED];

export function newJobCells(graph: JobGraph): JobCells {
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  const perSubtask = (of: typeof newCells): Float64Array[][] =>
    graph.vertices.map((v, i) => Array.from({ length: v.parallelism }, () => of(graph, i, shared)));
  return { cells: perSubtask(newCells), latencies: perSubtask(newLatencies) };
}

/** Cells of the same job with other numbers of subtasks, whose sums are those of the cells before. */
export function resizedCells(before: JobCells, graph: JobGraph): JobCells {
  const made = newJobCells(graph);
  for (const [vertex, { operators }] of graph.vertices.entries()) {
    for (const operator of operators.keys()) {
      const first = operatorCells(made.cells[vertex]?.[0] as Float64Array, operator);
      for (const task of before.cells[vertex] ?? []) {
        const cells = operatorCells(task, operator);
        for (const counter of COUNTERS) first[counter] = (first[counter] as number) + (cells[counter] as number);
      }
    }
  }
  return made;
}
