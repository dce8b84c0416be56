/** A checkpoint between its trigger and its end: who has acknowledged it, and who has not. */

import type { CheckpointBarrier } from '#engine/exchange/barrier.ts';
import type { SubtaskId } from '../task/channels.ts';
import type { CheckpointRequest } from './checkpoint-requests.ts';
import type { AcknowledgedCheckpoint, CheckpointAck } from './coordinator-contract.ts';

export class PendingCheckpoint<S, C> {
  readonly barrier: CheckpointBarrier;
  readonly request: CheckpointRequest<C>;
  /** Which attempt of the job it belongs to. */
  readonly attempt: number;
  /** It is being written down, and is not given up any more. */
  writing = false;
  readonly #expiresAt: number;
  readonly #subtasks: readonly SubtaskId[];
  readonly #acks: (CheckpointAck<S> | null)[];
  #missing: number;

  constructor(
    barrier: CheckpointBarrier,
    request: CheckpointRequest<C>,
    attempt: number,
    expiresAt: number,
    subtasks: readonly SubtaskId[],
  ) {
    this.barrier = barrier;
    this.request = request;
    this.attempt = attempt;
    this.#expiresAt = expiresAt;
    this.#subtasks = subtasks;
    this.#acks = subtasks.map(() => null);
    this.#missing = subtasks.length;
  }

  get id(): number {
    return this.barrier.checkpoint;
  }

  /** All have acknowledged. */
  get complete(): boolean {
    return this.#missing === 0;
  }

  /** On the steady clock, ms; Infinity: it is complete, and does not expire. */
  get expiresAt(): number {
    return this.complete ? Number.POSITIVE_INFINITY : this.#expiresAt;
  }

  /** `unknown`: no such subtask belongs to it. */
  acknowledge(ack: CheckpointAck<S>): 'taken' | 'again' | 'unknown' {
    const { vertex, index } = ack.subtask;
    const place = this.#subtasks.findIndex((id) => id.vertex === vertex && id.index === index);
    if (place === -1) return 'unknown';
    if (this.#acks[place] !== null) return 'again';
    this.#acks[place] = ack;
    this.#missing--;
    return 'taken';
  }

  get missing(): SubtaskId[] {
    return this.#subtasks.filter((_, place) => this.#acks[place] === null);
  }

  get states(): S[] {
    return this.#taken().map((ack) => ack.state);
  }

  /** All subtasks had read their input to the end. */
  get ended(): boolean {
    return this.complete && this.#taken().every((ack) => ack.ended);
  }

  acknowledged(): AcknowledgedCheckpoint<S> {
    const { target, scheduled } = this.request;
    return { barrier: this.barrier, target, scheduled, acks: this.#taken() };
  }

  #taken(): CheckpointAck<S>[] {
    return this.#acks.filter((ack) => ack !== null);
  }
}
