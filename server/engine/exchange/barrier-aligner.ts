/**
 * Where the barriers of a task's channels come together (`flink-reference` §4.3).
 *
 *   exactly once:   the first barrier blocks its channel ── others go on ──> last barrier: aligned ── snapshot ──> all channels go on
 *   at least once:  the same counting, but no channel is blocked before the last barrier: rows behind others may get into the snapshot, and
 *                   come again
 *   overtaking:     the first barrier that may overtake rows ── snapshot at once ──> no channel is blocked; what each of the others delivers
 *                   until its barrier is kept for the checkpoint ──> last barrier: complete
 *
 * A barrier of a later checkpoint gives up the one under way; barriers of checkpoints that are done, given up or aborted are ignored. Channels
 * deliver barriers behind the end of their data, too: a task is there until the last checkpoint is complete.
 */

import { type CheckpointBarrier, overtakesAt } from './barrier.ts';

export type CheckpointMode = 'exactly-once' | 'at-least-once';

/** All channels have delivered the barrier. */
export interface Alignment {
  readonly barrier: CheckpointBarrier;
  /** `Clock.nanos()` of the first and of the last barrier. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Bytes of rows that were worked on between the two. */
  readonly processedBytes: number;
}

/** The channels of one gate, numbered from 0, where barriers overtake rows. */
export interface OvertakenChannels {
  /** Keeps what came before the barrier and was not delivered: the barrier is known to come. */
  capture(channel: number): void;
  /** Keeps that and all that is delivered from now on: the barrier is still to come … */
  record(channel: number): void;
  /** … and has come. */
  stop(channel: number): void;
  /** The checkpoint will not be: what was kept for it is of no use. */
  drop(): void;
}

interface Pending {
  readonly barrier: CheckpointBarrier;
  readonly firstAt: number;
  readonly received: Set<number>;
  /** Of those that have not been received: the barrier is behind rows that can be read. */
  readonly announced: Set<number>;
  /** The snapshot is taken already. */
  overtaken: boolean;
  processedBytes: number;
}

/** Flink tracks as many checkpoints at once where channels are not blocked. */
const MAX_TRACKED = 50;

export class BarrierAligner {
  readonly #mode: CheckpointMode;
  readonly #nanos: () => number;
  readonly #onAligned: () => void;
  readonly #onOvertaken: (alignment: Alignment) => void;
  readonly #onGivenUp: (checkpoint: number) => void;
  #channels = 0;
  readonly #gates: { readonly first: number; readonly channels: OvertakenChannels | null }[] = [];
  /** By rising checkpoint; one at most where channels are blocked. */
  #pending: Pending[] = [];
  #aligned: Alignment | null = null;
  #blocked = new Uint8Array(0);
  /** Barriers up to this checkpoint are old … */
  #past = 0;
  /** … and so are these, of later ones. */
  readonly #aborted = new Set<number>();

  /**
   * `givenUp`: a later barrier came before this checkpoint was aligned; its task has to decline it. `overtaken`: the last barrier has come of a
   * checkpoint whose snapshot was taken with `overtake`.
   */
  constructor(
    mode: CheckpointMode,
    nanos: () => number,
    on: {
      readonly aligned: () => void;
      readonly overtaken?: (alignment: Alignment) => void;
      readonly givenUp: (checkpoint: number) => void;
    },
  ) {
    this.#mode = mode;
    this.#nanos = nanos;
    this.#onAligned = on.aligned;
    this.#onOvertaken = on.overtaken ?? (() => {});
    this.#onGivenUp = on.givenUp;
  }

