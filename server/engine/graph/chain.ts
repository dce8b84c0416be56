/**
 * Stream graph -> job graph: joins operators into tasks where nothing has to cross a thread.
 *
 * An operator is chained behind its input if that is its only one, the partitioner is forward, both have the same parallelism, and neither
 * asked otherwise. A task is thus a tree: its head, and whatever hangs behind it. Operators with two inputs are always heads.
 */

import { WeirError } from '#base/errors.ts';
import {
  checkParallelism,
  defaultMaxParallelism,
  javaHash,
  MAX_PARALLELISM,
  murmurHash,
} from '../exchange/key-groups.ts';
import type { ChainLink, JobEdge, JobGraph, JobOperator, JobVertex, Partitioner } from './job-graph.ts';
import type { StreamEdge, StreamNode } from './stream-graph.ts';

interface Task {
  readonly nodes: StreamNode[];
  readonly links: ChainLink[];
}

export function chain(
  name: string,
  nodes: readonly StreamNode[],
  parallelism: number,
  settings: Pick<JobGraph, 'latencyTracking' | 'state'>,
): JobGraph {
  if (!nodes.some((n) => n.source !== null)) throw new WeirError('NO_SOURCE', `Job ${name} has no source.`);
  const ids = operatorIds(name, nodes);
  const parallelismOf = (node: StreamNode): number => node.parallelism ?? parallelism;
  const partitionerOf = (edge: StreamEdge, to: StreamNode): Partitioner => {
    const same = parallelismOf(edge.from) === parallelismOf(to);
    if (edge.partitioner?.kind === 'forward' && !same) {
      throw new WeirError(
        'FORWARD_PARALLELISM',
        `${edge.from.name} -> ${to.name}: forward needs equal parallelism, not ${parallelismOf(edge.from)} and ${parallelismOf(to)}.`,
      );
    }
    return edge.partitioner ?? { kind: same ? 'forward' : 'rebalance' };
  };

  const tasks: Task[] = [];
  const taskOf = new Map<StreamNode, Task>();
  for (const node of nodes) {
    const edge = node.inputs[0];
    const upstream = edge === undefined ? undefined : taskOf.get(edge.from);
    const chained =
      edge !== undefined &&
      upstream !== undefined &&
      node.inputs.length === 1 &&
      node.chaining === 'always' &&
      edge.from.chaining !== 'never' &&
      partitionerOf(edge, node).kind === 'forward';
    if (chained) {
      upstream.links.push({ from: upstream.nodes.indexOf(edge.from), to: upstream.nodes.length, tag: edge.tag });
      upstream.nodes.push(node);
      taskOf.set(node, upstream);
    } else {
      const task = { nodes: [node], links: [] };
      tasks.push(task);
      taskOf.set(node, task);
    }
  }

  const edges: JobEdge[] = [];
  for (const [to, task] of tasks.entries()) {
    const head = task.nodes[0] as StreamNode;
    for (const edge of head.inputs) {
      const producer = taskOf.get(edge.from) as Task;
      edges.push({
        from: tasks.indexOf(producer),
        fromOperator: producer.nodes.indexOf(edge.from),
        tag: edge.tag,
        to,
        input: edge.input,
        partitioner: partitionerOf(edge, head),
        schema: edge.schema,
      });
    }
  }

  const vertices = tasks.map((task, index): JobVertex => {
    const head = task.nodes[0] as StreamNode;
    const p = parallelismOf(head);
    const maxParallelism = head.maxParallelism ?? defaultMaxParallelism(p);
    checkParallelism(maxParallelism, MAX_PARALLELISM, `${head.name} (max parallelism)`);
    checkParallelism(p, maxParallelism, head.name);
    checkAlignment(task.nodes);
    return {
      id: ids.get(head) as string,
      name: task.nodes.map((n) => n.name).join(' -> '),
      parallelism: p,
      maxParallelism,
      operators: task.nodes.map(
        (n): JobOperator => ({
          id: ids.get(n) as string,
          name: n.name,
          kind: n.kind,
          create: n.create,
          source: n.source,
          sink: n.sink,
          alignment: n.alignment,
          outputSchema: n.outputSchema,
          sideOutputs: n.sideOutputs,
        }),
      ),
      links: task.links,
      inputs: edges.flatMap((e, i) => (e.to === index ? [i] : [])),
      outputs: edges.flatMap((e, i) => (e.from === index ? [i] : [])),
    };
  });
  return { name, vertices, edges, ...settings };
}

/** Only a source in the same task can stop reading in time. */
function checkAlignment([head, ...others]: readonly StreamNode[]): void {
  const aligned = [head, ...others].find((n) => n?.alignment != null);
  if (aligned === undefined || head?.source != null) return;
  throw new WeirError(
    'ALIGNMENT_PLACE',
    `${aligned.name}: watermarks can be aligned only where they are made in the source's task, but it is chained behind no source.`,
  );
}

/** A uid is the id; without one it is a hash of what the operator is and where it stands, the same in every thread. */
function operatorIds(job: string, nodes: readonly StreamNode[]): Map<StreamNode, string> {
  const ids = new Map<StreamNode, string>();
  const taken = new Map<string, StreamNode>();
  for (const node of nodes) {
    const placeOf = ({ from, tag, partitioner, input }: StreamEdge): string =>
      `${ids.get(from)}/${tag ?? ''}/${partitioner?.kind ?? ''}${input === 0 ? '' : '/second'}`;
    const inputs = node.inputs.map(placeOf).join('+');
    const shape = `${node.kind}(${inputs})`;
    let id = node.uid ?? hashId(shape);
    for (let n = 1; node.uid === null && taken.has(id); n++) id = hashId(`${shape}#${n}`);
    const other = taken.get(id);
    if (other !== undefined)
      throw new WeirError(
        'DUPLICATE_UID',
        `Job ${job}: the operators "${other.name}" and "${node.name}" both have the uid "${id}".`,
      );
    taken.set(id, node);
    ids.set(node, id);
  }
  return ids;
}

function hashId(shape: string): string {
  const half = (salt: string): string => (murmurHash(javaHash(salt + shape)) >>> 0).toString(16).padStart(8, '0');
  return half('a') + half('b');
}
