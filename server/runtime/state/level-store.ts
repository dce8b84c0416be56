/**
 * Records of keys in a LevelDB, one per operator and subtask, in files that live as long as the job's attempt: what outlives it is a
 * snapshot's business, never that of these files.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Level } from 'level';
import { messageOf, WeirError } from '#base/errors.ts';
import { CachedBackend } from '#engine/state/cached-backend.ts';
import type { StateBackendFactory } from '#engine/state/keyed-state.ts';
import type { RecordStore, StoreEntry, StoreView } from '#engine/state/record-store.ts';

/** LevelDB's own memory, bytes: blocks it has read, and what it has not written to files yet. */
const BLOCK_CACHE_BYTES = 8 << 20;
const WRITE_BUFFER_BYTES = 8 << 20;
/** Entries that a look at everything takes at a time. */
const CHUNK = 1000;

/** `directory`: where each store makes a directory of its own, and removes it. */
export function levelBackend(directory: string): StateBackendFactory {
  return (options) =>
    new CachedBackend({ ...options, store: new LevelStore(directory, options.operator, options.fail) });
}

export class LevelStore implements RecordStore {
  readonly #directory: string;
  readonly #db: Level<Uint8Array, Uint8Array>;
  readonly #operator: string;
  readonly #fail: (error: Error) => void;
  #closed = false;

  /** `fail` is told when the disk does not do what it should. */
  constructor(directory: string, operator: string, fail: (error: Error) => void) {
    this.#operator = operator;
    this.#fail = fail;
    try {
      mkdirSync(directory, { recursive: true });
      this.#directory = mkdtempSync(join(directory, 'state-'));
    } catch (error) {
      throw new WeirError('STATE_STORE', `${operator}: state could not be kept in ${directory}: ${messageOf(error)}.`, {
        cause: error,
      });
    }
    // Opens by itself; what is asked before waits.
    this.#db = new Level<Uint8Array, Uint8Array>(this.#directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: BLOCK_CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
    });
  }

  getMany(keys: readonly Uint8Array[], done: (records: readonly (Uint8Array | undefined)[]) => void): void {
    this.#ask(this.#db.getMany([...keys]), 'read', done);
  }

  write(changes: readonly (readonly [key: Uint8Array, record: Uint8Array | null])[], done: () => void): void {
    const batch = changes.map(([key, value]) =>
      value === null ? { type: 'del' as const, key } : { type: 'put' as const, key, value },
    );
    this.#ask(this.#db.batch(batch), 'written', done);
  }

  scan(after: Uint8Array | null, limit: number, done: (entries: readonly StoreEntry[]) => void): void {
    const entries = this.#db.iterator({ ...(after === null ? {} : { gt: after }), limit }).all();
    this.#ask(entries, 'read', done);
  }

  view(): StoreView {
    // Before it is open there is nothing in it.
    const snapshot = this.#db.status === 'open' ? this.#db.snapshot() : null;
    return {
      readAll: async (each) => {
        if (snapshot === null) return;
        const iterator = this.#db.iterator({ snapshot });
        try {
          for (;;) {
            const entries = await iterator.nextv(CHUNK);
            if (entries.length === 0) return;
            for (const entry of entries) each(entry);
          }
        } finally {
          await iterator.close();
          await snapshot.close();
        }
      },
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const remove = (): void => rmSync(this.#directory, { recursive: true, force: true });
    this.#db.close().then(remove, remove);
  }

  #ask<T>(answer: Promise<T>, what: 'read' | 'written', done: (value: T) => void): void {
    answer.then(
      (value) => {
        if (!this.#closed) done(value);
      },
      (error: unknown) => {
        if (this.#closed) return;
        const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
        this.#fail(
          new WeirError(
            'STATE_STORE',
            `${this.#operator}: state could not be ${what} in ${this.#directory}: ${messageOf(cause)}. Is the disk full, or has somebody removed the directory?`,
            { cause: error },
          ),
        );
      },
    );
  }
}