  /** Number of the first of `count` more channels. */
  addChannels(count: number, channels: OvertakenChannels | null = null): number {
    const first = this.#channels;
    this.#channels += count;
    this.#gates.push({ first, channels });
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

  /** Checkpoint whose snapshot is still to be taken, aligned or not. */
  get untaken(): CheckpointBarrier | null {
    const [pending] = this.#pending;
    return this.#aligned?.barrier ?? (pending?.overtaken === false ? pending.barrier : null);
  }

  /** `Clock.nanos()` of its first barrier. */
  get firstAt(): number {
    return this.#aligned?.firstAt ?? this.#pending[0]?.firstAt ?? this.#nanos();
  }

  /** Processing time from which the snapshot is to be taken even if it is not aligned; Infinity: there is none, or it has to be. */
  get overtakesAt(): number {
    const { untaken } = this;
    return untaken === null ? Number.POSITIVE_INFINITY : overtakesAt(untaken);
  }

  /** The barrier has come to where the channel ends on this side, behind rows that have not been delivered. */
  announce(channel: number, barrier: CheckpointBarrier): void {
    const pending = this.#current(barrier);
    if (pending === null || pending.received.has(channel)) return;
    if (pending.overtaken) {
      this.#of(channel, (channels, own) => channels.capture(own));
      this.#receive(pending, channel);
    } else pending.announced.add(channel);
  }

  barrier(channel: number, barrier: CheckpointBarrier): void {
    const pending = this.#current(barrier);
    if (pending === null || pending.received.has(channel)) return;
    if (pending.overtaken) {
      this.#of(channel, (channels, own) => channels.stop(own));
      this.#receive(pending, channel);
      return;
    }
    if (this.#mode === 'exactly-once') this.#blocked[channel] = 1;
    this.#receive(pending, channel);
  }

  /** So many bytes of rows have been delivered. */
  processed(bytes: number): void {
    const [pending] = this.#pending;
    if (pending !== undefined) pending.processedBytes += bytes;
  }

  /** The snapshot is taken: the channels go on. */
  release(): void {
    this.#aligned = null;
    this.#blocked.fill(0);
  }

  /** The snapshot of the `untaken` checkpoint, which is not aligned, is taken now. */
  overtake(): void {
    const pending = this.#pending[0] as Pending;
    pending.overtaken = true;
    this.#blocked.fill(0);
    for (let channel = 0; channel < this.#channels; channel++) {
      if (pending.received.has(channel)) continue;
      if (pending.announced.has(channel)) {
        this.#of(channel, (channels, own) => channels.capture(own));
        this.#receive(pending, channel);
      } else this.#of(channel, (channels, own) => channels.record(own));
    }
  }

  /** That checkpoint will not be: barriers of it that are still to come are ignored. */
  abort(checkpoint: number): void {
    if (checkpoint <= this.#past && this.#aligned?.barrier.checkpoint !== checkpoint) return;
    this.#aborted.add(checkpoint);
    if (this.#aligned?.barrier.checkpoint === checkpoint) this.#aligned = null;
    for (const one of this.#pending) if (one.barrier.checkpoint === checkpoint) this.#stopRecording(one);
    this.#pending = this.#pending.filter((one) => one.barrier.checkpoint !== checkpoint);
    if (this.#aligned === null) this.#blocked.fill(0);
  }

  #receive(pending: Pending, channel: number): void {
    pending.received.add(channel);
    if (pending.received.size < this.#channels) return;
    const { barrier, firstAt, overtaken, processedBytes } = pending;
    const alignment = { barrier, firstAt, lastAt: this.#nanos(), processedBytes };
    if (overtaken) {
      this.#forget(barrier.checkpoint);
      this.#onOvertaken(alignment);
      return;
    }
    this.#aligned = alignment;
    // In either mode: what is behind the last barrier waits for the snapshot, so that a task with one channel counts nothing twice.
    this.#blocked.fill(1);
    this.#forget(barrier.checkpoint);
    this.#onAligned();
  }

  #of(channel: number, act: (channels: OvertakenChannels, own: number) => void): void {
    const gate = this.#gates.findLast(({ first }) => first <= channel);
    if (gate?.channels) act(gate.channels, channel - gate.first);
  }

  #stopRecording({ overtaken, received }: Pending): void {
    if (!overtaken) return;
    for (let channel = 0; channel < this.#channels; channel++)
      if (!received.has(channel)) this.#of(channel, (channels, own) => channels.stop(own));
    for (const { channels } of this.#gates) channels?.drop();
  }

  /** What is known of the checkpoint of a barrier; null: it is old. */
  #current(barrier: CheckpointBarrier): Pending | null {
    if (barrier.checkpoint <= this.#past || this.#aborted.has(barrier.checkpoint)) return null;
    return this.#pendingOf(barrier);
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
    const pending: Pending = {
      barrier,
      firstAt: this.#nanos(),
      received: new Set(),
      announced: new Set(),
      overtaken: false,
      processedBytes: 0,
    };
    this.#pending.push(pending);
    return pending;
  }

  #giveUp(pending: Pending): void {
    this.#stopRecording(pending);
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
