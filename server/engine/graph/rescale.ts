/** The same job with other numbers of subtasks. */

import { UsageError } from '#base/errors.ts';
import type { JobEdge, JobGraph, JobVertex } from './job-graph.ts';

/** By operator id: how many subtasks it is to have, and with it all operators that are chained with it. */
export type ParallelismChanges = Readonly<Record<string, number>>;

/**
 * What is not named stays. Nothing is chained anew, so that ids and state stay where they are: a job is rescaled by tasks, as in Flink. An
 * exchange between equal parallelisms that stop being equal becomes a rebalance, until they are equal again: the numbers alone decide, not how
 * they came about, since every thread works out the same channels. Throws a `UsageError` that names operator and limits.
 */
export function withParallelism(graph: JobGraph, changes: ParallelismChanges): JobGraph {
  const wanted = new Map<JobVertex, { readonly parallelism: number; readonly operator: string }>();
  for (const [operator, parallelism] of Object.entries(changes)) {
    const vertex = graph.vertices.find((v) => v.operators.some(({ id }) => id === operator));
    if (vertex === undefined) {
      const known = graph.vertices.flatMap((v) => v.operators.map(({ id }) => id)).join(', ');
      throw new UsageError(`Job ${graph.name} has no operator "${operator}"; it has: ${known}.`);
    }
    const { name, maxParallelism } = vertex;
    if (!Number.isInteger(parallelism) || parallelism < 1 || parallelism > maxParallelism) {
      throw new UsageError(
        `${operator} (task "${name}") can have 1 to ${maxParallelism} subtasks, which is its max parallelism, not ${parallelism}.`,
      );
    }
    const other = wanted.get(vertex);
    if (other !== undefined && other.parallelism !== parallelism) {
      throw new UsageError(
        `${operator} and ${other.operator} are chained in one task, so they cannot have ${parallelism} and ${other.parallelism} subtasks.`,
      );
    }
    wanted.set(vertex, { parallelism, operator });
  }
  const vertices = graph.vertices.map((vertex) => {
    const parallelism = wanted.get(vertex)?.parallelism ?? vertex.parallelism;
    return parallelism === vertex.parallelism ? vertex : { ...vertex, parallelism };
  });
  const edges = graph.edges.map((edge): JobEdge => {
    const equal = vertices[edge.from]?.parallelism === vertices[edge.to]?.parallelism;
    const { partitioner } = edge;
    if (partitioner.kind === 'forward' && !equal) return { ...edge, partitioner: { kind: 'rebalance', forward: true } };
    if (partitioner.kind === 'rebalance' && partitioner.forward && equal)
      return { ...edge, partitioner: { kind: 'forward' } };
    return edge;
  });
  return { ...graph, vertices, edges };
}
