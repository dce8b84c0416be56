/**
 * Timers of one kind of time, one per key, namespace and instant, in the order of their instants; those of one instant in the order in which they
 * were added. A deleted one stays where it is until its time comes, or until half of them are such.
 */

import { type Cut, Cuts } from './cut.ts';
import { type ByteReader, ByteWriter } from './value-codec.ts';

export interface Timer {
  readonly key: number;
  readonly namespace: string;
  /** ms; Infinity: the end of all time. */
  readonly time: number;
}

class Entry implements Timer {
  readonly key: number;
  readonly namespace: string;
  readonly time: number;
  readonly number: number;
  deleted = false;
  /** In the same bucket. */
  next: Entry | null = null;
  /** Of the same key, added before and after it. */
  older: Entry | null = null;
  newer: Entry | null = null;

  constructor(key: number, namespace: string, time: number, number: number) {
    this.key = key;
    this.namespace = namespace;
    this.time = time;
    this.number = number;
  }

  before(other: Entry): boolean {
    return this.time < other.time || (this.time === other.time && this.number < other.number);
  }
}

const BUCKETS = 64;

export class TimerQueue {
  #heap: Entry[] = [];
  /** By key and time; a power of two of them, as many as there are entries at least. */
  #buckets: (Entry | null)[] = new Array<Entry | null>(BUCKETS).fill(null);
  #count = 0;
  #added = 0;
  /** The newest of each key that has any. */
  readonly #newest = new Map<number, Entry>();
  #deleted = 0;
  /** Snapshots that are being written, by key. */
  readonly #cuts = new Cuts<ByteWriter>();
  /** The one added last: windows ask for the same one again and again. */
  #latest: Entry | null = null;

  /** Whether there is one at `time` or before. */
  due(time: number): boolean {
    const first = this.#first();
    return first !== null && first.time <= time;
  }

  /** Instant of the first one; Infinity: none. */
  get next(): number {
    return this.#first()?.time ?? Number.POSITIVE_INFINITY;
  }

  /** The first one. */
  peek(): Timer | null {
    return this.#first();
  }

  add(key: number, namespace: string, time: number): void {
    const latest = this.#latest;
    if (latest !== null && latest.key === key && latest.time === time && latest.namespace === namespace) return;
    if (this.#find(key, namespace, time) !== null) return;
    if (this.#cuts.any) this.#cuts.secure(key);
    const entry = new Entry(key, namespace, time, this.#added++);
    if (this.#count === this.#buckets.length) this.#grow();
    this.#count++;
    this.#link(entry);
    const older = this.#newest.get(key) ?? null;
    entry.older = older;
    if (older !== null) older.newer = entry;
    this.#newest.set(key, entry);
    this.#latest = entry;
    this.#push(entry);
  }

  delete(key: number, namespace: string, time: number): void {
    const entry = this.#find(key, namespace, time);
    if (entry === null) return;
    this.#forget(entry);
    entry.deleted = true;
    if (++this.#deleted * 2 > this.#heap.length) this.#compact();
  }

  /** Takes the first one out. */
  drop(): void {
    const first = this.#first();
    if (first === null) return;
    this.#forget(first);
    this.#pop();
  }

  /** Keys of the next timers that are due at `time`, in order, as many as there is room for; returns how many. */
  dueKeys(time: number, into: Int32Array): number {
    const taken: Entry[] = [];
    while (taken.length < into.length) {
      const first = this.#first();
      if (first === null || first.time > time) break;
      into[taken.length] = first.key;
      taken.push(first);
      this.#pop();
    }
    for (const entry of taken) this.#push(entry);
    return taken.length;
  }

  /** All there are, in no order. */
  all(): readonly Timer[] {
    return this.#heap.filter((entry) => !entry.deleted);
  }

  /** Marks keys that have timers. */
  hold(mark: (key: number) => void): void {
    for (const key of this.#newest.keys()) mark(key);
    this.#cuts.hold(mark);
  }

  /**
   * The timers of all keys as of now; `end` it. `keys`: ids are below this. What is taken of a key without timers is nothing; otherwise the
   * timers in the order in which they were added.
   */
  cut(keys: number): Cut<ByteWriter> {
    const entries = this.#count === 0 ? 0 : keys;
    return this.#cuts.begin({ entries, write: (key, to) => this.#save(key, to), scratch: new ByteWriter() });
  }

  end(cut: Cut<ByteWriter>): void {
    this.#cuts.end(cut);
  }

  #save(key: number, to: ByteWriter): void {
    if (!this.#newest.has(key)) return;
    const timers: Timer[] = [];
    for (let entry = this.#newest.get(key) ?? null; entry !== null; entry = entry.older) timers.push(entry);
    to.varint(timers.length);
    for (const { namespace, time } of timers.reverse()) {
      to.string(namespace);
      to.f64(time);
    }
  }

  load(key: number, from: ByteReader): void {
    for (let n = from.varint(); n > 0; n--) this.add(key, from.string(), from.f64());
  }

  /** An estimate. */
  get bytes(): number {
    return this.#heap.length * 130;
  }

  #bucket(key: number, time: number): number {
    const hash = Math.imul(key, 0x9e3779b1) ^ Math.imul(time, 0x85ebca6b);
    // Instants are often multiples of large powers of two, which leaves their product no low bits.
    return (hash ^ (hash >>> 15)) & (this.#buckets.length - 1);
  }

  #find(key: number, namespace: string, time: number): Entry | null {
    let entry = this.#buckets[this.#bucket(key, time)] as Entry | null;
    while (entry !== null && (entry.key !== key || entry.time !== time || entry.namespace !== namespace))
      entry = entry.next;
    return entry;
  }

  #link(entry: Entry): void {
    const bucket = this.#bucket(entry.key, entry.time);
    entry.next = this.#buckets[bucket] as Entry | null;
    this.#buckets[bucket] = entry;
  }

  #grow(): void {
    const full = this.#buckets;
    this.#buckets = new Array<Entry | null>(full.length * 2).fill(null);
    for (const first of full) {
      for (let entry = first; entry !== null; ) {
        const { next } = entry;
        this.#link(entry);
        entry = next;
      }
    }
  }

  /** Takes it out of everything but the heap. */
  #forget(entry: Entry): void {
    const { key, older, newer } = entry;
    if (this.#cuts.any) this.#cuts.secure(key);
    if (entry === this.#latest) this.#latest = null;
    this.#count--;
    const bucket = this.#bucket(key, entry.time);
    let before = this.#buckets[bucket] as Entry;
    if (before === entry) {
      this.#buckets[bucket] = entry.next;
    } else {
      while (before.next !== entry) before = before.next as Entry;
      before.next = entry.next;
    }
    if (older !== null) older.newer = newer;
    if (newer !== null) newer.older = older;
    else if (older !== null) this.#newest.set(key, older);
    else this.#newest.delete(key);
  }

  #first(): Entry | null {
    while (this.#heap[0]?.deleted === true) {
      this.#pop();
      this.#deleted--;
    }
    return this.#heap[0] ?? null;
  }

  #compact(): void {
    const left = this.#heap.filter((entry) => !entry.deleted);
    this.#heap = [];
    this.#deleted = 0;
    for (const entry of left) this.#push(entry);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!entry.before(heap[above] as Entry)) break;
      heap[at] = heap[above] as Entry;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && (heap[below + 1] as Entry).before(heap[below] as Entry)) below++;
      if (last.before(heap[below] as Entry)) break;
      heap[at] = heap[below] as Entry;
      at = below;
    }
    heap[at] = last;
  }
}
