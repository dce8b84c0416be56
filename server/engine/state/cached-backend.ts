/**
 * Keyed state that exceeds memory: records of keys in a store, those in use in a write-back cache.
 *
 *   prepare(keys of a batch) ── in the cache: up to where? ──> those rows ── was it the last one? ──> release
 *            │ ask for all that is missing with a few reads,        │ no
 *            │ and evict while the store is at it                   │
 *            └──> `wake`, each time some have come ──> prepare from there
 *
 *   evicted ──> write buffer ──> store       found by id on its way (`write-buffer.ts`)
 *
 * The cache is `KeyRecords`, as on the heap, by dense id; ids of keys that are not in it are held by nobody, so that sweeps of the keys'
 * dictionary bound them too. Eviction goes round like the hand of a clock and passes over what was used since its last round.
 *
 * Snapshots show the store as it is at their moment, and what of the cache it does not know yet: that is copied before it changes or goes. Both are given
 * block by block, and neither the cache nor the store waits for it.
 *
 * Bounds: the cache holds `cacheBytes` and what one batch needs; records on their way to the store take `bufferBytes` at most, then nothing is read.
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
import { type UnderWay, WriteBuffer } from './write-buffer.ts';

/** What a cached record takes beside its bytes: objects, table places, its id and key. A guess on the high side. */
const RECORD_OVERHEAD = 200;
/** Size of a record that has never been written. */
const NEW_RECORD_BYTES = 64;
/** An eviction makes this share of the cache free, so that writes come in batches. */
const EVICTED_SHARE = 1 / 16;
/** Records that the sweeper looks at in one go. */
const SWEEP = 1024;
/** … and how many for each one written. */
const SWEPT_PER_WRITE = 2;
/** Keys that the store is asked for at a time: few at first, so that rows can go on while the others are being read, … */
const FIRST_READ = 64;
/** … and at most so many. */
const READ = 256;
/** Entries that a look at everything takes at a time. */
const CHUNK = 1000;

export interface CachedBackendOptions extends StateBackendOptions {
  readonly store: RecordStore;
  /** Of records on their way to the store. */
  readonly bufferBytes: number;
}

/** What a snapshot is made of. */
interface Moment {
  /** What the store does not know. */
  readonly cut: Cut<ByteWriter>;
  readonly underWay: readonly UnderWay[];
  readonly view: Eventually<StoreView>;
  readonly now: number;
}

/** Marks of later batches would not be whole numbers of 32 bits. */
const MOST_MARKED = 0x7fff_fff0;

/** What the cache knows of an id, in one number: rows ask for it one by one, and each look is likely to miss the processor's cache. */
const Mark = {
  /** Where its record is: two bits, … */
  PLACE: 3,
  ABSENT: 0,
  LOADING: 1,
  PRESENT: 2,
  /** … and whether it has been used since the hand came by; */
  USED: 4,
  /** the rest: the number of the batch that needed it last. */
  BATCH: 8,
} as const;

