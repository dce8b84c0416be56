/**
 * What takes a while: begun by one request, asked for by others, as in Flink's REST API. Bounded: the oldest that have ended are forgotten.
 */

import { randomBytes } from 'node:crypto';
import { messageOf } from '#base/errors.ts';

export type OperationState =
  | { readonly status: 'IN_PROGRESS' }
  | { readonly status: 'COMPLETED'; readonly result: Readonly<Record<string, unknown>> }
  | { readonly status: 'FAILED'; readonly error: string };

const REMEMBERED = 200;

export class Operations {
  readonly #operations = new Map<string, OperationState>();

  /** Gives the id to ask with: the one that was wished for, if it is one and is free. */
  begin(work: Promise<Readonly<Record<string, unknown>>>, wanted: unknown): string {
    const id = typeof wanted === 'string' && isHexId(wanted) && !this.#operations.has(wanted) ? wanted : newHexId();
    this.#operations.set(id, { status: 'IN_PROGRESS' });
    work.then(
      (result) => this.#operations.set(id, { status: 'COMPLETED', result }),
      (error: unknown) => this.#operations.set(id, { status: 'FAILED', error: messageOf(error) }),
    );
    for (const [known, { status }] of this.#operations) {
      if (this.#operations.size <= REMEMBERED) break;
      if (status !== 'IN_PROGRESS') this.#operations.delete(known);
    }
    return id;
  }

  get(id: string): OperationState | null {
    return this.#operations.get(id) ?? null;
  }
}

/** Ids of jobs and of what is begun: 32 hex digits. */
export function newHexId(): string {
  return randomBytes(16).toString('hex');
}

export function isHexId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}
