/**
 * What is in flight around a subtask, as part of its checkpoint (`flink-reference` §4.3): rows that have come in and were not delivered before the
 * barrier, and copies of rows that wait for credits to go out. It stands in the snapshot of the head of the chain, one item for each edge.
 *
 *   same subtasks, same channels:  each its own back, channel by channel, watermarks among the rows
 *   others, edge by key:           rows that have come in go where their keys are now; those going out are dealt by key anyway
 *   others, edge dealt in turn:    rows of subtask i go to subtask i modulo the new number
 *   others, any other edge:        refused, as Flink does not let barriers overtake there: nobody knows what belongs where
 *
 * Where rows find other subtasks no watermark is restored, so that none of them comes too late for its window.
 */

import { UsageError } from '#base/errors.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { ByteReader, ByteWriter } from '#engine/batch/row-bytes.ts';
import {
  encodeRows,
  InFlight,
  type InFlightElement,
  loadElements,
  rowsOf,
  saveElements,
} from '#engine/exchange/in-flight.ts';
import { javaHash, keyGroupOf, subtaskOf } from '#engine/exchange/key-groups.ts';
import type { PartitionWriter } from '#engine/exchange/partition-writer.ts';
import type { JobEdge, JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { IN_FLIGHT, IN_FLIGHT_HERE } from '#engine/state/in-flight-names.ts';
import type { OperatorState, OwnSnapshot } from '#engine/state/snapshot.ts';
import { channelsOf, type SubtaskId } from './channels.ts';

/** Which subtask, of which job. */
interface Place {
  readonly graph: JobGraph;
  readonly id: SubtaskId;
}

export interface InFlightState {
  readonly operator: Readonly<Record<string, OperatorState>>;
  /** Of rows in it, and of those that operators of the chain hold. */
  readonly bytes: number;
}

const INPUT = 0;
const OUTPUT = 1;

/** `kept`: by input, while the barrier overtook. `outputs`: by index of the edge, as of the barrier. */
export function saveInFlight(
  { graph, id }: Place,
  kept: readonly (readonly InFlightElement[])[],
  outputs: ReadonlyMap<number, readonly InFlightElement[]>,
): InFlightState {
  const vertex = graph.vertices[id.vertex] as JobVertex;
  const items: Uint8Array[] = [];
  const here: Uint8Array[] = [];
  let bytes = 0;
  const add = (direction: number, edge: number, channels: number, elements: readonly InFlightElement[]): void => {
    if (elements.length === 0) return;
    const { partitioner, schema } = graph.edges[edge] as JobEdge;
    const to = new ByteWriter();
    to.u8(direction);
    to.u32((direction === INPUT ? vertex.inputs : vertex.outputs).indexOf(edge));
    to.u32(channels);
    to.text(String(schema));
    to.bytes(saveElements(elements));
    let rows = 0;
    for (const element of elements) if (element.kind === 'rows') rows += element.bytes.length;
    bytes += rows;
    const anywhere = rows === 0 || partitioner.kind === 'hash' || partitioner.kind === 'rebalance';
    (anywhere ? items : here).push(to.done());
  };
  for (const [input, all] of kept.entries()) {
    const edges = edgesOf(graph, id, input);
    for (const edge of new Set(edges)) {
      const elements = all.filter(({ channel }) => edges[Math.max(0, channel)] === edge);
      add(INPUT, edge, edges.length, elements);
    }
  }
  for (const [edge, elements] of outputs) add(OUTPUT, edge, consumersOf(graph, edge), elements);
  const operator: Record<string, OperatorState> = {};
  if (items.length > 0) operator[IN_FLIGHT] = { redistribute: 'union', items };
  if (here.length > 0) operator[IN_FLIGHT_HERE] = { redistribute: 'union', items: here };
  return { operator, bytes };
}

/** What a subtask has in flight before anything new comes: by input, and by index of the edge. */
export interface RestoredInFlight {
  readonly inputs: ReadonlyMap<number, readonly InFlightElement[]>;
  readonly outputs: ReadonlyMap<number, readonly InFlightElement[]>;
}

/** `restored`: snapshots of all subtasks by operator. Throws a `UsageError` where the job is not the one that was snapshot. */
export function restoreInFlight(
  { graph, id }: Place,
  restored: ReadonlyMap<string, readonly OwnSnapshot[]> | null,
): RestoredInFlight {
  const vertex = graph.vertices[id.vertex] as JobVertex;
  const inputs = new Map<number, InFlightElement[]>();
  const outputs = new Map<number, InFlightElement[]>();
  for (const [o, { id: operator }] of vertex.operators.entries()) {
    const snapshots = restored?.get(operator) ?? [];
    for (const [subtask, snapshot] of snapshots.entries()) {
      for (const item of itemsOf(snapshot)) {
        const { direction, edge, channels, schema, elements } = readItem(vertex, item);
        if (o > 0 || edge === undefined || schema !== String(graph.edges[edge]?.schema)) refuseChange(vertex);
        const { partitioner, input } = graph.edges[edge as number] as JobEdge;
        const own = direction === INPUT ? edgesOf(graph, id, input).length : consumersOf(graph, edge as number);
        const same = snapshots.length === vertex.parallelism && channels === own;
        let mine: readonly InFlightElement[];
        if (same) mine = subtask === id.index ? elements : [];
        else {
          const rows = elements.filter((element) => element.kind === 'rows');
          if (rows.length > 0 && partitioner.kind !== 'hash' && partitioner.kind !== 'rebalance') refuseRescale(vertex);
          mine =
            direction === INPUT && partitioner.kind === 'hash'
              ? rows.flatMap((element) => ofKeys(element, { graph, id }, edge as number))
              : subtask % vertex.parallelism === id.index
                ? rows.map((element) => ({ ...element, channel: -1 }))
                : [];
        }
        const [target, key] = direction === INPUT ? [inputs, input] : [outputs, edge as number];
        target.set(key, [...(target.get(key) ?? []), ...mine]);
      }
    }
  }
  return { inputs, outputs };
}

function itemsOf({ operator }: OwnSnapshot): readonly Uint8Array[] {
  return [...(operator[IN_FLIGHT]?.items ?? []), ...(operator[IN_FLIGHT_HERE]?.items ?? [])];
}

function readItem(vertex: JobVertex, item: Uint8Array) {
  const from = new ByteReader(item);
  const direction = from.u8();
  const edge = (direction === INPUT ? vertex.inputs : vertex.outputs)[from.u32()];
  return { direction, edge, channels: from.u32(), schema: from.text(), elements: loadElements(from.bytes()) };
}

/** Edge of every channel of an input. */
function edgesOf(graph: JobGraph, { vertex, index }: SubtaskId, input: number): number[] {
  const edges: number[] = [];
  for (const channel of channelsOf(graph)) {
    const edge = graph.edges[channel.edge] as JobEdge;
    if (edge.to === vertex && edge.input === input && channel.to === index) edges[channel.input] = channel.edge;
  }
  return edges;
}

function consumersOf(graph: JobGraph, edge: number): number {
  return (graph.vertices[(graph.edges[edge] as JobEdge).to] as JobVertex).parallelism;
}

/** Of rows that have come in by key, those whose key is the subtask's. */
function ofKeys(element: InFlightElement & { kind: 'rows' }, { graph, id }: Place, edge: number): InFlightElement[] {
  const { schema, partitioner } = graph.edges[edge] as JobEdge;
  const { parallelism, maxParallelism } = graph.vertices[id.vertex] as JobVertex;
  const column = (partitioner as { readonly column: number }).column;
  const dictionary = new Dictionary();
  const batch: RecordBatch = new InFlight(schema, () => dictionary).decode(element);
  const keys = batch.columns[column] as Int32Array;
  const hashOf =
    schema.columns[column]?.kind === 'string'
      ? (code: number) => javaHash(dictionary.get(code) ?? '')
      : (key: number) => key;
  const rows = new Int32Array(batch.size);
  let count = 0;
  for (let k = 0; k < batch.size; k++) {
    const group = keyGroupOf(hashOf(keys[k] as number), maxParallelism);
    if (subtaskOf(group, parallelism, maxParallelism) === id.index) rows[count++] = k;
  }
  if (count === 0) return [];
  return [{ ...element, channel: -1, bytes: encodeRows(schema, rowsOf(batch), rows, 0, count) }];
}

function refuseChange({ name }: JobVertex): never {
  throw new UsageError(
    `${name}: the checkpoint was taken with rows in flight to or from this task, and the job is not the same any more. Go on from a savepoint, which never has any.`,
  );
}

function refuseRescale({ name }: JobVertex): never {
  throw new UsageError(
    `${name}: the checkpoint was taken with rows in flight on an exchange that is neither by key nor round robin: nobody knows which other subtask they belong to. Go on at the parallelism it was taken at, or from a savepoint.`,
  );
}

/** Copies of rows that wait to go out, as of now. */
export function waitingOutputs(writers: ReadonlyMap<number, PartitionWriter>): Map<number, readonly InFlightElement[]> {
  return new Map([...writers].map(([edge, writer]) => [edge, [...writer.inFlight.elements]]));
}
