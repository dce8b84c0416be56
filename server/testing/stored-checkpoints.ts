/** A job as storage sees it: one operator in two subtasks, whose state at any checkpoint is a function of its number. */

import { Random } from '#base/random.ts';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import { keyGroupRange } from '#engine/exchange/key-groups.ts';
import type { KeyedBlock } from '#engine/state/keyed-blocks.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import type { CheckpointContent, CompletedCheckpoint } from '#runtime/checkpoint/checkpoint-metadata.ts';
import { CheckpointStore, type CheckpointStoreOptions } from '#runtime/checkpoint/checkpoint-store.ts';
import type { ProcessIdentity } from '#runtime/checkpoint/directory-lock.ts';
import type { Disk } from '#runtime/checkpoint/disk.ts';
import { readOperator } from '#runtime/checkpoint/state-reader.ts';
import { StateWriter } from '#runtime/checkpoint/state-writer.ts';

export const OPERATOR = 'count-by-device';
const GROUPS = 8;
const PARALLELISM = 2;
/** Bytes of a key group: several chunks. */
const GROUP_BYTES = 3000;

const BYTES = Array.from({ length: GROUPS }, (_, group) => {
  const random = new Random(group);
  return Uint8Array.from({ length: GROUP_BYTES }, () => random.below(256));
});

/** State of a subtask at a checkpoint: most of it as it was at the one before. */
export function stateAt(checkpoint: number, subtask: number): OperatorSnapshot {
  const [first, last] = keyGroupRange(subtask, PARALLELISM, GROUPS);
  const keyed: KeyedBlock[] = [];
  for (let group = first; group <= last; group++) {
    const bytes = (BYTES[group] as Uint8Array).slice();
    // From a thousand on nothing is as it was.
    if (checkpoint >= 1000) for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (checkpoint + i);
    if (group % 2 === 0) bytes.fill(checkpoint, 100 * group, 100 * group + 10 * (checkpoint % 10));
    keyed.push([group, bytes]);
  }
  const list = { redistribute: 'split' as const, items: [Uint8Array.of(subtask, checkpoint)] };
  return { watermark: 1000 * checkpoint, keyed, operator: { list } };
}

/** One process that takes checkpoints of that job. */
export class CheckpointingJob {
  readonly store: CheckpointStore;
  readonly #disk: Disk;
  readonly #writers: readonly StateWriter[];
  readonly #stateAt: typeof stateAt;

  private constructor(disk: Disk, store: CheckpointStore, incremental: boolean, state: typeof stateAt) {
    this.#disk = disk;
    this.store = store;
    this.#stateAt = state;
    this.#writers = Array.from(
      { length: PARALLELISM },
      (_, index) =>
        new StateWriter({
          disk,
          root: store.root,
          subtask: { vertex: 0, index },
          incremental,
          seed: 1,
          pause: () => Promise.resolve(),
        }),
    );
  }

  static async open(
    disk: Disk,
    options: Partial<CheckpointStoreOptions> & { incremental?: boolean; state?: typeof stateAt } = {},
  ) {
    const store = await CheckpointStore.open({
      disk,
      directory: '/data',
      job: 'readings',
      retained: 2,
      process: processNamed('1'),
      random: new Random(1),
      ...options,
    });
    return new CheckpointingJob(disk, store, options.incremental ?? false, options.state ?? stateAt);
  }

  /** What all subtasks have written for it. */
  async write(id: number, kind: CheckpointKind = 'checkpoint', state = id): Promise<CheckpointContent> {
    const subtasks = await Promise.all(
      this.#writers.map((writer, subtask) =>
        writer.write({ checkpoint: id, kind }, [{ operator: OPERATOR, snapshot: this.#stateAt(state, subtask) }]),
      ),
    );
    const operators = [{ id: OPERATOR, name: 'count by device' }];
    return {
      id,
      kind,
      triggeredAt: 100 * id,
      completedAt: 100 * id + 10,
      job: { name: 'readings', params: { seed: 7 } },
      vertices: [{ id: 'count', name: 'count', parallelism: PARALLELISM, maxParallelism: GROUPS, operators, subtasks }],
      enumerators: { [OPERATOR]: { next: id } },
    };
  }

  async take(id: number, kind: CheckpointKind = 'checkpoint', savepoints?: string): Promise<CompletedCheckpoint> {
    const completed = await this.store.complete(await this.write(id, kind), savepoints);
    for (const writer of this.#writers) writer.completed(id);
    return completed;
  }

  /** All state, as `restored` gives it. */
  read(checkpoint: CompletedCheckpoint): Promise<OperatorSnapshot[]> {
    return readAll(this.#disk, checkpoint);
  }
}

export function readAll(
  disk: Disk,
  checkpoint: CompletedCheckpoint,
  range: readonly [number, number] = [0, GROUPS - 1],
): Promise<OperatorSnapshot[]> {
  const subtasks = checkpoint.vertices[0]?.subtasks ?? [];
  return readOperator(disk, { operator: OPERATOR, name: 'count by device', root: checkpoint.root, subtasks }, range);
}

/** What `readAll` must give. */
export function statesAt(checkpoint: number): OperatorSnapshot[] {
  return Array.from({ length: PARALLELISM }, (_, subtask) => stateAt(checkpoint, subtask));
}

/** A process by a name; those that still live, if any but itself. */
export function processNamed(self: string, living: readonly string[] = []): ProcessIdentity {
  return { self, alive: (name) => living.includes(name), describe: (name) => `process ${name}` };
}
