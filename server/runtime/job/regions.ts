/**
 * The pipelined regions of a job: subtasks that channels connect, directly or by way of others, whichever way rows flow. A failure takes away a
 * region and nothing else (Flink's RestartPipelinedRegionFailoverStrategy; since all channels are pipelined, those that feed a region and those
 * that read from it belong to it).
 *
 *   source ─> process ─> sink, parallelism 3, forward        source ═keyBy═> window ─> sink, parallelism 2
 *
 *      s1 ── p1 ── k1     region 1                              s1 ──┬── w1 ── k1
 *      s2 ── p2 ── k2     region 2                                   ╳              region 1
 *      s3 ── p3 ── k3     region 3                              s2 ──┴── w2 ── k2
 *
 * | edge                               | connects                                      |
 * | ---------------------------------- | --------------------------------------------- |
 * | inside a chain                     | nothing: it is one subtask                    |
 * | forward                            | subtasks of the same index                    |
 * | rescale                            | each with its share of the smaller side       |
 * | hash (keyBy), rebalance, broadcast | all with all: the whole of both tasks         |
 *
 * A subtask that takes rows from two tasks connects theirs, too.
 */

import type { JobEdge, JobGraph } from '#engine/graph/job-graph.ts';
import { channelsOf, nameOf, type SubtaskId, subtasksOf } from '../task/channels.ts';

/** Its subtasks, vertex by vertex. */
export type Region = readonly SubtaskId[];

/** In the order of their first subtasks: every subtask of the job is in one. */
export function regionsOf(graph: JobGraph): readonly Region[] {
  const subtasks = subtasksOf(graph);
  /** One that stands for the same region; whoever stands for itself stands for all of it. */
  const leaders = new Map<string, string>(subtasks.map((id) => [nameOf(id), nameOf(id)]));
  const leaderOf = (name: string): string => {
    let at = name;
    for (let next = leaders.get(at); next !== undefined && next !== at; next = leaders.get(at)) at = next;
    return at;
  };
  for (const { edge, from, to } of channelsOf(graph)) {
    const { from: producer, to: consumer } = graph.edges[edge] as JobEdge;
    const one = leaderOf(nameOf({ vertex: producer, index: from }));
    leaders.set(leaderOf(nameOf({ vertex: consumer, index: to })), one);
  }
  const regions = new Map<string, SubtaskId[]>();
  for (const id of subtasks) {
    const leader = leaderOf(nameOf(id));
    regions.set(leader, [...(regions.get(leader) ?? []), id]);
  }
  return [...regions.values()];
}
