/**
 * The subtasks of one thread with their channels in place. The same wiring serves a task
 * manager, where some channels are rings to other threads, and the local executor, where none need be.
 */

import type { ChannelWriter } from '#engine/exchange/channel.ts';
import { Ring } from '#engine/exchange/ring-layout.ts';
import { RingWriter } from '#engine/exchange/ring-writer.ts';
import type { JobEdge, JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { cellsPerTask } from '#engine/metrics/cells.ts';
import { HISTOGRAM_CELLS } from '#engine/metrics/histogram.ts';
import { latencyPlaces } from '#engine/metrics/latency.ts';
import { type Channel, channelsOf, type SubtaskId } from './channels.ts';
import { Subtask } from './subtask.ts';
import type { SubtaskHost } from './subtask-host.ts';

export interface WiringOptions {
  readonly graph: JobGraph;
  /** The subtasks of this thread. */
  readonly subtasks: readonly SubtaskId[];
  readonly host: (id: SubtaskId) => SubtaskHost;
  readonly cells: (id: SubtaskId) => Float64Array;
  /** Memory of its latency histograms. */
  readonly latencies: (id: SubtaskId) => Float64Array;
  /** Memory of a channel that leaves the thread (or should be a ring anyway), by its index in `channelsOf`; null: both ends are here. */
  readonly ring: (channel: number) => SharedArrayBuffer | null;
  /** Wakes the thread of a subtask. */
  readonly notify: (id: SubtaskId) => () => void;
  readonly nanos: () => number;
}

/** Makes the subtasks of one thread, connects them, and opens them; it is for others to start them. Consumers come first, so that a loop in this order empties before it fills. */
export function wire(options: WiringOptions): Subtask[] {
  const { graph } = options;
  const channels = channelsOf(graph);
  const key = (vertex: number, index: number): string => `${vertex}/${index}`;
  const made = new Map<string, Subtask>();
  for (const id of options.subtasks) {
    const inputs: number[] = [];
    for (const channel of channels) {
      const { to, input } = graph.edges[channel.edge] as JobEdge;
      if (to === id.vertex && channel.to === id.index) inputs[input] = (inputs[input] ?? 0) + 1;
    }
    made.set(
      key(id.vertex, id.index),
      new Subtask(graph, id.vertex, id.index, inputs, options.cells(id), options.latencies(id), options.host(id)),
    );
  }
  for (const consumer of made.values()) adoptLocalSources(graph, consumer, channels, made, options);
  const writers = new Map<string, ChannelWriter[]>();
  for (const [c, channel] of channels.entries()) {
    const edge = graph.edges[channel.edge] as JobEdge;
    const producer = made.get(key(edge.from, channel.from));
    const consumer = made.get(key(edge.to, channel.to));
    const memory = options.ring(c);
    let writer: ChannelWriter | null = null;
    if (memory !== null) {
      if (consumer !== undefined) {
        consumer.gates[edge.input]?.addRing(
          channel.input,
          new Ring(memory, edge.schema),
          options.notify({ vertex: edge.from, index: channel.from }),
        );
      }
      if (producer !== undefined) {
        writer = new RingWriter(
          new Ring(memory, edge.schema),
          edge.schema,
          options.notify({ vertex: edge.to, index: channel.to }),
        );
      }
    } else if (producer !== undefined && consumer !== undefined) {
      const gate = consumer.gates[edge.input];
      writer =
        gate?.addLocal(
          channel.input,
          options.nanos,
          (ns) => producer.servedBy(consumer, ns),
          () => consumer.letGo(),
        ) ?? null;
    }
    if (writer !== null) {
      const name = `${key(edge.from, channel.from)}#${channel.edge}`;
      const list = writers.get(name) ?? [];
      list.push(writer);
      writers.set(name, list);
    }
  }
  for (const [name, list] of writers) {
    const [subtask, edge] = name.split('#') as [string, string];
    made.get(subtask)?.connect(Number(edge), list);
  }
  const ordered = [...made.entries()]
    .sort(([a], [b]) => Number(b.split('/')[0]) - Number(a.split('/')[0]))
    .map(([, s]) => s);
  for (const subtask of ordered) subtask.open();
  return ordered;
}

/** A gate with one source in its own thread takes over that source's codes: most of its rows then need no translation. */
function adoptLocalSources(
  graph: JobGraph,
  consumer: Subtask,
  channels: readonly Channel[],
  made: ReadonlyMap<string, Subtask>,
  options: WiringOptions,
): void {
  for (const [input, gate] of consumer.gates.entries()) {
    const local = channels.flatMap((channel, c) => {
      const edge = graph.edges[channel.edge] as JobEdge;
      const feeds = edge.to === consumer.vertexIndex && edge.input === input && channel.to === consumer.index;
      return feeds && options.ring(c) === null ? [made.get(`${edge.from}/${channel.from}`)] : [];
    });
    const [producer] = local;
    if (local.length !== 1 || producer === undefined || producer.gates.length > 0) continue;
    gate.adopt(producer.sourceDictionary, () => producer.finished);
  }
}

/** Cells of one subtask. */
export function newCells(graph: JobGraph, vertex: number, memory: (bytes: number) => ArrayBufferLike): Float64Array {
  const count = cellsPerTask((graph.vertices[vertex] as JobVertex).operators.length);
  return new Float64Array(memory(count * 8));
}

/** Latency histograms of one subtask. */
export function newLatencies(
  graph: JobGraph,
  vertex: number,
  memory: (bytes: number) => ArrayBufferLike,
): Float64Array {
  return new Float64Array(memory(latencyPlaces(graph, vertex).length * HISTOGRAM_CELLS * 8));
}
