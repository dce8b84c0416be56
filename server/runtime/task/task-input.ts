/** What a task reads from: the gate of its one input, or a pair of gates. */

import type { Schema } from '#engine/batch/schema.ts';
import type { BarrierAligner } from '#engine/exchange/barrier-aligner.ts';
import { InputGate } from '#engine/exchange/input-gate.ts';
import { InputPair, type PairConsumer } from '#engine/exchange/input-pair.ts';
import type { JobEdge, JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import type { Consumer } from '#engine/operators/output.ts';

export type TaskInput = InputGate | InputPair;

/** `channels`: how many come together in each input. Null: a source's task. */
export function taskInput(
  graph: JobGraph,
  vertex: JobVertex,
  channels: readonly number[],
  target: Consumer & PairConsumer,
  barriers: BarrierAligner,
): TaskInput | null {
  const schemas: Schema[] = [];
  for (const e of vertex.inputs) {
    const { input, schema } = graph.edges[e] as JobEdge;
    schemas[input] ??= schema;
  }
  const [first, second] = schemas;
  if (first === undefined) return null;
  if (second === undefined) return new InputGate(first, channels[0] as number, target, barriers);
  return new InputPair([first, second], channels as [number, number], target, barriers);
}
