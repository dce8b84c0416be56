/** A job graph as text: tasks, what is chained in them, and how they are connected. */

import type { JobGraph, Partitioner } from './job-graph.ts';

/**
 * ```
 * Job iot
 * 1  readings -> validate -> watermarks  ×2
 *      readings    source      {device_id: string?, …}
 *      …
 *      ══hash(device_id)══> 2
 * ```
 */
export function explain(graph: JobGraph): string {
  const lines = [`Job ${graph.name}`];
  for (const [v, vertex] of graph.vertices.entries()) {
    lines.push(`${v + 1}  ${vertex.name}  ×${vertex.parallelism} (max ${vertex.maxParallelism})`);
    const width = Math.max(...vertex.operators.map((o) => o.name.length));
    for (const [o, operator] of vertex.operators.entries()) {
      const link = vertex.links.find((l) => l.to === o);
      const from =
        link === undefined
          ? ''
          : `  <- ${vertex.operators[link.from]?.name}${link.tag === null ? '' : ` [${link.tag}]`}`;
      const schema = operator.outputSchema === null ? '' : `  ${operator.outputSchema}`;
      lines.push(`     ${operator.name.padEnd(width)}  ${operator.kind.padEnd(10)}${from}${schema}`);
    }
    for (const e of vertex.outputs) {
      const edge = graph.edges[e];
      if (edge === undefined) continue;
      const producer = vertex.operators[edge.fromOperator]?.name;
      lines.push(
        `     ${producer}${edge.tag === null ? '' : ` [${edge.tag}]`} ══${partitionerText(
          edge.partitioner,
          edge.schema.columns.map((c) => c.name),
        )}══> ${edge.to + 1}${edge.input === 0 ? '' : ' (second input)'}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function partitionerText(partitioner: Partitioner, columns: readonly string[]): string {
  return partitioner.kind === 'hash' ? `hash(${columns[partitioner.column]})` : partitioner.kind;
}
