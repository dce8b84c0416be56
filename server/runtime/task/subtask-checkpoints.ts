/**
 * A subtask's part in checkpoints: where its barriers come together, and its snapshot once they have.
 *
 *   trigger (sources) ─┐                                ┌─> barrier to every output
 *   barriers of inputs ┴─> aligned ─> nothing pending ──┼─> snapshot of every operator of the chain, at once
 *                                                       └─> whoever writes it down and acknowledges: the subtask goes on
 */

import type { Clock } from '#base/clock.ts';
import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import { type Alignment, BarrierAligner, type CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';

export interface ChainSnapshot {
  readonly barrier: CheckpointBarrier;
  /** One for each operator of the chain, by its id. */
  readonly operators: readonly { readonly operator: string; readonly snapshot: Eventually<OperatorSnapshot> }[];
  /** From the trigger to the first barrier, ms by the clock of the wall. */
  readonly startDelayMs: number;
  /** From the first barrier to the last one. */
  readonly alignmentMs: number;
  /** Time in which the task did nothing else. */
  readonly syncMs: number;
  /** The input has ended: nothing will change any more. */
  readonly ended: boolean;
}

/** What a subtask of a job with checkpoints tells its thread. */
export interface CheckpointLink {
  readonly mode: CheckpointMode;
  /** Writes it down, then acknowledges or declines. */
  take(snapshot: ChainSnapshot): void;
  /** There will be no snapshot of this subtask for that checkpoint. */
  decline(checkpoint: number, reason: 'subsumed'): void;
  /** Everything has been read and has gone through the chain; what is left is the last checkpoint. */
  ended(): void;
}

export interface SnapshotOf {
  readonly barrier: CheckpointBarrier;
  /** To every output of the task. */
  readonly emit: (barrier: CheckpointBarrier) => void;
  /** Of every operator. */
  readonly operators: () => ChainSnapshot['operators'];
  readonly ended: boolean;
}

export class SubtaskCheckpoints {
  readonly aligner: BarrierAligner;
  readonly #link: CheckpointLink | null;
  readonly #clock: Clock;

  /** Null: the job takes none. */
  constructor(link: CheckpointLink | null, clock: Clock, wake: () => void) {
    this.#link = link;
    this.#clock = clock;
    this.aligner = new BarrierAligner(link?.mode ?? 'exactly-once', () => clock.nanos(), {
      aligned: wake,
      givenUp: (checkpoint) => link?.decline(checkpoint, 'subsumed'),
    });
  }

  get taken(): boolean {
    return this.#link !== null;
  }

  /** `alignment`: null for sources. */
  take(of: SnapshotOf, alignment: Alignment | null): void {
    const link = this.#link;
    if (link === null) return;
    const began = this.#clock.nanos();
    const firstAt = alignment?.firstAt ?? began;
    const waitedMs = (began - firstAt) / 1e6;
    of.emit(of.barrier);
    const operators = of.operators();
    link.take({
      barrier: of.barrier,
      operators,
      startDelayMs: Math.max(0, this.#clock.now() - waitedMs - of.barrier.triggeredAt),
      alignmentMs: alignment === null ? 0 : (alignment.lastAt - firstAt) / 1e6,
      syncMs: (this.#clock.nanos() - began) / 1e6,
      ended: of.ended,
    });
  }

  ended(): void {
    this.#link?.ended();
  }
}
