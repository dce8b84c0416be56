/**
 * Which subtasks restart together (`flink-reference` §5.2): those that exchange rows, directly or through others, because what one of them
 * has lost the others have sent or must send again. Every exchange is a pipeline, so regions are the connected parts of the graph of
 * channels. Behind a `keyBy` all subtasks are one region; subtasks that only forward are a region per chain.
 */

import type { JobEdge, JobGraph } from '#engine/graph/job-graph.ts';
import { channelsOf, type SubtaskId } from '../task/wiring.ts';

/** Every subtask is in one of them. Regions by their first subtask, subtasks by vertex and index. */
export function failoverRegions(graph: JobGraph): SubtaskId[][] {
  const subtasks = graph.vertices.flatMap(({ parallelism }, vertex) =>
    Array.from({ length: parallelism }, (_, index): SubtaskId => ({ vertex, index })),
  );
  const first = graph.vertices.map((_, vertex) => subtasks.findIndex((id) => id.vertex === vertex));
  const place = (vertex: number, index: number): number => (first[vertex] as number) + index;

  // Of each subtask another one of its region, at the end the first of it.
  const leads = subtasks.map((_, i) => i);
  const leader = (i: number): number => {
    let at = i;
    while (leads[at] !== at) at = leads[at] as number;
    leads[i] = at;
    return at;
  };
  for (const channel of channelsOf(graph)) {
    const { from, to } = graph.edges[channel.edge] as JobEdge;
    const [a, b] = [leader(place(from, channel.from)), leader(place(to, channel.to))];
    leads[Math.max(a, b)] = Math.min(a, b);
  }

  const regions = new Map<number, SubtaskId[]>();
  for (const [i, id] of subtasks.entries()) {
    const region = regions.get(leader(i));
    if (region === undefined) regions.set(leader(i), [id]);
    else region.push(id);
  }
  return [...regions.values()];
}

/** All that restart when that one fails, itself included. */
export function restartedWith(regions: readonly (readonly SubtaskId[])[], failed: SubtaskId): readonly SubtaskId[] {
  const region = regions.find((ids) =>
    ids.some(({ vertex, index }) => vertex === failed.vertex && index === failed.index),
  );
  if (region === undefined) throw new Error(`The job has no subtask ${failed.vertex}/${failed.index}.`);
  return region;
}
