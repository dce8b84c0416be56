/** The job as the dashboard draws it: its graph, its settings, its state. */

import { operatorEdges } from '#runtime/metrics/layout.ts';
import type { JobView } from '#shared/live.ts';
import type { LiveJob } from './job-handle.ts';

export function jobView({ handle, settings, aggregates, simulator }: LiveJob): JobView {
  const { graph } = handle;
  return {
    id: graph.name,
    name: graph.name,
    state: handle.state,
    failure: handle.failure?.message ?? null,
    startedAt: handle.startedAt,
    ...settings,
    parallelism: Math.max(...graph.vertices.map((v) => v.parallelism)),
    vertices: graph.vertices.map(({ id, name, parallelism }) => ({ id, name, parallelism })),
    operators: graph.vertices.flatMap((v, vertex) =>
      v.operators.map(({ id, name, kind }) => ({ id, name, kind, vertex })),
    ),
    edges: operatorEdges(graph).map(({ from, to, input, partitioner, chained, tag }) => ({
      from,
      to,
      input,
      partitioner,
      chained,
      sideOutput: tag,
    })),
    aggregates: [...aggregates],
    simulator: simulator?.settings() ?? null,
  };
}
