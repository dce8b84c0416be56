/**
 * A subtask's part in checkpoints, beyond the task: its snapshots are written to files while it goes on, and acknowledged when they are safe.
 */

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import type { SubtaskFigures } from '#shared/checkpoints.ts';
import type { OperatorPart, StateWriter } from '../checkpoint/state-writer.ts';
import type { FromTaskManager } from '../messages.ts';
import type { ChainSnapshot, CheckpointLink } from '../task/subtask-checkpoints.ts';
import type { SubtaskId } from '../task/wiring.ts';

export interface SubtaskStatesOptions {
  readonly mode: CheckpointMode;
  readonly writer: StateWriter;
  readonly job: number;
  readonly id: SubtaskId;
  readonly clock: Clock;
  readonly send: (message: FromTaskManager) => void;
}

export class SubtaskStates implements CheckpointLink {
  readonly mode: CheckpointMode;
  readonly #options: SubtaskStatesOptions;
  /** One is written at a time. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SubtaskStatesOptions) {
    this.mode = options.mode;
    this.#options = options;
  }

  take(snapshot: ChainSnapshot): void {
    const began = this.#options.clock.nanos();
    // Asked for now: a state that has to be read is read as of now.
    const parts = Promise.all(
      snapshot.operators.map(async ({ operator, snapshot: state }) => ({ operator, snapshot: await state })),
    );
    // Whether or not somebody is still writing when it fails.
    parts.catch(() => {});
    this.#writing = this.#writing.then(() => this.#write(snapshot, parts, began));
  }

  decline(checkpoint: number): void {
    const { send, job, id } = this.#options;
    send({ type: 'declined', job, id, checkpoint, reason: 'CHECKPOINT_DECLINED_SUBSUMED', message: '' });
  }

  ended(): void {
    const { send, job, id } = this.#options;
    send({ type: 'ended', job, id });
  }

  completed(checkpoint: number): void {
    this.#options.writer.completed(checkpoint);
  }

  aborted(checkpoint: number): void {
    this.#options.writer.aborted(checkpoint);
  }

  async #write(snapshot: ChainSnapshot, parts: Promise<readonly OperatorPart[]>, began: number): Promise<void> {
    const { writer, send, clock, job, id } = this.#options;
    const { checkpoint, kind } = snapshot.barrier;
    try {
      const state = await writer.write({ checkpoint, kind }, await parts);
      const figures: SubtaskFigures = {
        bytes: state.file.bytes,
        fullBytes: state.full,
        processedBytes: 0,
        persistedBytes: 0,
        startDelayMs: snapshot.startDelayMs,
        alignmentMs: snapshot.alignmentMs,
        syncMs: snapshot.syncMs,
        asyncMs: (clock.nanos() - began) / 1e6,
        unaligned: false,
      };
      send({ type: 'acknowledged', job, id, checkpoint, state, figures, ended: snapshot.ended });
    } catch (error) {
      const reason = 'CHECKPOINT_ASYNC_EXCEPTION';
      send({ type: 'declined', job, id, checkpoint, reason, message: messageOf(error) });
    }
  }
}