export class CachedBackend implements KeyedStateBackend {
  readonly #options: CachedBackendOptions;
  readonly #store: RecordStore;
  readonly #keys: StateKeys;
  readonly #records: KeyRecords;
  /** `Mark` by id. */
  #marks = new Int32Array(0);
  /** Bytes that the record is taken to need; by id. */
  #sizes = new Uint32Array(0);
  /** The current batch in marks: what carries its number stays. */
  #batch: number = Mark.BATCH;
  #cached = 0;
  #hand = 0;
  #loading = 0;
  readonly #buffer: WriteBuffer;
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
    this.#buffer = new WriteBuffer({
      store: options.store,
      keys: options.keys,
      maxParallelism: options.maxParallelism,
      bytes: options.bufferBytes,
      outdated: (id) => this.#isPresent(id) && this.#records.scope.changed[id] === 1,
      written: (entries) => this.#onWritten(entries),
    });
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

  /** What the store holds and is to get, or what is in the cache where that is more: of little state nothing has been written yet. */
  get bytes(): number {
    return Math.max(this.#store.bytes + this.#buffer.bytes, this.#cached);
  }

  state<S extends KeyedState>(descriptor: StateDescriptor<S>): S {
    return this.#records.state(descriptor);
  }

  prepare(ids: Int32Array, rows: Int32Array | null, from: number, count: number): number {
    if (this.#restoring > 0) return from;
    this.#reserve();
    const idAt = (i: number): number => ids[rows === null ? i : (rows[i] as number)] as number;
    let ready = this.#pin(ids, rows, from, count);
    // One that is being loaded was asked for with whatever comes behind it.
    if (ready < count && this.#placeOf(idAt(ready)) === Mark.ABSENT && !this.#buffer.full) {
      this.#ask(ids, rows, ready, count);
      ready = this.#pin(ids, rows, ready, count);
    }
    const { cuts } = this.#records.scope;
    if (cuts.any) for (let i = from; i < ready; i++) cuts.secure(idAt(i));
    return ready;
  }

  /** Rows up to the one that is returned need what is in the cache. */
  #pin(ids: Int32Array, rows: Int32Array | null, from: number, count: number): number {
    const marks = this.#marks;
    const batch = this.#batch;
    for (let i = from; i < count; i++) {
      const id = ids[rows === null ? i : (rows[i] as number)] as number;
      const mark = marks[id] as number;
      if ((mark & Mark.PLACE) !== Mark.PRESENT) return i;
      // What has been loaded for this batch has not been used a second time.
      if (mark < batch) marks[id] = batch | Mark.USED | Mark.PRESENT;
    }
    return count;
  }

  /** Asks the store for what neither the cache nor the buffer has. */
  #ask(ids: Int32Array, rows: Int32Array | null, from: number, count: number): void {
    const marks = this.#marks;
    const batch = this.#batch;
    const buffer = this.#buffer;
    let asked: number[] = [];
    let upTo = FIRST_READ;
    let all = 0;
    for (let i = from; i < count; i++) {
      const id = ids[rows === null ? i : (rows[i] as number)] as number;
      const mark = marks[id] as number;
      const place = mark & Mark.PLACE;
      if (place !== Mark.ABSENT) {
        if (mark < batch) marks[id] = batch | Mark.USED | place;
        continue;
      }
      marks[id] = batch | Mark.LOADING;
      if (buffer.has(id)) {
        this.#arrived(id, buffer.recordOf(id));
        continue;
      }
      // Most misses are of keys seen for the first time: there is nothing to read.
      if (this.#stored[id] === 0 && !this.#strangers) {
        this.#arrived(id, null);
        continue;
      }
      all++;
      if (asked.push(id) < upTo) continue;
      // The store reads these while the others are looked for.
      this.#read(asked);
      asked = [];
      upTo = Math.min(upTo * 2, READ);
    }
    if (asked.length > 0) this.#read(asked);
    // Room for them is made while they are being read.
    if (this.#loading > 0) this.#evict(all * (RECORD_OVERHEAD + NEW_RECORD_BYTES));
  }

  get loading(): boolean {
    return this.#loading > 0 || this.#restoring > 0 || this.#buffer.full;
  }

  prepared(id: number): boolean {
    const { cuts } = this.#records.scope;
    if (cuts.any) cuts.secure(id);
    return this.#isPresent(id);
  }

  release(): void {
    this.#batch += Mark.BATCH;
    if (this.#batch > MOST_MARKED) this.#beginMarks();
    this.#evict(0);
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
    const { changed, now } = this.#records.scope;
    const cut = this.#records.cut({ ranges: [], holdsAll: true });
    for (let id = 0; id < this.#marks.length; id++) {
      if (this.#isPresent(id) && (changed[id] === 1 || this.#buffer.owes(id))) cut.include(id);
    }
    const underWay = this.#buffer.underWay((id) => !this.#isPresent(id));
    for (const { ids, latest } of underWay)
      for (let i = 0; i < latest.length; i++) if (latest[i] === 1) cut.include(ids[i] as number, true);
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
    for (let i = 0; i < latest.length; i++) {
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
      this.#store.write(list, null, () => {
        if (--this.#restoring === 0) for (const go of this.#onRestored.splice(0)) go();
        if (!this.#closed) this.#options.wake();
        resolve();
      });
    });
  }

  /** Also of records that the buffer has: they are found by id. */
  hold(mark: (id: number) => void): void {
    for (let id = 0; id < this.#marks.length; id++) {
      if (this.#placeOf(id) !== Mark.ABSENT || this.#buffer.has(id)) mark(id);
    }
    this.#records.scope.cuts.hold(mark);
  }

  /** Ids of records in the store that only others hold, if anybody. */
  #someLeave(): boolean {
    for (let id = 0; id < this.#marks.length; id++)
      if (this.#stored[id] === 1 && this.#placeOf(id) === Mark.ABSENT && !this.#buffer.has(id)) return true;
    return false;
  }

  close(): void {
    this.#closed = true;
    this.#store.close();
  }

  #placeOf(id: number): number {
    return (this.#marks[id] as number) & Mark.PLACE;
  }

  #isPresent(id: number): boolean {
    return this.#placeOf(id) === Mark.PRESENT;
  }

  /** Numbers of batches have reached their end: they begin anew, and none that is marked is the current one. */
  #beginMarks(): void {
    const marks = this.#marks;
    for (let id = 0; id < marks.length; id++) marks[id] = (marks[id] as number) & (Mark.PLACE | Mark.USED);
    this.#batch = Mark.BATCH;
  }

  #reserve(): void {
    this.#records.reserve();
    const { capacity } = this.#keys;
    if (capacity <= this.#marks.length) return;
    const grown = Math.max(1024, capacity, Math.ceil(this.#marks.length * 1.5));
    const copy = <T extends Uint8Array | Int32Array | Uint32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#marks = copy(this.#marks, new Int32Array(grown));
    this.#sizes = copy(this.#sizes, new Uint32Array(grown));
    this.#buffer.reserve(grown);
    this.#stored = copy(this.#stored, new Uint8Array(grown));
  }

  /** One read for all of them. */
  #read(ids: readonly number[]): void {
    const keys = this.#asked;
    keys.clear();
    for (const id of ids) {
      this.#keys.writeStoreKey(id, this.#options.maxParallelism, keys.out);
      keys.key();
      keys.add();
    }
    this.#loading++;
    let atOnce = true;
    this.#store.getMany(keys, (records) => {
      if (this.#closed) return;
      for (let i = 0; i < ids.length; i++) this.#arrived(ids[i] as number, records[i] ?? null);
      this.#loading--;
      if (!atOnce) this.#options.wake();
    });
    atOnce = false;
  }

  #arrived(id: number, record: Uint8Array | null): void {
    if (record !== null) this.#records.readStored(id, record);
    // What is not used a second time soon makes room first.
    this.#marks[id] = ((this.#marks[id] as number) & ~(Mark.PLACE | Mark.USED)) | Mark.PRESENT;
    this.#sizes[id] = RECORD_OVERHEAD + (record?.length ?? NEW_RECORD_BYTES);
    this.#cached += this.#sizes[id] as number;
  }

  /** Makes room where what is coming leaves none: writes back what has changed, and forgets. */
  #evict(coming: number): void {
    const { cacheBytes } = this.#options;
    if (this.#cached + coming <= cacheBytes) return;
    const goal = cacheBytes * (1 - EVICTED_SHARE) - coming;
    const evicted: number[] = [];
    const marks = this.#marks;
    const batch = this.#batch;
    const ids = marks.length;
    let left = this.#cached;
    for (let looked = 0; left > goal && looked < 2 * ids; looked++) {
      const id = this.#hand;
      this.#hand = id + 1 === ids ? 0 : id + 1;
      const mark = marks[id] as number;
      if ((mark & Mark.PLACE) !== Mark.PRESENT || mark >= batch) continue;
      if ((mark & Mark.USED) !== 0) {
        marks[id] = mark & ~Mark.USED;
        continue;
      }
      // Not a second time in this round.
      marks[id] = batch | Mark.PRESENT;
      evicted.push(id);
      left -= this.#sizes[id] as number;
    }
    this.#writeBack(evicted);
    const { cuts } = this.#records.scope;
    for (const id of evicted) {
      if (cuts.any) cuts.secure(id);
      this.#records.drop(id);
      marks[id] = Mark.ABSENT;
      this.#cached -= this.#sizes[id] as number;
    }
  }

  /** Those of these ids that have changed are to be written. */
  #writeBack(ids: Iterable<number>): void {
    const { changed } = this.#records.scope;
    for (const id of ids) {
      if (changed[id] === 0) continue;
      this.#records.compact(id);
      const size = RECORD_OVERHEAD + this.#write(id, (out) => this.#records.writeStored(id, out));
      changed[id] = 0;
      this.#cached += size - (this.#sizes[id] as number);
      this.#sizes[id] = size;
    }
    this.#buffer.flow();
  }

  /** Returns the number of bytes. */
  #write(id: number, write: (out: ByteWriter) => void): number {
    this.#stored[id] = 1;
    return this.#buffer.add(id, write);
  }

  #onWritten(entries: number): void {
    if (this.#closed) return;
    this.#sweepOwed += entries * SWEPT_PER_WRITE;
    this.#sweep();
    this.#options.wake();
  }

  /** Looks at the next records of the store for entries that have expired. */
  #sweep(): void {
    if (this.#sweeping || this.#sweepOwed < SWEEP || !this.#records.compacts || this.#buffer.open) return;
    this.#sweeping = true;
    this.#sweepOwed -= SWEEP;
    // What is not in memory when the answer comes is as the store has it.
    this.#buffer.pause();
    this.#store.scan(this.#sweptTo, SWEEP, (entries) => {
      this.#sweeping = false;
      if (this.#closed) return;
      this.#sweptTo = entries.length < SWEEP ? null : (entries.at(-1)?.[0] ?? null);
      for (const [bytes, record] of entries) {
        const { key } = readStoreKey(bytes);
        const known = this.#keys.find(key);
        // What is in the cache, or on its way to the store, is newer than this.
        if (known >= 0 && (this.#placeOf(known) !== Mark.ABSENT || this.#buffer.owes(known))) continue;
        const young = this.#records.compacted(record);
        if (young === record) continue;
        const id = this.#keys.idOf(key);
        this.#reserve();
        this.#write(id, (out) => {
          if (young !== null) out.raw(young);
        });
      }
      this.#buffer.resume();
      this.#options.wake();
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
