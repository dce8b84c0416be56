/** The latency histograms of a job, with what they are of: for whoever shows, merges or exports them. */

import type { JobGraph, JobOperator, JobVertex } from '#engine/graph/job-graph.ts';
import { HISTOGRAM_CELLS, Histogram } from '#engine/metrics/histogram.ts';
import { type LatencyPlace, latencyPlaces } from '#engine/metrics/latency.ts';

export interface LabelledLatency {
  readonly kind: LatencyPlace['kind'];
  /** Index into `JobGraph.vertices`, and position in it. */
  readonly vertex: number;
  readonly operator: number;
  readonly name: string;
  readonly subtask: number;
  /** Whose markers; null: those of all sources, or results. */
  readonly source: JobOperator | null;
  /** Null: of all its subtasks. */
  readonly sourceSubtask: number | null;
  /** Over the memory of the subtask: it goes on counting. */
  readonly histogram: Histogram;
}

/** `memory`: histograms by vertex, then subtask. */
export function labelledLatencies(graph: JobGraph, memory: readonly (readonly Float64Array[])[]): LabelledLatency[] {
  return graph.vertices.flatMap((v, vertex) => {
    const places = latencyPlaces(graph, vertex);
    return (memory[vertex] ?? []).flatMap((cells, subtask) =>
      places.map(({ kind, operator, source, sourceSubtask, offset }): LabelledLatency => {
        const head = source === null ? null : ((graph.vertices[source] as JobVertex).operators[0] as JobOperator);
        return {
          kind,
          vertex,
          operator,
          name: (v.operators[operator] as JobOperator).name,
          subtask,
          source: head,
          sourceSubtask,
          histogram: new Histogram(cells.subarray(offset, offset + HISTOGRAM_CELLS)),
        };
      }),
    );
  });
}
