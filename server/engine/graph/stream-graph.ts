/** What the DataStream API builds: one node per operator, before chaining. Nodes are numbered in the order in which the job made them. */

import type { Fields, Schema } from '../batch/schema.ts';
import type { Sink } from '../io/sink.ts';
import type { Source, Split } from '../io/source.ts';
import type { Operator } from '../operators/operator.ts';
import type { WatermarkAlignment } from '../time/watermark-strategy.ts';
import type { Partitioner } from './job-graph.ts';

export interface StreamEdge {
  readonly from: StreamNode;
  readonly tag: string | null;
  /** Null: forward where parallelisms are equal, else rebalance. */
  readonly partitioner: Partitioner | null;
  readonly schema: Schema;
  /** Which input of the operator it leads to: 0, or 1 for the second one. */
  readonly input: number;
}

export interface StreamNode {
  readonly number: number;
  readonly kind: string;
  name: string;
  uid: string | null;
  /** Null: the environment's. */
  parallelism: number | null;
  maxParallelism: number | null;
  /** `always`: behind its input; `head`: starts a chain; `never`: alone. */
  chaining: 'always' | 'head' | 'never';
  readonly inputs: readonly StreamEdge[];
  readonly outputSchema: Schema | null;
  /** Schemas of its side outputs by tag. */
  readonly sideOutputs: Map<string, Schema>;
  readonly source: Source<Fields, Split> | null;
  readonly sink: Sink | null;
  /** Only of operators that make watermarks. */
  readonly alignment: WatermarkAlignment | null;
  /** Makes the operator of one subtask. Null for sources. Called after the graph is complete. */
  readonly create: (() => Operator) | null;
}
