/**
 * What the coordinator of checkpoints is told, and whom it calls. What subtasks say is plain data, if their states are.
 */

import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import type { CheckpointChange, SubtaskFigures } from '#shared/checkpoints.ts';
import type { SubtaskId } from '../task/channels.ts';
import type { CheckpointFailureReason } from './checkpoint-failure.ts';
import type { CheckpointSettings } from './checkpoint-settings.ts';

/** A subtask has taken its part of a checkpoint. */
export interface CheckpointAck<S> {
  readonly checkpoint: number;
  readonly subtask: SubtaskId;
  /** Where its state lies; the coordinator never looks into it. */
  readonly state: S;
  readonly figures: SubtaskFigures;
  /** It had read its input to the end. */
  readonly ended: boolean;
}

/** A subtask cannot take part in a checkpoint, or will not. */
export interface CheckpointDecline {
  readonly checkpoint: number;
  readonly subtask: SubtaskId;
  readonly reason: CheckpointFailureReason;
  /** For people. */
  readonly message: string;
}

/** All of it is there, and can be written down. */
export interface AcknowledgedCheckpoint<S> {
  readonly barrier: CheckpointBarrier;
  /** Savepoints: directory that was asked for; null: the usual one. */
  readonly target: string | null;
  /** A savepoint that `CheckpointSettings.savepoints` asked for. */
  readonly scheduled: boolean;
  /** In the order of `CheckpointCoordinatorOptions.subtasks`. */
  readonly acks: readonly CheckpointAck<S>[];
}

/** `S`: where the state of a subtask lies; `C`: a completed checkpoint. */
export interface CheckpointCoordinatorOptions<S, C extends { readonly path: string | null }> {
  readonly settings: CheckpointSettings;
  readonly clock: Clock;
  readonly random: Random;
  /** Number of the first checkpoint: 1, or the one behind the last that this job ever began. */
  readonly firstId: number;
  /**
   * All that acknowledge: those that have ended too, until the last checkpoint. Read at every trigger: a job that was rescaled has others.
   */
  readonly subtasks: readonly SubtaskId[];
  /** For people: `window 2/4`. */
  readonly name: (subtask: SubtaskId) => string;
  /** Whether it can take part now. */
  readonly running: (subtask: SubtaskId) => boolean;
  /** Sends the barrier to all sources. May throw: then the checkpoint fails. */
  readonly trigger: (barrier: CheckpointBarrier) => void;
  /** Writes it down so that a job can go on from it; rejects where that did not work. Must settle: it is not given up meanwhile. */
  readonly complete: (checkpoint: AcknowledgedCheckpoint<S>) => Promise<C>;
  /** To all subtasks: it is complete, and all before it are settled. */
  readonly notifyComplete: (checkpoint: number) => void;
  /** To all subtasks: it will never be complete. */
  readonly notifyAborted: (checkpoint: number, reason: CheckpointFailureReason) => void;
  /** What belongs to no checkpoint any more. Where it takes a while, new checkpoints may have to wait. */
  readonly discard: (states: readonly S[]) => Eventually<void>;
  /** The job must fail: restart it or not. */
  readonly failJob: (error: Error) => void;
  readonly onChange?: (change: CheckpointChange) => void;
}
