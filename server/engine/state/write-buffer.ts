/**
 * Records on their way from the cache to the store, found by id until they are there, and then as long as there is room for them.
 *
 *   add ──> filling ── half of the bytes ──> draining ── as fast as the other fills ──> store
 *                                               └─ forgotten when the other one is full, too
 *
 * What is asked for again meanwhile is not read, and what is evicted again is written once. The store gets records by key group, so that what
 * it has to sort comes nearly sorted.
 *
 * Bounds: `bytes`, and what one eviction adds.
 */

import { RecordList } from './record-list.ts';
import type { RecordStore } from './record-store.ts';
import type { StateKeys } from './state-keys.ts';
import type { ByteWriter } from './value-codec.ts';

/** What an entry takes beside its bytes. */
const ENTRY_OVERHEAD = 12;
/** Number of the first half: 0 is none. */
const FIRST = 1;
/** Entries that the store gets at a time: with 1024, 10 M keys of 100 bytes took 1291 MB of memory instead of 655. */
const PORTION = 16_384;

export interface WriteBufferOptions {
  readonly store: RecordStore;
  readonly keys: StateKeys;
  readonly maxParallelism: number;
  readonly bytes: number;
  /** The cache has another record of this id, which it will add. */
  readonly outdated: (id: number) => boolean;
  /** The store has these many more. */
  readonly written: (entries: number) => void;
}

/** Records that were on their way at some moment; `latest`: those of which no later entry tells, by entry. */
export interface UnderWay {
  readonly list: RecordList;
  readonly ids: Int32Array;
  readonly latest: Uint8Array;
}

class Half {
  /** Of all halves so far. */
  readonly number: number;
  readonly list = new RecordList();
  /** Of its entries, in their order. */
  ids: Int32Array = new Int32Array(1024);
  /** Its entries as they go to the store. */
  order: Int32Array = new Int32Array(0);
  next = 0;
  /** Portions that the store has not answered for. */
  open = 0;

  constructor(number: number) {
    this.number = number;
  }

  get bytes(): number {
    return this.list.out.length + this.list.count * ENTRY_OVERHEAD;
  }

  /** Draining has not ended. */
  get busy(): boolean {
    return this.next < this.order.length || this.open > 0;
  }

  /** The entry that is being written is of this id. */
  of(id: number): void {
    const { count } = this.list;
    if (count === this.ids.length) {
      const ids = new Int32Array(count * 2);
      ids.set(this.ids);
      this.ids = ids;
    }
    this.ids[count] = id;
  }
}

export class WriteBuffer {
  readonly #options: WriteBufferOptions;
  readonly #half: number;
  /** By id: twice the number of the half that has its latest record, and 1 more if the store has it too; and the entry there. */
  #where = new Uint32Array(0);
  #entry = new Uint32Array(0);
  #filling = new Half(FIRST);
  #draining = new Half(-1);
  /** Nothing goes to the store. */
  #paused = false;

  constructor(options: WriteBufferOptions) {
    this.#options = options;
    this.#half = options.bytes / 2;
  }

