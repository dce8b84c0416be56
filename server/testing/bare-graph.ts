/** Job graphs that nothing runs, for tests of what only looks at them: names, links and numbers, and one column of any number. */

import { f64, schema } from '#engine/batch/schema.ts';
import type { JobGraph, JobOperator, JobVertex } from '#engine/graph/job-graph.ts';
import { NO_LATENCY_TRACKING } from '#engine/metrics/latency.ts';
import { DEFAULT_STATE } from '#engine/state/keyed-state.ts';

/** Of every operator. */
export const BARE = schema({ x: f64() });

export function bareOperator(id: string, kind: string): JobOperator {
  return {
    id,
    name: id,
    kind,
    create: null,
    source: null,
    sink: null,
    alignment: null,
    outputSchema: BARE,
    sideOutputs: new Map(),
  };
}

/** Without edges. */
export function bareVertex(parallelism: number, links: JobVertex['links'], ...operators: JobOperator[]): JobVertex {
  const id = operators[0]?.id ?? '';
  const name = operators.map((operator) => operator.name).join(' -> ');
  return { id, name, parallelism, maxParallelism: 128, operators, links, inputs: [], outputs: [] };
}

export function bareGraph(vertices: readonly JobVertex[], edges: JobGraph['edges'] = []): JobGraph {
  return { name: 'iot', vertices, edges, latencyTracking: NO_LATENCY_TRACKING, state: DEFAULT_STATE };
}
