/**
 * A subtask's part in checkpoints, beyond the task: its snapshots are written to files while it goes on, and acknowledged when they are safe.
 */

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import { giveUp } from '#engine/state/keyed-blocks.ts';
import type { SubtaskFigures } from '#shared/checkpoints.ts';
import type { StateWriter } from '../checkpoint/state-writer.ts';
import type { FromTaskManager } from '../messages.ts';
import type { SubtaskId } from '../task/channels.ts';
import { Abandoned, type ChainSnapshot, type CheckpointLink } from '../task/subtask-checkpoints.ts';

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
  /** Checkpoints whose state is on its way to the disk. */
  readonly #wanted = new Set<number>();
  /** One is written at a time. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SubtaskStatesOptions) {
    this.mode = options.mode;
    this.#options = options;
  }

  take(snapshot: ChainSnapshot): void {
    const began = this.#options.clock.nanos();
    // Nobody may be waiting yet when state that has to be read fails.
    for (const { snapshot: state } of snapshot.operators) if (state instanceof Promise) state.catch(() => {});
    this.#wanted.add(snapshot.barrier.checkpoint);
    this.#writing = this.#writing.then(() => this.#write(snapshot, began));
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
    this.#wanted.delete(checkpoint);
    this.#options.writer.aborted(checkpoint);
  }

  /** The job is gone: nothing that is not written yet will be. */
  close(): void {
    this.#wanted.clear();
  }

  async #write(snapshot: ChainSnapshot, began: number): Promise<void> {
    const { writer, send, clock, job, id } = this.#options;
    const { checkpoint, kind } = snapshot.barrier;
    try {
      if (!this.#wanted.has(checkpoint)) throw UNWANTED;
      const [head, ...others] = snapshot.operators;
      const parts = head === undefined ? [] : [{ ...head, besides: snapshot.inFlight }, ...others];
      const state = await writer.write({ checkpoint, kind }, parts, async () => {
        await writer.pause();
        if (!this.#wanted.has(checkpoint)) throw UNWANTED;
      });
      const alignment = await snapshot.alignment;
      const figures: SubtaskFigures = {
        bytes: state.file.bytes,
        fullBytes: state.full,
        startDelayMs: snapshot.startDelayMs,
        ...alignment,
        syncMs: snapshot.syncMs,
        asyncMs: (clock.nanos() - began) / 1e6,
      };
      const { rows, ended } = snapshot;
      send({ type: 'acknowledged', job, id, checkpoint, state, figures, rows, ended });
    } catch (error) {
      // Whoever abandoned it has said so.
      if (error === UNWANTED || error instanceof Abandoned) return;
      const reason = 'CHECKPOINT_ASYNC_EXCEPTION';
      send({ type: 'declined', job, id, checkpoint, reason, message: messageOf(error) });
    } finally {
      this.#wanted.delete(checkpoint);
      for (const { snapshot: state } of snapshot.operators) {
        if (state instanceof Promise) state.then(({ keyed }) => giveUp(keyed)).catch(() => {});
        else giveUp(state.keyed);
      }
    }
  }
}

/** Its checkpoint was aborted meanwhile, or its job is gone. */
const UNWANTED = Symbol('unwanted');
