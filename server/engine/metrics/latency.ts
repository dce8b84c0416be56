/**
 * Latencies: what is measured, and where in the memory of a subtask its histograms stand.
 *
 *   marker   source emits it ─> every operator behind records now − markedAt and passes it on     queueing and exchange
 *   result   source reads an event ─> a sink is handed what the event made come out             emit latency
 *
 * Markers are Flink's (`flink-reference` §7): they travel behind the rows written before them and bypass user functions. Emit latency goes
 * beyond: it is that of real rows, on their whole way, whatever the operators in between did with them.
 *
 *   memory of one subtask:   [ operator 0: markers by source … | results ] [ operator 1: … ] …
 */

import { WeirError } from '#base/errors.ts';
import { NEVER_INGESTED } from '../batch/record-batch.ts';
import type { JobGraph, JobVertex } from '../graph/job-graph.ts';
import { HISTOGRAM_CELLS, Histogram } from './histogram.ts';

export interface LatencyTracking {
  /** Every source subtask emits a marker this often, ms of processing time; 0: never (Flink's `metrics.latency.interval`). */
  readonly intervalMs: number;
  /** What an operator subtask tells apart: nothing, source operators, source subtasks (as many histograms as both multiply to). */
  readonly granularity: 'single' | 'operator' | 'subtask';
}

const GRANULARITIES: readonly LatencyTracking['granularity'][] = ['single', 'operator', 'subtask'];

export const NO_LATENCY_TRACKING: LatencyTracking = { intervalMs: 0, granularity: 'operator' };

/** Refuses settings that cannot work, by name. */
export function checkLatencyTracking({ intervalMs, granularity }: LatencyTracking): void {
  if (!Number.isInteger(intervalMs) || intervalMs < 0) {
    throw new WeirError(
      'LATENCY_TRACKING',
      `latencyTracking.intervalMs is a whole number of milliseconds, or 0 for none, not ${intervalMs}.`,
    );
  }
  if (!GRANULARITIES.includes(granularity)) {
    throw new WeirError(
      'LATENCY_TRACKING',
      `latencyTracking.granularity is one of ${GRANULARITIES.join(', ')}, not ${granularity}.`,
    );
  }
}

export interface LatencyMarker {
  /** `Clock.nanos()` when it was emitted. */
  readonly markedAt: number;
  /** Vertex of the source in `JobGraph.vertices`, and which of its subtasks. */
  readonly source: number;
  readonly subtask: number;
}

/** One histogram of an operator: of markers, all of them or those of a source operator or subtask, or of results. */
export interface LatencyPlace {
  /** Position in the vertex. */
  readonly operator: number;
  readonly kind: 'markers' | 'results';
  /** Vertex of the source; null: all sources. */
  readonly source: number | null;
  /** Null: all its subtasks. */
  readonly sourceSubtask: number | null;
  /** First of its cells. */
  readonly offset: number;
}

/** The histograms that every subtask of a vertex has. Sources record no markers; only sinks record results. */
export function latencyPlaces(graph: JobGraph, vertex: number): LatencyPlace[] {
  const { operators } = graph.vertices[vertex] as JobVertex;
  const { intervalMs, granularity } = graph.latencyTracking;
  const markers = intervalMs === 0 ? [] : markerGroups(graph, vertex, granularity);
  const places: LatencyPlace[] = [];
  for (const [operator, { kind, source }] of operators.entries()) {
    const groups = source === null ? markers : [];
    for (const group of groups) {
      places.push({ operator, kind: 'markers', ...group, offset: places.length * HISTOGRAM_CELLS });
    }
    if (kind !== 'sink') continue;
    const all = { source: null, sourceSubtask: null };
    places.push({ operator, kind: 'results', ...all, offset: places.length * HISTOGRAM_CELLS });
  }
  return places;
}

function markerGroups(
  graph: JobGraph,
  vertex: number,
  granularity: LatencyTracking['granularity'],
): Pick<LatencyPlace, 'source' | 'sourceSubtask'>[] {
  if (granularity === 'single') return [{ source: null, sourceSubtask: null }];
  const sources = sourcesOf(graph, vertex);
  if (granularity === 'operator') return sources.map((source) => ({ source, sourceSubtask: null }));
  return sources.flatMap((source) => {
    const { parallelism } = graph.vertices[source] as JobVertex;
    return Array.from({ length: parallelism }, (_, sourceSubtask) => ({ source, sourceSubtask }));
  });
}

/** Vertices of the sources whose markers can reach a vertex, ascending; a source's own vertex among them. */
function sourcesOf(graph: JobGraph, vertex: number): number[] {
  const upstream = new Set([vertex]);
  for (const at of upstream) for (const edge of graph.edges) if (edge.to === at) upstream.add(edge.from);
  return [...upstream].filter((v) => graph.vertices[v]?.operators[0]?.source != null).sort((a, b) => a - b);
}

/** What one operator records; null where it has nothing to. `memory`: that of its subtask. */
export function latencyRecorder(
  places: readonly LatencyPlace[],
  operator: number,
  memory: Float64Array,
  nanos: () => number,
): LatencyRecorder | null {
  const own = places.filter((place) => place.operator === operator);
  return own.length === 0 ? null : new LatencyRecorder(own, memory, nanos);
}

export class LatencyRecorder {
  readonly #nanos: () => number;
  readonly #markers: { source: number | null; sourceSubtask: number | null; histogram: Histogram }[] = [];
  #results: Histogram | null = null;

  constructor(places: readonly LatencyPlace[], memory: Float64Array, nanos: () => number) {
    this.#nanos = nanos;
    for (const { kind, source, sourceSubtask, offset } of places) {
      const histogram = new Histogram(memory.subarray(offset, offset + HISTOGRAM_CELLS));
      if (kind === 'results') this.#results = histogram;
      else this.#markers.push({ source, sourceSubtask, histogram });
    }
  }

  marker(marker: LatencyMarker): void {
    for (const { source, sourceSubtask, histogram } of this.#markers) {
      if (source !== null && source !== marker.source) continue;
      if (sourceSubtask !== null && sourceSubtask !== marker.subtask) continue;
      histogram.record((this.#nanos() - marker.markedAt) / 1000);
    }
  }

  /** `rows` are handed to the sink now. */
  results(ingestedAt: number, rows: number): void {
    if (this.#results === null || ingestedAt === NEVER_INGESTED) return;
    this.#results.record((this.#nanos() - ingestedAt) / 1000, rows);
  }
}
