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
 * Snapshots show the store as it is at their moment, and what of the cache it does not know yet: that is copied before it changes or goes. Both are given
 * block by block, and neither the cache nor the store waits for it.
 *
 * Bounds: the cache holds `cacheBytes` and what one batch needs; writes under way at most `WRITES_UNDER_WAY`, then nothing is prepared.
 *
 * Time to live: expired entries go when a record is read, when it is written back, and when the sweeper passes by, which looks at some records
 * of the store for each that is written. All are counted.
 */

import type { Cut } from './cut.ts';
import type { StateDescriptor } from './descriptors.ts';
import { addCut, blocksOf, type GroupBlocks, readGroup, writeEntry } from './group-bytes.ts';
import { KeyRecords } from './key-records.ts';
import type { KeyedBlock, KeyedBlocks } from './keyed-blocks.ts';
import type { Eventually, KeyedState, KeyedStateBackend, StateBackendOptions, StateScope } from './keyed-state.ts';
import { PORTION, settled } from './portions.ts';
import { RecordList } from './record-list.ts';
import type { RecordStore, StoreEntry, StoreView } from './record-store.ts';
import type { StateKeys } from './state-keys.ts';
import { readStoreKey, writeStoreKey } from './store-key.ts';
import type { ByteWriter } from './value-codec.ts';

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
/** Entries that a look at everything takes at a time. */
const CHUNK = 1000;

export interface CachedBackendOptions extends StateBackendOptions {
  readonly store: RecordStore;
}

/** Records on their way to the store; an entry without record: it goes. */
interface Write {
  readonly number: number;
  readonly list: RecordList;
  /** Of its entries, in their order. */
  readonly ids: number[];
}

/** Records that were on their way to the store; `latest`: those of which neither the cache nor a later write knows more. */
interface UnderWay {
  readonly list: RecordList;
  readonly ids: readonly number[];
  readonly latest: Uint8Array;
}

/** What a snapshot is made of. */
interface Moment {
  /** What the store does not know. */
  readonly cut: Cut<ByteWriter>;
  readonly underWay: readonly UnderWay[];
  readonly view: Eventually<StoreView>;
  readonly now: number;
}

/** What the cache knows of an id. */
const Place = { ABSENT: 0, LOADING: 1, PRESENT: 2 } as const;

export class CachedBackend implements KeyedStateBackend {
  readonly #options: CachedBackendOptions;
  readonly #store: RecordStore;
  readonly #keys: StateKeys;
  readonly #records: KeyRecords;
  /** By id. */
  #place = new Uint8Array(0);
  #used = new Uint8Array(0);
  /** Bytes that the record is taken to need; by id. */
  #sizes = new Uint32Array(0);
  /** `#pin` of those that the current batch needs; by id. */
  #pinned = new Int32Array(0);
  #pin = 1;
  #cached = 0;
  #hand = 0;
  #loading = 0;
  /** By id: the last write of its record that the store may not know yet (0: none), and its entry there. */
  #writing = new Uint32Array(0);
  #entry = new Uint32Array(0);
  readonly #writes = new Map<number, Write>();
  #written = 0;
  /** Entries of all of these. */
  #underWay = 0;
  /** By id: its record has been written. */
  #stored = new Uint8Array(0);
  /** The store may have records of keys whose ids nobody holds any more, or that never had one: a new id says nothing about it. */
  #strangers = false;
  /** Keys to be read. */
  readonly #asked = new RecordList();
  /** State that is restored is not in the store yet. */
  #restoring = 0;
  #sweptTo: Uint8Array | null = null;
  #sweepOwed = 0;
  #sweeping = false;
  /** Snapshots that wait for that. */
  readonly #onRestored: (() => void)[] = [];
  #closed = false;

