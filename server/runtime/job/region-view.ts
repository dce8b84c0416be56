/** The regions of a job as people and programs see them. */

import type { JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { regionsOf } from './regions.ts';
import type { TaskState } from './task-state.ts';
import type { TaskStates } from './task-states.ts';

export interface RegionView {
  readonly subtasks: readonly {
    readonly vertex: string;
    readonly subtask: number;
    readonly state: TaskState;
    /** 0 for the first. */
    readonly attempt: number;
  }[];
}

/** `tasks`: null before the job starts. */
export function regionViews(graph: JobGraph, tasks: TaskStates | null): RegionView[] {
  return regionsOf(graph).map((region) => ({
    subtasks: region.map((id) => ({
      vertex: (graph.vertices[id.vertex] as JobVertex).name,
      subtask: id.index,
      state: tasks?.of(id) ?? 'CREATED',
      attempt: tasks?.attemptOf(id) ?? 0,
    })),
  }));
}
