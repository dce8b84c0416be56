/** What the subtasks of a deployment go on from, read before they are made, but for the rest of large state. */

import { keyGroupRange } from '#engine/exchange/key-groups.ts';
import type { JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import type { RestoredSnapshot } from '#engine/state/snapshot.ts';
import type { Disk } from '../checkpoint/disk.ts';
import { openOperator } from '../checkpoint/state-reader.ts';
import type { Deployment } from '../messages.ts';
import { nameOf } from '../task/channels.ts';

/** By subtask (`nameOf`), then by operator id: the snapshots of all subtasks of that operator, with the key groups that concern this one. */
export type RestoredState = ReadonlyMap<string, ReadonlyMap<string, readonly RestoredSnapshot[]>>;

/** Null: the job begins. */
export async function readState(
  disk: Disk,
  graph: JobGraph,
  { subtasks, restore }: Pick<Deployment, 'subtasks' | 'restore'>,
): Promise<RestoredState | null> {
  if (restore === null) return null;
  const restored = new Map<string, Map<string, RestoredSnapshot[]>>();
  for (const id of subtasks) {
    const { operators, parallelism, maxParallelism } = graph.vertices[id.vertex] as JobVertex;
    const range = keyGroupRange(id.index, parallelism, maxParallelism);
    const states = new Map<string, RestoredSnapshot[]>();
    for (const operator of operators) {
      const handles = restore.get(operator.id);
      if (handles !== undefined) states.set(operator.id, await openOperator(disk, handles, range));
    }
    restored.set(nameOf(id), states);
  }
  return restored;
}
