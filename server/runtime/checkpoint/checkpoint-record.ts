/** What is remembered about one checkpoint: from its trigger on, subtask by subtask (`flink-reference` §4.4). */

import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type {
  CheckpointDetails,
  CheckpointFailure,
  CheckpointProgress,
  CheckpointRow,
  CheckpointStatus,
  SubtaskCheckpoint,
  SubtaskFigures,
} from '#shared/checkpoints.ts';
import type { SubtaskId } from '../task/channels.ts';

/** How a checkpoint ended. */
export interface Ending {
  readonly status: Exclude<CheckpointStatus, 'IN_PROGRESS'>;
  readonly at: number;
  readonly path: string | null;
  readonly failure: CheckpointFailure | null;
}

export class CheckpointRecord {
  readonly barrier: CheckpointBarrier;
  /** By vertex, then by index; null: not acknowledged. */
  readonly #tasks = new Map<number, (SubtaskCheckpoint | null)[]>();
  /** On the steady clock, ms. */
  readonly #triggered: number;
  #ending: Ending | null = null;
  /** From the trigger to the failure, ms. */
  #failedAfter = 0;

  constructor(barrier: CheckpointBarrier, triggered: number, subtasks: readonly SubtaskId[]) {
    this.barrier = barrier;
    this.#triggered = triggered;
    for (const { vertex, index } of subtasks) {
      const task = this.#tasks.get(vertex) ?? [];
      task[index] = null;
      this.#tasks.set(vertex, task);
    }
  }

  /** `ackAt`: by the clock on the wall; `steady`: by the steady one, ms. */
  acknowledged(id: SubtaskId, figures: SubtaskFigures, ended: boolean, ackAt: number, steady: number): void {
    const task = this.#tasks.get(id.vertex) as (SubtaskCheckpoint | null)[];
    task[id.index] = { ...figures, index: id.index, ackAt, durationMs: this.#elapsed(steady), ended };
  }

  ended(ending: Ending, steady: number): void {
    this.#ending = ending;
    this.#failedAfter = this.#elapsed(steady);
  }

  row(steady: number): CheckpointRow {
    const acks = [...this.#tasks.values()].flat();
    const { checkpoint: id, kind, triggeredAt } = this.barrier;
    return {
      id,
      kind,
      status: this.#ending?.status ?? 'IN_PROGRESS',
      triggeredAt,
      endedAt: this.#ending?.at ?? null,
      ...this.#progress(acks, steady),
      ...(this.#ending?.status === 'FAILED' ? { durationMs: this.#failedAfter } : {}),
      unaligned: acks.some((ack) => ack?.unaligned === true),
      path: this.#ending?.path ?? null,
      failure: this.#ending?.failure ?? null,
    };
  }

  details(steady: number): CheckpointDetails {
    return {
      ...this.row(steady),
      tasks: [...this.#tasks].map(([vertex, acks]) => ({
        vertex,
        ...this.#progress(acks, steady),
        acknowledgements: acks.filter((ack) => ack !== null),
      })),
    };
  }

  #progress(all: readonly (SubtaskCheckpoint | null)[], steady: number): CheckpointProgress {
    const acks = all.filter((ack) => ack !== null);
    const sum = (figure: 'bytes' | 'fullBytes' | 'processedBytes' | 'persistedBytes'): number =>
      acks.reduce((total, ack) => total + ack[figure], 0);
    const last = (figure: 'ackAt' | 'durationMs'): number =>
      acks.reduce((latest, ack) => Math.max(latest, ack[figure]), Number.NEGATIVE_INFINITY);
    return {
      acknowledged: acks.length,
      subtasks: all.length,
      latestAckAt: acks.length === 0 ? null : last('ackAt'),
      durationMs: acks.length === all.length ? last('durationMs') : this.#soFar(steady),
      bytes: sum('bytes'),
      fullBytes: sum('fullBytes'),
      processedBytes: sum('processedBytes'),
      persistedBytes: sum('persistedBytes'),
    };
  }

  #soFar(steady: number): number {
    return this.#ending === null ? this.#elapsed(steady) : this.#failedAfter;
  }

  #elapsed(steady: number): number {
    return Math.round(steady - this.#triggered);
  }
}
