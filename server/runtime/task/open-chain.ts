/** Makes and opens the operators of a subtask, the last first, so that each finds its consumers. What is restored and is in memory is taken over. */

import { WeirError } from '#base/errors.ts';
import type { Dictionary, Swept } from '#engine/batch/dictionary.ts';
import type { Schema } from '#engine/batch/schema.ts';
import type { PartitionWriter } from '#engine/exchange/partition-writer.ts';
import type { JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { operatorCells } from '#engine/metrics/cells.ts';
import { latencyPlaces, latencyRecorder } from '#engine/metrics/latency.ts';
import { ChainedOperator } from '#engine/operators/chained-operator.ts';
import type { Operator } from '#engine/operators/operator.ts';
import { Output } from '#engine/operators/output.ts';
import { SourceOperator, Splits } from '#engine/operators/source.ts';
import { heapBackend } from '#engine/state/heap-backend.ts';
import { withoutInFlight } from '#engine/state/in-flight-names.ts';
import { ownBlocks } from '#engine/state/keyed-snapshot.ts';
import type { KeyedStateBackend, StateBackendOptions } from '#engine/state/keyed-state.ts';
import type { SubtaskHost } from './subtask-host.ts';

export interface ChainParts {
  readonly graph: JobGraph;
  /** Index of the vertex in the job graph. */
  readonly vertex: number;
  readonly subtask: number;
  readonly cells: Float64Array;
  readonly latencies: Float64Array;
  readonly host: SubtaskHost;
  /** Schemas of the head's inputs; none for sources. */
  readonly inputSchemas: readonly Schema[];
  /** By index of the edge. */
  readonly writers: ReadonlyMap<number, PartitionWriter>;
  /** Strings of the source, if this is a source's task. */
  readonly sourceDictionary: Dictionary;
  /** Takes what an operator cannot throw, because it happened outside of any call. */
  readonly fail: (error: Error) => void;
}

export interface Chain {
  /** Head first. */
  readonly places: readonly ChainedOperator[];
  readonly source: SourceOperator | null;
  /** Dictionaries that the operators fill: to be swept between elements. */
  readonly dictionaries: readonly Swept[];
}

export function openChain(parts: ChainParts): Chain {
  const { graph, cells: taskCells, host, inputSchemas } = parts;
  const vertex = graph.vertices[parts.vertex] as JobVertex;
  const { operators, links, outputs } = vertex;
  const splits = new Splits();
  const recorded = latencyPlaces(graph, parts.vertex);
  const nanos = (): number => host.clock.nanos();
  const dictionaries: Swept[] = [];
  let source: SourceOperator | null = null;
  const made: (ChainedOperator | null)[] = operators.map(() => null);
  for (let o = operators.length - 1; o >= 0; o--) {
    const spec = operators[o] as JobVertex['operators'][number];
    const cells = operatorCells(taskCells, o);
    const outputFor = (tag: string | null, sides: readonly Output[] = []): Output => {
      const chained = links.filter((l) => l.from === o && l.tag === tag).map((l) => made[l.to] as ChainedOperator);
      const exchanges = outputs.filter((e) => graph.edges[e]?.fromOperator === o && graph.edges[e]?.tag === tag);
      return new Output([...chained, ...exchanges.map((e) => parts.writers.get(e) as PartitionWriter)], cells, sides);
    };
    const sides = new Map<string, Output>();
    for (const tag of tagsOf(graph, vertex, o)) sides.set(tag, outputFor(tag));
    const main = outputFor(null, [...sides.values()]);
    let operator: Operator;
    if (spec.source !== null) {
      source = new SourceOperator(spec.source, splits, host.enumerator, parts.sourceDictionary);
      dictionaries.push(source.dictionary);
      operator = source;
    } else {
      operator = (spec.create as () => Operator)();
    }
    made[o] = new ChainedOperator(operator, main, cells, latencyRecorder(recorded, o, parts.latencies, nanos));
    operator.open({
      name: spec.name,
      subtask: parts.subtask,
      parallelism: vertex.parallelism,
      maxParallelism: vertex.maxParallelism,
      clock: host.clock,
      inputSchema: o === 0 ? (inputSchemas[0] ?? null) : linkedSchema(vertex, o),
      secondSchema: o === 0 ? (inputSchemas[1] ?? null) : null,
      cells,
      output: main,
      sideOutput: (tag) => sides.get(tag) ?? new Output([], cells),
      splits,
      stateBackend: (keys) =>
        stateBackend(graph, host, {
          operator: spec.name,
          operatorId: spec.id,
          subtask: parts.subtask,
          maxParallelism: vertex.maxParallelism,
          keys,
          cells,
          cacheBytes: graph.state.stateCacheBytes,
          wake: () => host.wake(),
          fail: parts.fail,
        }),
      own: (dictionary) => dictionaries.push(dictionary),
      report: (message) => host.report(spec.id, message),
      wake: () => host.wake(),
      checkpointing: host.checkpoints !== null,
      fail: parts.fail,
    });
    const restored = host.restored?.get(spec.id);
    if (restored !== undefined) {
      operator.restore(restored.map(withoutInFlight));
      for (const block of ownBlocks(restored, { ...vertex, subtask: parts.subtask })) void operator.load(block);
    }
  }
  return { places: made as ChainedOperator[], source, dictionaries };
}

function stateBackend(graph: JobGraph, host: SubtaskHost, options: StateBackendOptions): KeyedStateBackend {
  const make = graph.state.stateBackend === 'level' ? host.levelBackend : heapBackend;
  if (make === null) {
    throw new WeirError(
      'NO_LEVEL_BACKEND',
      `${options.operator}: the job wants state on disk, but runs where there is no "level" backend.`,
    );
  }
  return make(options);
}

/** Schema of what an operator behind the head reads. */
function linkedSchema(vertex: JobVertex, operator: number): Schema | null {
  const link = vertex.links.find((l) => l.to === operator) as JobVertex['links'][number];
  const from = vertex.operators[link.from];
  return (link.tag === null ? from?.outputSchema : from?.sideOutputs.get(link.tag)) ?? null;
}

function tagsOf(graph: JobGraph, vertex: JobVertex, operator: number): Set<string> {
  const tags = new Set<string>(vertex.operators[operator]?.sideOutputs.keys() ?? []);
  for (const e of vertex.outputs) {
    const edge = graph.edges[e];
    if (edge !== undefined && edge.fromOperator === operator && edge.tag !== null) tags.add(edge.tag);
  }
  return tags;
}
