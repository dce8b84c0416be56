/**
 * Keyed state that exceeds memory: records of keys in a store, those in use in a write-back cache.
 *
 *   prepare(keys of a batch) ── all in the cache? ──> rows ──> release
 *            │ no: evict, load what is missing with one read          │
 *            └──> false, later `wake` ────────────────────────────────┘ records that changed stay, and are written when they are evicted
 *
 * The cache is `KeyRecords`, as on the heap, by dense id; ids of keys that are not in it are held by nobody, so that sweeps of the keys'
 * dictionary bound them too. Eviction goes round like the hand of a clock and passes over what was used since its last round.
 *
 * Bounds: the cache holds `cacheBytes` and what one batch needs; writes under way at most `WRITES_UNDER_WAY`, then nothing is prepared.
 *
 * Time to live: expired entries go when a record is read, when it is written back, and when the sweeper passes by, which looks at some records
 * of the store for each that is written. All are counted.
 */

import type { StateDescriptor } from './descriptors.ts';
import { readGroup, writeEntry } from './group-bytes.ts';
import { KeyRecords } from './key-records.ts';
import type { KeyedState, KeyedStateBackend, StateBackendOptions, StateScope } from './keyed-state.ts';
import type { RecordStore } from './record-store.ts';
import type { StateKeys } from './state-keys.ts';
import { readStoreKey, storeKey } from './store-key.ts';
import { ByteWriter } from './value-codec.ts';

/** What a cached record takes beside its bytes: objects, table places, its id and key. A guess on the high side. */
const RECORD_OVERHEAD = 200;
/** Size of a record that has never been written. */
const NEW_RECORD_BYTES = 64;
/** An eviction makes this share of the cache free, so that writes come in batches. */
const EVICTED_SHARE = 1 / 16;
/** Records. */
const WRITES_UNDER_WAY = 100_000;
/** Records that the sweeper looks at in one go. */
const SWEEP = 1024;
/** … and how many for each one written. */
const SWEPT_PER_WRITE = 2;

export interface CachedBackendOptions extends StateBackendOptions {
  readonly store: RecordStore;
}

/** A record for the store; null: it goes. */
interface Change {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly record: Uint8Array | null;
}

/** What the cache knows of an id. */
const Place = { ABSENT: 0, LOADING: 1, PRESENT: 2 } as const;

export class CachedBackend implements KeyedStateBackend {
  readonly #options: CachedBackendOptions;
  readonly #store: RecordStore;
  readonly #keys: StateKeys;
  readonly #records: KeyRecords;
  readonly #writer = new ByteWriter();
  /** By id. */
  #place = new Uint8Array(0);
  #used = new Uint8Array(0);
  /** Bytes that the record is taken to need; by id. */
  #sizes = new Float64Array(0);
  /** `#pin` of those that the current batch needs; by id. */
  #pinned = new Float64Array(0);
  #pin = 1;
  #cached = 0;
  #hand = 0;
  #loading = 0;
  /** Records written that the store may not know yet, by key. */
  readonly #underWay = new Map<string, Change>();
  #sweptTo: Uint8Array | null = null;
  #sweepOwed = 0;
  #sweeping = false;
  /** Snapshots that wait for the store: nothing may be written. */
  #frozen = 0;
  readonly #onWritten = new Set<() => void>();
  #closed = false;

  constructor(options: CachedBackendOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#keys = options.keys;
    this.#records = new KeyRecords(options);
    this.#keys.hold((mark) => this.hold(mark));
  }

  get scope(): StateScope {
    return this.#records.scope;
  }

  get cleansEveryRecord(): boolean {
    return this.#records.cleansEveryRecord;
  }

