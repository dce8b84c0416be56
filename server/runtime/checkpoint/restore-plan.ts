/**
 * Which state goes to which operator when a job goes on from a checkpoint (`flink-reference` §3.5). Operators are matched by their ids: by the
 * uid that was given, or else by their place in the job.
 */

import { UsageError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { CheckpointVertex, CompletedCheckpoint } from './checkpoint-metadata.ts';
import type { OperatorStateHandles } from './state-handle.ts';

export interface RestoreOptions {
  /** State of operators that the job does not have any more is left behind. */
  readonly allowNonRestoredState: boolean;
}

export interface RestorePlan {
  /** By id of the operator, of those that have something in the checkpoint. */
  readonly operators: ReadonlyMap<string, OperatorStateHandles>;
  /** By id of the source operator. */
  readonly enumerators: ReadonlyMap<string, unknown>;
  /** Names of operators that the checkpoint does not know: they begin empty. */
  readonly fresh: readonly string[];
  /** Names of operators whose state is left behind. */
  readonly dropped: readonly string[];
}

interface StoredOperator {
  readonly name: string;
  readonly vertex: CheckpointVertex;
  readonly keyed: boolean;
  readonly stateful: boolean;
  /** It has rows in flight that fit no other parallelism. */
  readonly here: boolean;
}

/** Throws a `UsageError` that names operators where the checkpoint does not fit the job. */
export function planRestore(graph: JobGraph, checkpoint: CompletedCheckpoint, options: RestoreOptions): RestorePlan {
  const all = storedOperators(checkpoint);
  const stored = new Map(all);
  const operators = new Map<string, OperatorStateHandles>();
  const enumerators = new Map<string, unknown>();
  const fresh: string[] = [];
  const rescaled: string[] = [];
  for (const { operators: chain, maxParallelism } of graph.vertices) {
    for (const { id, name } of chain) {
      const before = stored.get(id);
      if (before === undefined) {
        fresh.push(name);
        continue;
      }
      stored.delete(id);
      if (before.keyed && before.vertex.maxParallelism !== maxParallelism) {
        rescaled.push(`${name} had ${before.vertex.maxParallelism} and now has ${maxParallelism}`);
      }
      operators.set(id, { operator: id, name, root: checkpoint.root, subtasks: before.vertex.subtasks });
      if (Object.hasOwn(checkpoint.enumerators, id)) enumerators.set(id, checkpoint.enumerators[id]);
    }
  }
  if (rescaled.length > 0) {
    throw new UsageError(
      `${checkpoint.path} cannot be restored: max parallelism decides which key is in which key group, and must not change. ${rescaled.join('; ')}. Set it to what it was.`,
    );
  }
  const [inFlight] = [...all.values()].filter(({ here }) => here);
  const other = graph.vertices.find(({ operators: chain, parallelism }) =>
    chain.some(({ id }) => (all.get(id)?.vertex.subtasks.length ?? parallelism) !== parallelism),
  );
  if (inFlight !== undefined && other !== undefined) {
    throw new UsageError(
      `${checkpoint.path} cannot be restored at another parallelism: it was taken unaligned, with rows in flight at "${inFlight.name}" of which nobody knows to which other subtask they belong. ${other.name} had another parallelism than ${other.parallelism}: go on at that one, or from a savepoint, which never has rows in flight.`,
    );
  }
  const dropped = [...stored.values()].filter(({ stateful }) => stateful).map(({ name }) => name);
  if (dropped.length > 0 && !options.allowNonRestoredState) {
    throw new UsageError(
      `${checkpoint.path} cannot be restored: it has state of ${dropped.map((name) => `"${name}"`).join(', ')}, which the job does not have any more. Was an operator renamed or moved? Give operators a uid so that they are found again, or allow state that is not restored (allowNonRestoredState) to leave it behind.`,
    );
  }
  return { operators, enumerators, fresh, dropped };
}

function storedOperators({ vertices, enumerators }: CompletedCheckpoint): Map<string, StoredOperator> {
  const all = new Map<string, StoredOperator>();
  for (const vertex of vertices) {
    for (const { id, name } of vertex.operators) {
      const entries = vertex.subtasks.flatMap((handle) => handle?.operators.find((entry) => entry.id === id) ?? []);
      const enumerator = Object.hasOwn(enumerators, id) && enumerators[id] !== undefined && enumerators[id] !== null;
      all.set(id, {
        name,
        vertex,
        keyed: entries.some(({ keyed }) => keyed),
        here: entries.some(({ here }) => here === true),
        stateful: enumerator || entries.some(({ stateful }) => stateful),
      });
    }
  }
  return all;
}
