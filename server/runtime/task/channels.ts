/** Which subtasks there are, and which of an exchange are connected. */

import type { JobEdge, JobGraph, JobVertex } from '#engine/graph/job-graph.ts';

/** Consumer subtasks that a producer subtask reaches, ascending (`flink-reference`: rescale spreads over a local share). */
export function consumersOf(edge: JobEdge, producer: number, producers: number, consumers: number): number[] {
  switch (edge.partitioner.kind) {
    case 'forward':
      return [producer];
    case 'rescale':
      if (consumers >= producers) {
        const first = Math.ceil((producer * consumers) / producers);
        const end = Math.ceil(((producer + 1) * consumers) / producers);
        return Array.from({ length: end - first }, (_, i) => first + i);
      }
      return [Math.floor(((producer + 1) * consumers - 1) / producers)];
    default:
      return Array.from({ length: consumers }, (_, i) => i);
  }
}

export interface Channel {
  /** Index into `JobGraph.edges`. */
  readonly edge: number;
  readonly from: number;
  readonly to: number;
  /** Number of the channel in the gate of that edge's input. */
  readonly input: number;
}

/** Every channel of a job, in an order that every thread works out alike. */
export function channelsOf(graph: JobGraph): Channel[] {
  const channels: Channel[] = [];
  const inputs = new Map<string, number>();
  for (const [e, edge] of graph.edges.entries()) {
    const producers = (graph.vertices[edge.from] as JobVertex).parallelism;
    const consumers = (graph.vertices[edge.to] as JobVertex).parallelism;
    for (let from = 0; from < producers; from++) {
      for (const to of consumersOf(edge, from, producers, consumers)) {
        const gate = `${edge.to}/${to}/${edge.input}`;
        const input = inputs.get(gate) ?? 0;
        inputs.set(gate, input + 1);
        channels.push({ edge: e, from, to, input });
      }
    }
  }
  return channels;
}

/** A subtask by vertex and index. */
export interface SubtaskId {
  readonly vertex: number;
  readonly index: number;
}

/** As a key of maps. */
export function nameOf({ vertex, index }: SubtaskId): string {
  return `${vertex}/${index}`;
}

/** All of a job, vertex by vertex. */
export function subtasksOf(graph: JobGraph): SubtaskId[] {
  return graph.vertices.flatMap((v, vertex) =>
    Array.from({ length: v.parallelism }, (_, index) => ({ vertex, index })),
  );
}
