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
import { type RecordList, ReusedViews } from '#engine/state/record-list.ts';
import type { RecordStore, StoreEntry, StoreView } from '#engine/state/record-store.ts';

/** LevelDB's own memory, bytes: blocks it has read, … */
const BLOCK_CACHE_BYTES = 8 << 20;
/** … and what it has not written to files yet, twice while it writes some: little, because finding and adding something there costs the more the more it is. */
const WRITE_BUFFER_BYTES = 2 << 20;
/** What waits in front of LevelDB, bytes: found by id, so that it can be much. */
const BUFFER_BYTES = 12 << 20;
/**
 * Files of so many bytes in all, which have just been written, lie in the system's memory: looking something up there costs less than handing
 * the question to a thread, and its answer back.
 */
const IN_MEMORY_BYTES = 64 << 20;
/** What a view has read ahead, bytes. */
const VIEW_BYTES = 256 << 10;
/** All keys lie between these: they begin with a key group. */
const FIRST = new Uint8Array(0);
const LAST = Uint8Array.of(0xff);

/** What LevelDB can do beyond what `level` declares for browsers too. */
interface Sized {
  approximateSize(start: Uint8Array, end: Uint8Array): Promise<number>;
}
const SizedLevel = Level as unknown as new (
  ...args: ConstructorParameters<typeof Level<Uint8Array, Uint8Array>>
) => Level<Uint8Array, Uint8Array> & Sized;

/** `directory`: where each store makes a directory of its own, and removes it. */
export function levelBackend(directory: string): StateBackendFactory {
  return (options) =>
    new CachedBackend({
      ...options,
      store: new LevelStore(directory, options.operator, options.fail),
      bufferBytes: BUFFER_BYTES,
    });
}

export class LevelStore implements RecordStore {
  readonly #directory: string;
  readonly #db: Level<Uint8Array, Uint8Array> & Sized;
  readonly #operator: string;
  readonly #fail: (error: Error) => void;
  #closed = false;
  /** Keys and records for calls that copy them. */
  readonly #keyViews = new ReusedViews();
  readonly #recordViews = new ReusedViews();
  /** Settled when the last write is: each goes to LevelDB behind the one before it, or its threads would do them in any order. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** Of its files when they were last looked at. */
  #bytes = 0;
  /** Written since then. */
  #unmeasured = 0;
  #measuring = false;

  readonly #inMemoryBytes: number;

  /** `fail` is told when the disk does not do what it should. */
  constructor(
    directory: string,
    operator: string,
    fail: (error: Error) => void,
    inMemoryBytes: number = IN_MEMORY_BYTES,
  ) {
    this.#inMemoryBytes = inMemoryBytes;
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
    this.#db = new SizedLevel(this.#directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: BLOCK_CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
    });
  }

  /** Of a small store at once. */
  getMany(keys: RecordList, done: (records: readonly (Uint8Array | undefined)[]) => void): void {
    if (this.bytes <= this.#inMemoryBytes && this.#db.status === 'open') {
      const found = this.#look(keys);
      if (found !== null) done(found);
      return;
    }
    const asked: Uint8Array[] = [];
    for (let i = 0; i < keys.count; i++) asked.push(keys.keyOf(i));
    this.#ask(this.#db.getMany(asked), 'read', done);
  }

  /** Null: the job has failed. */
  #look(keys: RecordList): (Uint8Array | undefined)[] | null {
    const found: (Uint8Array | undefined)[] = [];
    try {
      for (let i = 0; i < keys.count; i++) found.push(this.#db.getSync(keys.keyOf(i, this.#keyViews)));
    } catch (error) {
      this.#failed(error, 'read');
      return null;
    }
    return found;
  }

  write(changes: RecordList, some: Int32Array | null, done: () => void): void {
    const entries = some ?? changes.entries();
    const write = (): Promise<void> =>
      this.#db.status === 'open' ? this.#fill(changes, entries).write() : this.#later(changes, entries);
    // Behind one that failed it may be done or not: the job has failed.
    const written = this.#lastWrite.then(write, write);
    this.#lastWrite = written;
    this.#ask(written, 'written', () => {
      this.#measure(entries.reduce((bytes, entry) => bytes + changes.bytesOf(entry), 0));
      done();
    });
  }

  /** A batch that takes its operations one by one: a quarter of the time of one that takes them all. */
  #fill(changes: RecordList, entries: Int32Array) {
    const batch = this.#db.batch();
    for (const entry of entries) {
      const key = changes.keyOf(entry, this.#keyViews);
      const record = changes.recordOf(entry, this.#recordViews);
      if (record === null) batch.del(key);
      else batch.put(key, record);
    }
    return batch;
  }

  /** … which there is only once it is open. */
  #later(changes: RecordList, entries: Int32Array): Promise<void> {
    return this.#db.batch(
      Array.from(entries, (entry) => {
        const key = changes.keyOf(entry);
        const value = changes.recordOf(entry);
        return value === null ? { type: 'del' as const, key } : { type: 'put' as const, key, value };
      }),
    );
  }

  scan(after: Uint8Array | null, limit: number, done: (entries: readonly StoreEntry[]) => void): void {
    const entries = this.#db.iterator({ ...(after === null ? {} : { gt: after }), limit }).all();
    this.#ask(entries, 'read', done);
  }

  view(): StoreView {
    // Before it is open there is nothing in it.
    const snapshot = this.#db.status === 'open' ? this.#db.snapshot() : null;
    // `highWaterMarkBytes` is an option of LevelDB's that `level` does not declare.
    const options = { snapshot, highWaterMarkBytes: VIEW_BYTES };
    const iterator = snapshot === null ? null : this.#db.iterator(options as { snapshot: typeof snapshot });
    let closed: Promise<void> | null = null;
    const close = (): Promise<void> => {
      closed ??= (async () => {
        await iterator?.close();
        await snapshot?.close();
      })();
      return closed;
    };
    return {
      next: async (limit) => {
        if (iterator === null) return [];
        const entries = await iterator.nextv(limit);
        if (entries.length === 0) await close();
        return entries;
      },
      close: () => void close(),
    };
  }

  /** Files as LevelDB has them (compressed; what is out of date counts until it is compacted), and what it has not written to files yet. */
  get bytes(): number {
    return this.#bytes + this.#unmeasured;
  }

  /** Asks LevelDB how large its files are, each time it may have written one. */
  #measure(bytes: number): void {
    this.#unmeasured += bytes;
    if (this.#unmeasured < WRITE_BUFFER_BYTES || this.#measuring) return;
    this.#measuring = true;
    const before = this.#unmeasured;
    this.#ask(this.#db.approximateSize(FIRST, LAST), 'read', (size) => {
      this.#measuring = false;
      this.#bytes = size;
      this.#unmeasured -= before;
    });
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
      (error: unknown) => this.#failed(error, what),
    );
  }

  #failed(error: unknown, what: 'read' | 'written'): void {
    if (this.#closed) return;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    this.#fail(
      new WeirError(
        'STATE_STORE',
        `${this.#operator}: state could not be ${what} in ${this.#directory}: ${messageOf(cause)}. Is the disk full, or has somebody removed the directory?`,
        { cause: error },
      ),
    );
  }
}
