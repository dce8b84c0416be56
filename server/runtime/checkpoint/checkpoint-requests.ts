/**
 * Requests for checkpoints that have to wait, and which one may go next (`flink-reference` §4.2.1).
 *
 * Order: savepoints, then forced ones, then what somebody asked for, then by time. At most `MAX_QUEUED` wait, and at most one that comes by
 * itself. **Flink:** lets those pile up while a checkpoint takes long, and then takes them one behind the other.
 */

import type { CheckpointKind } from '#engine/exchange/barrier.ts';

export interface CheckpointRequest<C = unknown> {
  readonly kind: CheckpointKind;
  /** The interval asked for it, not somebody. */
  readonly periodic: boolean;
  /** Goes ahead however many are in progress. */
  readonly forced: boolean;
  /** The last one of a job whose input has ended. */
  readonly final: boolean;
  /** A savepoint that the settings asked for. */
  readonly scheduled: boolean;
  /** Its barriers overtake nothing, whatever the settings say. */
  readonly aligned: boolean;
  /** Savepoints: directory that was asked for; null: the usual one. */
  readonly target: string | null;
  readonly resolve: (completed: C) => void;
  readonly reject: (error: Error) => void;
}

/** A request that nobody waits for. */
export const NOBODY = {
  periodic: false,
  final: false,
  scheduled: false,
  aligned: false,
  target: null,
  resolve: () => {},
  reject: () => {},
};

/** Whoever waits for a checkpoint. */
export interface Deferred<C> {
  readonly promise: Promise<C>;
  readonly resolve: (completed: C) => void;
  readonly reject: (error: Error) => void;
}

export function deferred<C>(): Deferred<C> {
  let resolve!: (completed: C) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<C>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Flink's bound: more than anybody can mean, and little memory. */
export const MAX_QUEUED = 1000;

export interface Occupancy {
  readonly inProgress: number;
  readonly maxConcurrent: number;
  /** Old checkpoints that are being deleted: nothing new while there are more than `maxConcurrent`. */
  readonly cleaning: number;
  /** Time until a periodic one may be triggered, ms; 0 or less: now. */
  readonly pauseMs: number;
}

/** What to do next: trigger one, or put the periodic one off, which has left the queue. */
export type Decision<C> =
  | { readonly type: 'trigger'; readonly request: CheckpointRequest<C> }
  | { readonly type: 'put-off'; readonly ms: number };

export class CheckpointRequests<C = unknown> {
  /** Sorted. */
  #queue: CheckpointRequest<C>[] = [];

  get size(): number {
    return this.#queue.length;
  }

  get hasPeriodic(): boolean {
    return this.#queue.at(-1)?.periodic === true;
  }

  /** Gives the request for which there is no room, which may be the new one. */
  submit(request: CheckpointRequest<C>): CheckpointRequest<C> | null {
    if (request.periodic && this.hasPeriodic) return request;
    const behind = this.#queue.findIndex((other) => rank(other) > rank(request));
    this.#queue.splice(behind === -1 ? this.#queue.length : behind, 0, request);
    if (this.#queue.length <= MAX_QUEUED) return null;
    // The last one comes by itself, or all were asked for: then those that are waiting stay.
    const drop = this.hasPeriodic ? this.#queue.length - 1 : this.#queue.indexOf(request);
    return this.#queue.splice(drop, 1)[0] ?? null;
  }

  /** Takes the next one out, if it may go. */
  next({ inProgress, maxConcurrent, cleaning, pauseMs }: Occupancy): Decision<C> | null {
    const [first] = this.#queue;
    if (first === undefined || cleaning > maxConcurrent) return null;
    if (inProgress >= maxConcurrent && !first.forced) return null;
    this.#queue.shift();
    if (first.periodic && pauseMs > 0) return { type: 'put-off', ms: pauseMs };
    return { type: 'trigger', request: first };
  }

  /** Takes out those that match, all if nothing is said. */
  remove(match: (request: CheckpointRequest<C>) => boolean = () => true): CheckpointRequest<C>[] {
    const out = this.#queue.filter(match);
    this.#queue = this.#queue.filter((request) => !out.includes(request));
    return out;
  }
}

function rank({ kind, forced, periodic }: Pick<CheckpointRequest, 'kind' | 'forced' | 'periodic'>): number {
  return (kind === 'checkpoint' ? 4 : 0) + (forced ? 0 : 2) + (periodic ? 1 : 0);
}
