/**
 * Timers of one kind of time, in the order of their instants; one per key, namespace and instant. A deleted one stays where it is until its time
 * comes, or until half of them are such.
 */

import type { ByteReader, ByteWriter } from './value-codec.ts';

export interface Timer {
  readonly key: number;
  readonly namespace: string;
  /** ms; Infinity: the end of all time. */
  readonly time: number;
}

interface Entry extends Timer {
  deleted: boolean;
}

export class TimerQueue {
  #heap: Entry[] = [];
  readonly #byKey = new Map<number, Map<string, Entry>>();
  #deleted = 0;

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
    const timers = this.#byKey.get(key) ?? new Map<string, Entry>();
    this.#byKey.set(key, timers);
    const id = `${time} ${namespace}`;
    if (timers.has(id)) return;
    const entry = { key, namespace, time, deleted: false };
    timers.set(id, entry);
    this.#push(entry);
  }

  delete(key: number, namespace: string, time: number): void {
    const timers = this.#byKey.get(key);
    const entry = timers?.get(`${time} ${namespace}`);
    if (entry === undefined) return;
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

  /** Keys that have timers. */
  keys(): IterableIterator<number> {
    return this.#byKey.keys();
  }

  save(key: number, to: ByteWriter): void {
    const timers = [...(this.#byKey.get(key)?.values() ?? [])];
    to.varint(timers.length);
    for (const { namespace, time } of timers) {
      to.string(namespace);
      to.f64(time);
    }
  }

  load(key: number, from: ByteReader): void {
    for (let n = from.varint(); n > 0; n--) this.add(key, from.string(), from.f64());
  }

  /** An estimate. */
  get bytes(): number {
    return this.#heap.length * 96;
  }

  #forget({ key, namespace, time }: Timer): void {
    const timers = this.#byKey.get(key);
    timers?.delete(`${time} ${namespace}`);
    if (timers?.size === 0) this.#byKey.delete(key);
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
      if ((heap[above] as Entry).time <= entry.time) break;
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
      if (below + 1 < size && (heap[below + 1] as Entry).time < (heap[below] as Entry).time) below++;
      if ((heap[below] as Entry).time >= last.time) break;
      heap[at] = heap[below] as Entry;
      at = below;
    }
    heap[at] = last;
  }
}
