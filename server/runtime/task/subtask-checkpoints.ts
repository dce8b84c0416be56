/**
 * A subtask's part in checkpoints: where its barriers come together, and its snapshot once they have, or at once where barriers overtake rows.
 *
 *   trigger (sources) ─┐                                ┌─> barrier to every output
 *   barriers of inputs ┴─> aligned ─> nothing pending ──┼─> snapshot of every operator of the chain, at once
 *            └─> overtaking ─> nothing lent is held ────┘   and what is in flight, when the last barrier has come
 *                                                       └─> whoever writes it down and acknowledges: the subtask goes on
 */

import type { Clock } from '#base/clock.ts';
import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import { type Alignment, BarrierAligner, type CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import type { OwnSnapshot, TakenSnapshot } from '#engine/state/snapshot.ts';
import type { InFlightState } from './in-flight-state.ts';
import type { SubtaskRows } from './subtask-rows.ts';

/** Known when the last barrier has come. */
export interface AlignmentFigures {
  /** From the first barrier to the last one. */
  readonly alignmentMs: number;
  /** Bytes of rows worked on meanwhile. */
  readonly processedBytes: number;
  /** Bytes of rows in flight that are part of the snapshot. */
  readonly persistedBytes: number;
  /** The barrier has overtaken rows, or could have. */
  readonly unaligned: boolean;
}

export interface ChainSnapshot {
  readonly barrier: CheckpointBarrier;
  /** One for each operator of the chain, by its id. */
  readonly operators: readonly { readonly operator: string; readonly snapshot: Eventually<TakenSnapshot> }[];
  /** What has gone through the chain before the barrier. */
  readonly rows: SubtaskRows;
  /** From the trigger to the first barrier, ms by the clock of the wall. */
  readonly startDelayMs: number;
  readonly alignment: Eventually<AlignmentFigures>;
  /** What the snapshot of the head holds besides. This and the figures reject with `Abandoned` if the checkpoint is. */
  readonly inFlight: Eventually<InFlightState['operator']>;
  /** Time in which the task did nothing else. */
  readonly syncMs: number;
  /** The input has ended: nothing will change any more. */
  readonly ended: boolean;
}

/** The checkpoint was aborted or given up before the last barrier came. */
export class Abandoned extends Error {}

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
  /** Of every operator, head first. */
  readonly operators: () => ChainSnapshot['operators'];
  readonly rows: () => SubtaskRows;
  readonly ended: boolean;
  /** What is in flight, once the last barrier has come; null: nothing may be. */
  readonly inFlight: (() => InFlightState) | null;
}

/** What is known when the last barrier has come. */
interface Rest {
  readonly alignment: Alignment | null;
  readonly state: InFlightState | null;
}

/** A snapshot that waits for the rest of its barriers. */
interface Overtaken {
  readonly checkpoint: number;
  readonly done: (alignment: Alignment) => void;
  readonly abandon: () => void;
}

export class SubtaskCheckpoints {
  readonly aligner: BarrierAligner;
  readonly #link: CheckpointLink | null;
  readonly #clock: Clock;
  #overtaken: Overtaken | null = null;

  /** Null: the job takes none. */
  constructor(link: CheckpointLink | null, clock: Clock, wake: () => void) {
    this.#link = link;
    this.#clock = clock;
    this.aligner = new BarrierAligner(link?.mode ?? 'exactly-once', () => clock.nanos(), {
      aligned: wake,
      overtaken: (alignment) => {
        const overtaken = this.#overtaken;
        this.#overtaken = null;
        overtaken?.done(alignment);
      },
      givenUp: (checkpoint) => {
        this.#abandon(checkpoint);
        link?.decline(checkpoint, 'subsumed');
      },
    });
  }

  get taken(): boolean {
    return this.#link !== null;
  }

  /** `alignment`: null for sources. */
  take(of: SnapshotOf, alignment: Alignment | null): void {
    const began = this.#clock.nanos();
    of.emit(of.barrier);
    const state = of.inFlight?.() ?? null;
    this.#hand(of, of.operators(), of.rows(), began, alignment?.firstAt ?? began, { alignment, state });
  }

  /** Barriers of some channels are still to come: what these bring along until then is kept. */
  overtake(of: SnapshotOf): void {
    const began = this.#clock.nanos();
    const { firstAt } = this.aligner;
    of.emit(of.barrier);
    const operators = of.operators();
    const rows = of.rows();
    const rest = new Promise<Rest>((resolve, reject) => {
      this.#overtaken = {
        checkpoint: of.barrier.checkpoint,
        done: (alignment) => resolve({ alignment, state: of.inFlight?.() ?? null }),
        abandon: () => reject(new Abandoned()),
      };
    });
    // It may be abandoned before anybody asks.
    rest.catch(() => {});
    this.aligner.overtake();
    this.#hand(of, operators, rows, began, firstAt, rest);
  }

  #hand(
    { barrier, ended }: SnapshotOf,
    operators: ChainSnapshot['operators'],
    rows: SubtaskRows,
    began: number,
    firstAt: number,
    rest: Eventually<Rest>,
  ): void {
    const waitedMs = (began - firstAt) / 1e6;
    const then = <T>(of: (one: Rest) => T): Eventually<T> => {
      if (!(rest instanceof Promise)) return of(rest);
      const later = rest.then(of);
      // It may be abandoned before anybody asks.
      later.catch(() => {});
      return later;
    };
    this.#link?.take({
      barrier,
      operators,
      rows,
      startDelayMs: Math.max(0, this.#clock.now() - waitedMs - barrier.triggeredAt),
      alignment: then((one) => figuresOf(one, rest instanceof Promise)),
      inFlight: then((one) => one.state?.operator ?? {}),
      syncMs: (this.#clock.nanos() - began) / 1e6,
      ended,
    });
  }

  abort(checkpoint: number): void {
    this.#abandon(checkpoint);
    this.aligner.abort(checkpoint);
  }

  ended(): void {
    this.#link?.ended();
  }

  #abandon(checkpoint: number): void {
    if (this.#overtaken?.checkpoint !== checkpoint) return;
    this.#overtaken.abandon();
    this.#overtaken = null;
  }
}

function figuresOf({ alignment, state }: Rest, overtaken: boolean): AlignmentFigures {
  const persistedBytes = state?.bytes ?? 0;
  return {
    alignmentMs: alignment === null ? 0 : (alignment.lastAt - alignment.firstAt) / 1e6,
    processedBytes: alignment?.processedBytes ?? 0,
    persistedBytes,
    unaligned: overtaken || persistedBytes > 0,
  };
}

/** It stands in the snapshot of the head. */
export function withInFlight<T extends OwnSnapshot>(snapshot: T, state: InFlightState['operator']): T {
  return { ...snapshot, operator: { ...snapshot.operator, ...state } };
}
