/**
 * Where the barriers of a task's channels come together (`flink-reference` §4.3).
 *
 *   exactly once:   the first barrier blocks its channel ── others go on ──> last barrier: aligned ── snapshot ──> all channels go on
 *   at least once:  the same counting, but no channel is blocked before the last barrier: rows behind others may get into the snapshot, and
 *                   come again
 *
 * A barrier of a later checkpoint gives up the one under way; barriers of checkpoints that are done, given up or aborted are ignored. Channels
 * deliver barriers behind the end of their data, too: a task is there until the last checkpoint is complete.
 */

import type { CheckpointBarrier } from './barrier.ts';

export type CheckpointMode = 'exactly-once' | 'at-least-once';

/** All channels have delivered the barrier. */
export interface Alignment {
  readonly barrier: CheckpointBarrier;
  /** `Clock.nanos()` of the first and of the last barrier. */
  readonly firstAt: number;
  readonly lastAt: number;
}

interface Pending {
  readonly barrier: CheckpointBarrier;
  readonly firstAt: number;
  readonly received: Set<number>;
}

/** Flink tracks as many checkpoints at once where channels are not blocked. */
const MAX_TRACKED = 50;

export class BarrierAligner {
  readonly #mode: CheckpointMode;
  readonly #nanos: () => number;
  readonly #onAligned: () => void;
  readonly #onGivenUp: (checkpoint: number) => void;
  #channels = 0;
  /** By rising checkpoint; one at most where channels are blocked. */
  #pending: Pending[] = [];
  #aligned: Alignment | null = null;
  #blocked = new Uint8Array(0);
  /** Barriers up to this checkpoint are old … */
  #past = 0;
  /** … and so are these, of later ones. */
  readonly #aborted = new Set<number>();

  /** `onGivenUp`: a later barrier came before this checkpoint was aligned; its task has to decline it. */
  constructor(
    mode: CheckpointMode,
    nanos: () => number,
    on: { readonly aligned: () => void; readonly givenUp: (checkpoint: number) => void },
  ) {
    this.#mode = mode;
    this.#nanos = nanos;
    this.#onAligned = on.aligned;
    this.#onGivenUp = on.givenUp;
  }

  /** Number of the first of `count` more channels. */
  addChannels(count: number): number {
    const first = this.#channels;
    this.#channels += count;
    this.#blocked = new Uint8Array(this.#channels);
    return first;
  }

  /** Nothing of this channel may be taken: its barrier has come. */
  blocked(channel: number): boolean {
    return this.#blocked[channel] === 1;
  }

  /** To be snapshot now, before anything else is taken. */
  get aligned(): Alignment | null {
    return this.#aligned;
  }

  /** Checkpoint that waits for more barriers; null: none does. */
  get waiting(): CheckpointBarrier | null {
    return this.#aligned === null ? (this.#pending[0]?.barrier ?? null) : null;
  }

  barrier(channel: number, barrier: CheckpointBarrier): void {
    if (barrier.checkpoint <= this.#past || this.#aborted.has(barrier.checkpoint)) return;
    const pending = this.#pendingOf(barrier);
    if (pending === null) return;
    pending.received.add(channel);
    if (this.#mode === 'exactly-once') this.#blocked[channel] = 1;
    if (pending.received.size < this.#channels) return;
    this.#aligned = { barrier, firstAt: pending.firstAt, lastAt: this.#nanos() };
    // In either mode: what is behind the last barrier waits for the snapshot, so that a task with one channel counts nothing twice.
    this.#blocked.fill(1);
    this.#forget(barrier.checkpoint);
    this.#onAligned();
  }

  /** The snapshot is taken: the channels go on. */
  release(): void {
    this.#aligned = null;
    this.#blocked.fill(0);
  }

  /** That checkpoint will not be: barriers of it that are still to come are ignored. */
  abort(checkpoint: number): void {
    if (checkpoint <= this.#past && this.#aligned?.barrier.checkpoint !== checkpoint) return;
    this.#aborted.add(checkpoint);
    if (this.#aligned?.barrier.checkpoint === checkpoint) this.#aligned = null;
    this.#pending = this.#pending.filter((one) => one.barrier.checkpoint !== checkpoint);
    if (this.#aligned === null) this.#blocked.fill(0);
  }

  #pendingOf(barrier: CheckpointBarrier): Pending | null {
    const known = this.#pending.find((one) => one.barrier.checkpoint === barrier.checkpoint);
    if (known !== undefined) return known;
    if (this.#mode === 'exactly-once') {
      const [current] = this.#pending;
      if (current !== undefined) {
        if (barrier.checkpoint < current.barrier.checkpoint) return null;
        this.#giveUp(current);
      }
    } else if (this.#pending.length === MAX_TRACKED) {
      this.#giveUp(this.#pending[0] as Pending);
    }
    const pending = { barrier, firstAt: this.#nanos(), received: new Set<number>() };
    this.#pending.push(pending);
    return pending;
  }

  #giveUp(pending: Pending): void {
    this.#pending.splice(this.#pending.indexOf(pending), 1);
    this.#past = Math.max(this.#past, pending.barrier.checkpoint);
    if (this.#aligned === null) this.#blocked.fill(0);
    this.#onGivenUp(pending.barrier.checkpoint);
  }

  /** Of this checkpoint and the ones before nothing is waited for any more. */
  #forget(checkpoint: number): void {
    this.#past = checkpoint;
    for (const one of this.#aborted) if (one <= checkpoint) this.#aborted.delete(one);
    const before = this.#pending.filter((one) => one.barrier.checkpoint < checkpoint);
    this.#pending = this.#pending.filter((one) => one.barrier.checkpoint > checkpoint);
    for (const one of before) this.#onGivenUp(one.barrier.checkpoint);
  }
}