  /** Room for ids below `capacity`. */
  reserve(capacity: number): void {
    const [where, entry] = [this.#where, this.#entry];
    this.#where = new Uint32Array(capacity);
    this.#where.set(where);
    this.#entry = new Uint32Array(capacity);
    this.#entry.set(entry);
  }

  /** Nothing may be added before some of it has been written. */
  get full(): boolean {
    return this.#draining.busy && this.#isHalf;
  }

  /** The store is being written. */
  get open(): boolean {
    return this.#draining.open > 0;
  }

  /** Of what the store does not have. */
  get bytes(): number {
    return this.#filling.bytes + (this.#draining.busy ? this.#draining.bytes : 0);
  }

  has(id: number): boolean {
    const half = (this.#where[id] as number) >>> 1;
    return half === this.#filling.number || half === this.#draining.number;
  }

  /** It has a record that the store does not have. */
  owes(id: number): boolean {
    return ((this.#where[id] as number) & 1) === 0 && this.has(id);
  }

  /** A view of the record, valid until the next `add`; null: it is to go. Only of those it has. */
  recordOf(id: number): Uint8Array | null {
    const half = (this.#where[id] as number) >>> 1 === this.#filling.number ? this.#filling : this.#draining;
    return half.list.recordOf(this.#entry[id] as number);
  }

  /** Adds what `write` puts behind the key of this id as its record; nothing: it is to go. Returns its number of bytes. */
  add(id: number, write: (out: ByteWriter) => void): number {
    const { number, list } = this.#filling;
    this.#options.keys.writeStoreKey(id, this.#options.maxParallelism, list.out);
    list.key();
    write(list.out);
    this.#where[id] = number * 2;
    this.#entry[id] = list.count;
    this.#filling.of(id);
    return list.add();
  }

  /** Lets go what is to go by now. */
  flow(): void {
    if (this.#paused) return;
    if (!this.#draining.busy) {
      if (!this.#isHalf) return;
      this.#draining = this.#filling;
      this.#draining.order = this.#byGroup(this.#draining);
      this.#filling = new Half(this.#filling.number + 1);
    }
    const draining = this.#draining;
    const { length } = draining.order;
    const due = this.#half === 0 || this.#isHalf ? length : (length * this.#filling.bytes) / this.#half;
    while (draining.next < due) this.#write(draining);
  }

  /** Nothing goes to the store until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.flow();
  }

  /** What is on its way now, as far as `counts` says so of an id; its lists may get more entries, but do not change. */
  underWay(counts: (id: number) => boolean): readonly UnderWay[] {
    const halves = this.#draining.busy ? [this.#draining, this.#filling] : [this.#filling];
    return halves.map(({ number, list, ids }) => {
      const latest = new Uint8Array(list.count);
      for (let i = 0; i < latest.length; i++) {
        const id = ids[i] as number;
        if (this.#where[id] === number * 2 && this.#entry[id] === i && counts(id)) latest[i] = 1;
      }
      return { list, ids, latest };
    });
  }

  get #isHalf(): boolean {
    return this.#filling.list.count > 0 && this.#filling.bytes >= this.#half;
  }

  /** Entries by the key groups of their ids. */
  #byGroup({ ids, list: { count } }: Half): Int32Array {
    const { keys, maxParallelism } = this.#options;
    const groups = new Uint16Array(count);
    const ends = new Int32Array(maxParallelism);
    for (let i = 0; i < count; i++) {
      const group = keys.groupOf(ids[i] as number, maxParallelism);
      groups[i] = group;
      ends[group] = (ends[group] as number) + 1;
    }
    for (let group = 0, sum = 0; group < maxParallelism; group++) {
      sum += ends[group] as number;
      ends[group] = sum;
    }
    const order = new Int32Array(count);
    for (let i = count - 1; i >= 0; i--) {
      const group = groups[i] as number;
      const at = (ends[group] as number) - 1;
      ends[group] = at;
      order[at] = i;
    }
    return order;
  }

  /** The next portion, without what is out of date. */
  #write(draining: Half): void {
    const { list, ids, order } = draining;
    const underWay = draining.number * 2;
    const portion = new Int32Array(Math.min(PORTION, order.length - draining.next));
    let count = 0;
    while (draining.next < order.length && count < PORTION) {
      const entry = order[draining.next++] as number;
      const id = ids[entry] as number;
      if (this.#where[id] !== underWay || this.#entry[id] !== entry) continue;
      if (this.#options.outdated(id)) this.#where[id] = 0;
      else portion[count++] = entry;
    }
    if (count === 0) return;
    draining.open++;
    const written = portion.subarray(0, count);
    this.#options.store.write(list, written, () => {
      draining.open--;
      for (const entry of written) {
        const id = ids[entry] as number;
        // One that was added again meanwhile is still under way.
        if (this.#where[id] === underWay) this.#where[id] = underWay + 1;
      }
      this.#options.written(count);
      this.flow();
    });
  }
}