  get bytes(): number {
    return Math.round(this.#cached);
  }

  state<S extends KeyedState>(descriptor: StateDescriptor<S>): S {
    return this.#records.state(descriptor);
  }

  prepare(ids: Int32Array, rows: Int32Array | null, count: number): boolean {
    this.#reserve();
    const place = this.#place;
    const missing: number[] = [];
    let absent = false;
    for (let i = 0; i < count; i++) {
      const id = ids[rows === null ? i : (rows[i] as number)] as number;
      this.#pinned[id] = this.#pin;
      if (place[id] === Place.PRESENT) {
        this.#used[id] = 1;
        continue;
      }
      absent = true;
      if (place[id] === Place.LOADING) continue;
      place[id] = Place.LOADING;
      missing.push(id);
    }
    if (missing.length > 0) this.#load(missing);
    return !absent || !this.loading;
  }

  get loading(): boolean {
    return this.#loading > 0 || this.#underWay.size >= WRITES_UNDER_WAY;
  }

  prepared(id: number): boolean {
    return this.#place[id] === Place.PRESENT;
  }

  release(): void {
    this.#pin++;
    if (this.#cached > this.#options.cacheBytes && this.#frozen === 0) this.#evict();
  }

  afterRecord(): void {
    this.#records.visit();
  }

  mergeNamespaces(descriptor: StateDescriptor, target: string, sources: readonly string[]): void {
    this.#records.mergeNamespaces(descriptor, target, sources);
  }

  clearNamespace(): void {
    this.#records.clearNamespace();
  }

  /** What has changed is written first, then everything is read as it is at this moment. */
  async allKeys(): Promise<readonly string[]> {
    const keys = new Set<string>();
    for (let id = 0; id < this.#place.length; id++) {
      if (this.#place[id] === Place.PRESENT) keys.add(this.#keys.textOf(id));
    }
    for (const key of this.#underWay.keys()) keys.add(key);
    await this.#store.view().readAll(([bytes]) => keys.add(readStoreKey(bytes).key));
    return [...keys];
  }

  stored(descriptor: StateDescriptor): boolean {
    return this.#records.stored(descriptor);
  }

  async snapshot(): Promise<Map<number, Uint8Array>> {
    this.#writeBack((id) => this.#place[id] === Place.PRESENT && this.#records.scope.changed[id] === 1);
    // Rows may go on meanwhile; what they change stays in the cache until the store has been looked at.
    this.#frozen++;
    await this.#written();
    const view = this.#store.view();
    this.#frozen--;
    const groups = new Map<number, ByteWriter>();
    await view.readAll(([bytes, record]) => {
      const young = this.#records.forSnapshot(record);
      if (young === null) return;
      const { group, key } = readStoreKey(bytes);
      let out = groups.get(group);
      if (out === undefined) {
        out = new ByteWriter();
        this.#records.writeHeader(out);
        groups.set(group, out);
      }
      writeEntry(out, key, young);
    });
    return new Map([...groups].map(([group, out]) => [group, out.take()]));
  }

  restore(groups: Iterable<readonly [group: number, bytes: Uint8Array]>): void {
    for (const [group, bytes] of groups) {
      const changes: Change[] = [];
      readGroup(this.#records, bytes, (key, record, states) => {
        changes.push({ key, bytes: storeKey(group, key), record: this.#records.renewed(record, states) });
      });
      this.#write(changes);
    }
  }

  hold(mark: (id: number) => void): void {
    for (let id = 0; id < this.#place.length; id++) if (this.#place[id] !== Place.ABSENT) mark(id);
  }

  close(): void {
    this.#closed = true;
    this.#store.close();
  }

  #reserve(): void {
    this.#records.reserve();
    const { capacity } = this.#keys;
    if (capacity <= this.#place.length) return;
    const grown = Math.max(1024, capacity, Math.ceil(this.#place.length * 1.5));
    const copy = <T extends Uint8Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#place = copy(this.#place, new Uint8Array(grown));
    this.#used = copy(this.#used, new Uint8Array(grown));
    this.#sizes = copy(this.#sizes, new Float64Array(grown));
    this.#pinned = copy(this.#pinned, new Float64Array(grown));
  }

  /** One read for all of them; what is under way to the store is taken from there. */
  #load(ids: readonly number[]): void {
    const asked: number[] = [];
    const keys: Uint8Array[] = [];
    for (const id of ids) {
      const written = this.#underWay.get(this.#keys.textOf(id));
      if (written !== undefined) {
        this.#arrived(id, written.record);
        continue;
      }
      asked.push(id);
      keys.push(this.#storeKey(id));
    }
    if (asked.length === 0) return;
    this.#loading++;
    this.#store.getMany(keys, (records) => {
      if (this.#closed) return;
      for (const [i, id] of asked.entries()) this.#arrived(id, records[i] ?? null);
      this.#loading--;
      this.#options.wake();
    });
  }

  #arrived(id: number, record: Uint8Array | null): void {
    if (record !== null) this.#records.readRecord(id, record, this.#records.states);
    this.#place[id] = Place.PRESENT;
    this.#used[id] = 1;
    this.#sizes[id] = RECORD_OVERHEAD + (record?.length ?? NEW_RECORD_BYTES);
    this.#cached += this.#sizes[id] as number;
  }

  /** Makes room: writes back what has changed, and forgets. */
  #evict(): void {
    const goal = this.#options.cacheBytes * (1 - EVICTED_SHARE);
    const evicted = new Set<number>();
    const ids = this.#place.length;
    let left = this.#cached;
    for (let looked = 0; left > goal && looked < 2 * ids; looked++) {
      const id = this.#hand;
      this.#hand = id + 1 === ids ? 0 : id + 1;
      if (this.#place[id] !== Place.PRESENT || this.#pinned[id] === this.#pin || evicted.has(id)) continue;
      if (this.#used[id] === 1) {
        this.#used[id] = 0;
        continue;
      }
      evicted.add(id);
      left -= this.#sizes[id] as number;
    }
    this.#writeBack((id) => this.#records.scope.changed[id] === 1, evicted);
    for (const id of evicted) {
      this.#records.drop(id);
      this.#place[id] = Place.ABSENT;
      this.#cached -= this.#sizes[id] as number;
    }
  }

  /** Writes the records of these ids (all, if not given) that `which` names. */
  #writeBack(which: (id: number) => boolean, ids: Iterable<number> = this.#place.keys()): void {
    const changes: Change[] = [];
    const { changed } = this.#records.scope;
    for (const id of ids) {
      if (!which(id)) continue;
      this.#records.compact(id);
      const out = this.#writer;
      out.length = 0;
      this.#records.writeRecord(id, out);
      const record = out.length === 0 ? null : out.written().slice();
      changes.push({ key: this.#keys.textOf(id), bytes: this.#storeKey(id), record });
      changed[id] = 0;
      const size = RECORD_OVERHEAD + out.length;
      this.#cached += size - (this.#sizes[id] as number);
      this.#sizes[id] = size;
    }
    this.#write(changes);
  }

  #write(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const change of changes) this.#underWay.set(change.key, change);
    this.#store.write(
      changes.map(({ bytes, record }) => [bytes, record]),
      () => {
        // One that was written again meanwhile is still under way.
        for (const change of changes) {
          if (this.#underWay.get(change.key) === change) this.#underWay.delete(change.key);
        }
        for (const look of this.#onWritten) look();
        if (!this.#closed) this.#options.wake();
      },
    );
    this.#sweepOwed += changes.length * SWEPT_PER_WRITE;
    this.#sweep();
  }

  /** Looks at the next records of the store for entries that have expired. */
  #sweep(): void {
    if (this.#frozen > 0 || this.#sweeping || this.#sweepOwed < SWEEP || !this.#records.compacts) return;
    this.#sweeping = true;
    this.#sweepOwed -= SWEEP;
    this.#store.scan(this.#sweptTo, SWEEP, (entries) => {
      this.#sweeping = false;
      if (this.#closed) return;
      this.#sweptTo = entries.length < SWEEP ? null : (entries.at(-1)?.[0] ?? null);
      const changes: Change[] = [];
      for (const [bytes, record] of entries) {
        const { key } = readStoreKey(bytes);
        const id = this.#keys.find(key);
        // What is in the cache, or on its way to the store, is newer than this.
        if ((id >= 0 && this.#place[id] !== Place.ABSENT) || this.#underWay.has(key)) continue;
        const young = this.#records.compacted(record);
        if (young !== record) changes.push({ key, bytes, record: young });
      }
      this.#write(changes);
    });
  }

  /** Once everything is in the store. */
  #written(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#underWay.size > 0) return;
        this.#onWritten.delete(look);
        resolve();
      };
      this.#onWritten.add(look);
      look();
    });
  }

  #storeKey(id: number): Uint8Array {
    return storeKey(this.#keys.groupOf(id, this.#options.maxParallelism), this.#keys.textOf(id));
  }
}
