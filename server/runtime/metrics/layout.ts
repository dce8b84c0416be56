/**
 * Where in the cells of a job a number stands. Operators are numbered over all vertices in the order of the graph, as the dashboard
 * numbers them.
 */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { OPERATOR_CELLS, TASK_CELLS } from '#engine/metrics/cells.ts';

export interface OperatorPlace {
  readonly id: string;
  readonly kind: string;
  /** Index into `JobGraph.vertices`. */
  readonly vertex: number;
  /** Index into the operators of the vertex. */
  readonly position: number;
  /** First of the operator's cells inside the cells of each subtask of the vertex. */
  readonly offset: number;
  /** Operators (by number) that read its main output, and those that read a side output, by tag. */
  readonly main: readonly number[];
  readonly side: ReadonlyMap<string, readonly number[]>;
}

export interface JobLayout {
  readonly operators: readonly OperatorPlace[];
  /** By vertex. */
  readonly parallelism: readonly number[];
}

/** An edge between two operators, numbered as in `JobLayout.operators`; chained links and exchanges alike. */
export interface OperatorEdge {
  readonly from: number;
  readonly to: number;
  /** Which input of `to`: 0 or 1. */
  readonly input: number;
  readonly tag: string | null;
  readonly partitioner: string;
  readonly chained: boolean;
}

/** All edges of the job: links of each chain in order, then the exchanges. */
export function operatorEdges(graph: JobGraph): OperatorEdge[] {
  const first = firstOperators(graph);
  const edges: OperatorEdge[] = [];
  for (const [v, vertex] of graph.vertices.entries()) {
    const base = first[v] as number;
    for (const { from, to, tag } of vertex.links) {
      edges.push({ from: base + from, to: base + to, input: 0, tag, partitioner: 'forward', chained: true });
    }
  }
  for (const edge of graph.edges) {
    edges.push({
      from: (first[edge.from] as number) + edge.fromOperator,
      to: first[edge.to] as number,
      input: edge.input,
      tag: edge.tag,
      partitioner: edge.partitioner.kind,
      chained: false,
    });
  }
  return edges;
}

export function jobLayout(graph: JobGraph): JobLayout {
  const edges = operatorEdges(graph);
  const operators: OperatorPlace[] = [];
  for (const [vertex, { operators: chain }] of graph.vertices.entries()) {
    for (const [position, { id, kind }] of chain.entries()) {
      const number = operators.length;
      const main: number[] = [];
      const side = new Map<string, number[]>();
      for (const { from, to, tag } of edges) {
        if (from !== number) continue;
        if (tag === null) main.push(to);
        else side.set(tag, [...(side.get(tag) ?? []), to]);
      }
      operators.push({ id, kind, vertex, position, offset: TASK_CELLS + position * OPERATOR_CELLS, main, side });
    }
  }
  return { operators, parallelism: graph.vertices.map((v) => v.parallelism) };
}

/** Number of the first operator of each vertex. */
function firstOperators(graph: JobGraph): number[] {
  let next = 0;
  return graph.vertices.map((vertex) => {
    const first = next;
    next += vertex.operators.length;
    return first;
  });
}
