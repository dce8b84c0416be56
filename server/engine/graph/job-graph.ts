/**
 * What is deployed: vertices (tasks) of chained operators, and the exchanges between them.
 *
 *   stream graph:  source ─> validate ─> watermarks ─hash─> window ─> sink        five nodes
 *   job graph:    [source ─> validate ─> watermarks]═hash═>[window ─> sink]       two vertices, one exchange
 *
 * Ids come from uids or from the graph's shape, never from a counter of the process or the clock, so that every thread that builds the same
 * job gets the same ids.
 */

import type { Fields, Schema } from '../batch/schema.ts';
import type { Sink } from '../io/sink.ts';
import type { Source } from '../io/source.ts';
import type { LatencyTracking } from '../metrics/latency.ts';
import type { Operator } from '../operators/operator.ts';
import type { StateSettings } from '../state/keyed-state.ts';
import type { WatermarkAlignment } from '../time/watermark-strategy.ts';

export type Partitioner =
  /** Subtask i to subtask i; both sides have the same parallelism. */
  | { readonly kind: 'forward' }
  /** By key group of a column. */
  | { readonly kind: 'hash'; readonly column: number }
  /** Round robin over all. `forward`: until both sides have the same parallelism again (`rescale.ts`). */
  | { readonly kind: 'rebalance'; readonly forward?: true }
  /** Round robin over a local share, as Flink's rescale. */
  | { readonly kind: 'rescale' }
  /** Everything to all. */
  | { readonly kind: 'broadcast' };

/** A link inside a task, from one chained operator to another. */
export interface ChainLink {
  /** Indexes into `JobVertex.operators`. */
  readonly from: number;
  readonly to: number;
  /** Tag of the side output it carries; null: main output. */
  readonly tag: string | null;
}

export interface JobOperator {
  readonly id: string;
  readonly name: string;
  /**
   * `source`, `process`, `map`, `filter`, `flat-map`, `async`, `watermarks`, `window`, `sink`; with two inputs `co-process`, `broadcast-process`,
   * `interval-join`, `window-join`, `co-group`.
   */
  readonly kind: string;
  /** Makes the operator of one subtask. Null for sources. */
  readonly create: (() => Operator) | null;
  /** Only for sources. */
  readonly source: Source<Fields> | null;
  /** Only for sinks. */
  readonly sink: Sink | null;
  /** Only of operators that make watermarks. */
  readonly alignment: WatermarkAlignment | null;
  readonly outputSchema: Schema | null;
  /** Schemas of its side outputs by tag. */
  readonly sideOutputs: ReadonlyMap<string, Schema>;
}

export interface JobVertex {
  readonly id: string;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Head first; every operator stands behind those it reads from. */
  readonly operators: readonly JobOperator[];
  readonly links: readonly ChainLink[];
  /** Indexes into `JobGraph.edges`. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** An exchange between two tasks. */
export interface JobEdge {
  /** Vertex, and operator in it, that produces. */
  readonly from: number;
  readonly fromOperator: number;
  readonly tag: string | null;
  /** Vertex whose head operator consumes. */
  readonly to: number;
  /** Which input of that operator: 0, or 1 for the second one. Edges of one input have one schema. */
  readonly input: number;
  readonly partitioner: Partitioner;
  readonly schema: Schema;
}

export interface JobGraph {
  readonly name: string;
  readonly state: StateSettings;
  /** Topologically sorted. */
  readonly vertices: readonly JobVertex[];
  readonly edges: readonly JobEdge[];
  readonly latencyTracking: LatencyTracking;
}

/** Position of an operator by its id. */
export function findOperator(graph: JobGraph, id: string): { vertex: number; operator: number } | null {
  for (const [vertex, v] of graph.vertices.entries()) {
    const operator = v.operators.findIndex((o) => o.id === id);
    if (operator >= 0) return { vertex, operator };
  }
  return null;
}
