/** Checkpoints of a job in one thread, without files: what every subtask hands over is put together to one snapshot of the job. */

import { WeirError } from '#base/errors.ts';
import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type { CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import { atOnce } from '#engine/state/keyed-blocks.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import type { JobSnapshot } from '../job/job-snapshot.ts';
import type { SubtaskId } from '../task/channels.ts';
import { type ChainSnapshot, type CheckpointLink, withInFlight } from '../task/subtask-checkpoints.ts';

export interface TakenSnapshot extends JobSnapshot {
  /** Of rows in flight that are part of it. */
  readonly persistedBytes: number;
}

interface Taking {
  readonly barrier: CheckpointBarrier;
  readonly enumerators: ReadonlyMap<string, unknown>;
  readonly snapshots: (ChainSnapshot & { readonly id: SubtaskId })[];
}

export class LocalCheckpoints {
  readonly #mode: CheckpointMode;
  readonly #subtasks: number;
  #taking: Taking | null = null;
  #ended = 0;

  /** `subtasks`: how many take part. */
  constructor(mode: CheckpointMode, subtasks: number) {
    this.#mode = mode;
    this.#subtasks = subtasks;
  }

  /** Every subtask has seen the end of its input. */
  get allEnded(): boolean {
    return this.#ended === this.#subtasks;
  }

  linkOf(id: SubtaskId): CheckpointLink {
    return {
      mode: this.#mode,
      take: (snapshot) => {
        if (this.#taking?.barrier.checkpoint === snapshot.barrier.checkpoint)
          this.#taking.snapshots.push({ ...snapshot, id });
      },
      decline: (checkpoint, reason) => {
        throw new WeirError('DECLINED', `Checkpoint ${checkpoint} was declined: ${reason}.`);
      },
      ended: () => {
        this.#ended++;
      },
    };
  }

  begin(barrier: CheckpointBarrier, enumerators: ReadonlyMap<string, unknown>): void {
    this.#taking = { barrier, enumerators, snapshots: [] };
  }

  /** Of the checkpoint that was begun, once every subtask has handed over its part. */
  async collect(): Promise<TakenSnapshot> {
    const taking = this.#taking;
    this.#taking = null;
    if (taking === null || taking.snapshots.length < this.#subtasks) {
      throw new WeirError(
        'NOT_ALIGNED',
        `Only ${taking?.snapshots.length ?? 0} of ${this.#subtasks} subtasks have taken their snapshot.`,
      );
    }
    const operators = new Map<string, OperatorSnapshot[]>();
    const inOrder = [...taking.snapshots].sort((a, b) => a.id.vertex - b.id.vertex || a.id.index - b.id.index);
    let persistedBytes = 0;
    for (const snapshot of inOrder) {
      persistedBytes += (await snapshot.alignment).persistedBytes;
      for (const [o, { operator, snapshot: state }] of snapshot.operators.entries()) {
        const own = await atOnce(state);
        const whole = o === 0 ? withInFlight(own, await snapshot.inFlight) : own;
        operators.set(operator, [...(operators.get(operator) ?? []), whole]);
      }
    }
    return { operators, enumerators: taking.enumerators, persistedBytes };
  }
}