  constructor(options: CachedBackendOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#keys = options.keys;
    this.#records = new KeyRecords(options);
    this.#keys.hold((mark) => {
      this.hold(mark);
      this.#strangers ||= this.#someLeave();
    });
    // Nothing is prepared before the store is there: one that is not fails the job at its first row.
    void this.#restore(new RecordList());
  }

  get scope(): StateScope {
    return this.#records.scope;
  }

  get cleansEveryRecord(): boolean {
    return this.#records.cleansEveryRecord;
  }

  /** What the store holds, or what is in the cache where that is more: of little state nothing has been written yet. */
  get bytes(): number {
    return Math.max(this.#store.bytes, this.#cached);
  }

  state<S extends KeyedState>(descriptor: StateDescriptor<S>): S {
    return this.#records.state(descriptor);
  }

  prepare(ids: Int32Array, rows: Int32Array | null, count: number): boolean {
    if (this.#restoring > 0) return false;
    this.#reserve();
    const place = this.#place;
    const { cuts } = this.#records.scope;
    const missing: number[] = [];
    let absent = false;
    for (let i = 0; i < count; i++) {
      const id = ids[rows === null ? i : (rows[i] as number)] as number;
      if (cuts.any) cuts.secure(id);
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
    return this.#loading > 0 || this.#restoring > 0 || this.#underWay >= WRITES_UNDER_WAY;
  }

  prepared(id: number): boolean {
    const { cuts } = this.#records.scope;
    if (cuts.any) cuts.secure(id);
    return this.#place[id] === Place.PRESENT;
  }

  release(): void {
    this.#pin = (this.#pin + 1) | 0;
    if (this.#cached > this.#options.cacheBytes) this.#evict();
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

  async allKeys(): Promise<readonly string[]> {
    const keys = new Set<string>();
    this.hold((id) => keys.add(this.#keys.textOf(id)));
    await readAll(this.#store.view(), ([bytes]) => keys.add(readStoreKey(bytes).key));
    return [...keys];
  }

  stored(descriptor: StateDescriptor): boolean {
    return this.#records.stored(descriptor);
  }

  /** The store as it is now, and whatever in memory it does not know yet. */
  snapshot(): KeyedBlocks {
    this.#reserve();
    const [place, writing] = [this.#place, this.#writing];
    const { changed, now } = this.#records.scope;
    const cut = this.#records.cut({ ranges: [], holdsAll: true });
    for (let id = 0; id < place.length; id++) {
      if (place[id] === Place.PRESENT && (changed[id] === 1 || writing[id] !== 0)) cut.include(id);
    }
    // Lists that are written do not change any more.
    const underWay = [...this.#writes.values()].map(({ number, list, ids }) => {
      const latest = Uint8Array.from(ids, (id) => (writing[id] === number && place[id] !== Place.PRESENT ? 1 : 0));
      for (let i = 0; i < ids.length; i++) if (latest[i] === 1) cut.include(ids[i] as number, true);
      return { list, ids, latest };
    });
    // Restored state is all there is as long as it is on its way: nothing has been prepared.
    const view =
      this.#restoring === 0
        ? this.#store.view()
        : new Promise<StoreView>((resolve) => {
            this.#onRestored.push(() => resolve(this.#store.view()));
          });
    return this.#blocks({ cut, underWay, view, now });
  }

  *#blocks({ cut, underWay, view: viewing, now }: Moment): KeyedBlocks {
    const records = this.#records;
    try {
      let { revision } = records;
      let blocks = blocksOf(records);
      // What is in memory first: while it waits to be written, it has to be laid aside where it changes.
      yield* addCut(cut, this.#keys, this.#options.maxParallelism, blocks);
      for (const writes of underWay) yield* this.#addUnderWay(writes, now, blocks);
      const view = viewing instanceof Promise ? yield* settled(viewing) : viewing;
      let coming = view.next(CHUNK);
      for (;;) {
        const entries = yield* settled(coming);
        if (entries.length === 0) break;
        coming = view.next(CHUNK);
        // It may be given up.
        coming.catch(() => {});
        for (const [bytes, record] of entries) {
          const { group, key } = readStoreKey(bytes);
          if (cut.includes(this.#keys.find(key))) continue;
          if (records.revision !== revision) {
            yield* blocks.all();
            ({ revision } = records);
            blocks = blocksOf(records);
          }
          const young = records.forSnapshot(record, now);
          if (young === null) continue;
          const out = blocks.of(group);
          const before = out.length;
          writeEntry(out, key, young);
          if (blocks.added(group, out.length - before)) yield* blocks.full(group);
        }
      }
      yield* blocks.all();
    } finally {
      records.scope.cuts.end(cut);
      if (viewing instanceof Promise) viewing.then((view) => view.close());
      else viewing.close();
    }
  }

  *#addUnderWay({ list, ids, latest }: UnderWay, now: number, blocks: GroupBlocks): KeyedBlocks {
    for (let i = 0; i < ids.length; i++) {
      if (i % PORTION === PORTION - 1) yield;
      const stored = latest[i] === 1 ? list.recordOf(i) : null;
      const young = stored === null ? null : this.#records.forSnapshot(stored, now);
      if (young === null) continue;
      const id = ids[i] as number;
      const group = this.#keys.groupOf(id, this.#options.maxParallelism);
      const out = blocks.of(group);
      const before = out.length;
      this.#keys.writeText(id, out);
      out.bytes(young);
      if (blocks.added(group, out.length - before)) yield* blocks.full(group);
    }
  }

  restore([group, bytes]: KeyedBlock): Promise<void> {
    this.#strangers = true;
    const list = new RecordList();
    readGroup(this.#records, bytes, (key, record, states) => {
      writeStoreKey(group, key, list.out);
      list.key();
      this.#records.store(record, states, list.out);
      list.add();
    });
    return this.#restore(list);
  }

  #restore(list: RecordList): Promise<void> {
    this.#restoring++;
    return new Promise((resolve) => {
      this.#store.write(list, () => {
        if (--this.#restoring === 0) for (const go of this.#onRestored.splice(0)) go();
        if (!this.#closed) this.#options.wake();
        resolve();
      });
    });
  }

  /** Also of records on their way to the store: they are found by id. */
  hold(mark: (id: number) => void): void {
    for (let id = 0; id < this.#place.length; id++) {
      if (this.#place[id] !== Place.ABSENT || this.#writing[id] !== 0) mark(id);
    }
    this.#records.scope.cuts.hold(mark);
  }

  /** Ids of records in the store that only others hold, if anybody. */
  #someLeave(): boolean {
    for (let id = 0; id < this.#place.length; id++)
      if (this.#stored[id] === 1 && this.#place[id] === Place.ABSENT && this.#writing[id] === 0) return true;
    return false;
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
    const copy = <T extends Uint8Array | Int32Array | Uint32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#place = copy(this.#place, new Uint8Array(grown));
    this.#used = copy(this.#used, new Uint8Array(grown));
    this.#sizes = copy(this.#sizes, new Uint32Array(grown));
    this.#pinned = copy(this.#pinned, new Int32Array(grown));
    this.#writing = copy(this.#writing, new Uint32Array(grown));
    this.#entry = copy(this.#entry, new Uint32Array(grown));
    this.#stored = copy(this.#stored, new Uint8Array(grown));
  }

  /** One read for all of them; what is under way to the store is taken from there. */
  #load(ids: readonly number[]): void {
    const asked: number[] = [];
    const keys = this.#asked;
    keys.clear();
    for (const id of ids) {
      const written = this.#writes.get(this.#writing[id] as number);
      if (written !== undefined) {
        this.#arrived(id, written.list.recordOf(this.#entry[id] as number));
        continue;
      }
      // Most misses are of keys seen for the first time: there is nothing to read.
      if (this.#stored[id] === 0 && !this.#strangers) {
        this.#arrived(id, null);
        continue;
      }
      asked.push(id);
      this.#writeKey(id, keys);
      keys.add();
    }
    if (asked.length === 0) return;
    this.#loading++;
    this.#store.getMany(keys, (records) => {
      if (this.#closed) return;
      for (let i = 0; i < asked.length; i++) this.#arrived(asked[i] as number, records[i] ?? null);
      this.#loading--;
      this.#options.wake();
    });
  }

  #arrived(id: number, record: Uint8Array | null): void {
    if (record !== null) this.#records.readStored(id, record);
    this.#place[id] = Place.PRESENT;
    // What is not used a second time soon makes room first.
    this.#used[id] = 0;
    this.#sizes[id] = RECORD_OVERHEAD + (record?.length ?? NEW_RECORD_BYTES);
    this.#cached += this.#sizes[id] as number;
  }

  /** Makes room: writes back what has changed, and forgets. */
  #evict(): void {
    const goal = this.#options.cacheBytes * (1 - EVICTED_SHARE);
    const evicted: number[] = [];
    const ids = this.#place.length;
    let left = this.#cached;
    for (let looked = 0; left > goal && looked < 2 * ids; looked++) {
      const id = this.#hand;
      this.#hand = id + 1 === ids ? 0 : id + 1;
      if (this.#place[id] !== Place.PRESENT || this.#pinned[id] === this.#pin) continue;
      if (this.#used[id] === 1) {
        this.#used[id] = 0;
        continue;
      }
      // Not a second time in this round.
      this.#pinned[id] = this.#pin;
      evicted.push(id);
      left -= this.#sizes[id] as number;
    }
    this.#writeBack(evicted);
    const { cuts } = this.#records.scope;
    for (const id of evicted) {
      if (cuts.any) cuts.secure(id);
      this.#records.drop(id);
      this.#place[id] = Place.ABSENT;
      this.#cached -= this.#sizes[id] as number;
    }
  }

  /** Writes the records of these ids that have changed. */
  #writeBack(ids: Iterable<number>): void {
    const write = this.#begin();
    const { list } = write;
    const { changed } = this.#records.scope;
    for (const id of ids) {
      if (changed[id] === 0) continue;
      this.#records.compact(id);
      this.#writeKey(id, list);
      this.#records.writeStored(id, list.out);
      const size = RECORD_OVERHEAD + this.#add(write, id);
      changed[id] = 0;
      this.#cached += size - (this.#sizes[id] as number);
      this.#sizes[id] = size;
    }
    this.#write(write);
  }

  #begin(): Write {
    // 0 is none.
    this.#written = (this.#written + 1) >>> 0 || 1;
    return { number: this.#written, list: new RecordList(), ids: [] };
  }

  #writeKey(id: number, list: RecordList): void {
    this.#keys.writeStoreKey(id, this.#options.maxParallelism, list.out);
    list.key();
  }

  /** What stands in the list behind the key is the record of this id; returns its bytes. */
  #add(write: Write, id: number): number {
    this.#stored[id] = 1;
    this.#writing[id] = write.number;
    this.#entry[id] = write.list.count;
    write.ids.push(id);
    return write.list.add();
  }

  #write(write: Write): void {
    const { number, list, ids } = write;
    if (ids.length === 0) return;
    this.#writes.set(number, write);
    this.#underWay += ids.length;
    this.#store.write(list, () => {
      this.#writes.delete(number);
      this.#underWay -= ids.length;
      // One that was written again meanwhile is still under way.
      for (const id of ids) if (this.#writing[id] === number) this.#writing[id] = 0;
      if (!this.#closed) this.#options.wake();
    });
    this.#sweepOwed += ids.length * SWEPT_PER_WRITE;
    this.#sweep();
  }

  /** Looks at the next records of the store for entries that have expired. */
  #sweep(): void {
    if (this.#sweeping || this.#sweepOwed < SWEEP || !this.#records.compacts) return;
    this.#sweeping = true;
    this.#sweepOwed -= SWEEP;
    this.#store.scan(this.#sweptTo, SWEEP, (entries) => {
      this.#sweeping = false;
      if (this.#closed) return;
      this.#sweptTo = entries.length < SWEEP ? null : (entries.at(-1)?.[0] ?? null);
      const write = this.#begin();
      for (const [bytes, record] of entries) {
        const { key } = readStoreKey(bytes);
        const known = this.#keys.find(key);
        // What is in the cache, or on its way to the store, is newer than this.
        if (known >= 0 && (this.#place[known] !== Place.ABSENT || this.#writing[known] !== 0)) continue;
        const young = this.#records.compacted(record);
        if (young === record) continue;
        const id = this.#keys.idOf(key);
        this.#reserve();
        this.#writeKey(id, write.list);
        if (young !== null) write.list.out.raw(young);
        this.#add(write, id);
      }
      this.#write(write);
    });
  }
}

async function readAll(view: StoreView, each: (entry: StoreEntry) => void): Promise<void> {
  for (;;) {
    const entries = await view.next(CHUNK);
    if (entries.length === 0) return;
    for (const entry of entries) each(entry);
  }
}
