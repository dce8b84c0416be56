/** What a window keeps of its rows and what it makes of them: declared aggregates, a reduced row, or all rows for a process function. */

import { type Cursor, makeCursor, makeRowWriter, type RowWriter } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import { type ByteReader, type ByteWriter, readRow, writeRow } from '../batch/row-bytes.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import {
  type Accumulate,
  type AggregatePlan,
  type MergeAccumulators,
  makeAccumulate,
  makeMerge,
  makeWriteResults,
  type WriteResults,
} from './aggregates.ts';
import type { Numbers } from './number-cut.ts';
import type { SlotOwner } from './panes.ts';

export interface TimeWindow {
  readonly start: number;
  readonly end: number;
}

export interface WindowContents extends SlotOwner {
  /** Adds rows `from .. to` of those that count to `slots[i]`. Slot 0 is nobody's. */
  add(slots: Int32Array, batch: RecordBatch, from: number, to: number): void;
  /** Loads what `add` is going to touch, so that cache misses overlap; only worth it once the contents exceed the caches. */
  touch?(slots: Int32Array, from: number, to: number): void;
  /** Rows of the slot before are left that found no room: call `results` again, even if no slot is left. */
  readonly leftover: boolean;
  /** Writes the results of slots from `first` on behind `out.size` while there is room; returns the first slot not written. */
  results(first: number, last: number, keyOf: Int32Array, window: TimeWindow, out: RecordBatch): number;
  /** Adds the contents of slots `sources[i]` to those of `targets[i]` for `i < pairs`; the sources stay as they are. */
  merge(targets: Int32Array, sources: Int32Array, pairs: number): void;
  /** Merging is cheaper than keeping apart, and merged contents can be merged again: partial results are worth keeping. */
  readonly condenses: boolean;
  /** Contents that consist of numbers, as they are now: a snapshot copies them by the block, and writes them as `save` does. */
  readonly numbers?: Numbers;
  /** Writes the contents of a slot. */
  save(slot: number, to: ByteWriter): void;
  /** Fills a slot with what `save` wrote. */
  load(slot: number, from: ByteReader): void;
  /** Result values of one slot for a look from outside; empty where a result cannot be had without consequences. */
  peek(slot: number): number[];
  /** Bytes held. */
  readonly bytes: number;
}

/** Results: key, window_start, window_end, then the aggregates. */
export class AggregateContents implements WindowContents {
  readonly #plan: AggregatePlan;
  readonly #accumulate: Accumulate;
  readonly #write: WriteResults;
  readonly #peek: WriteResults;
  readonly #merge: MergeAccumulators;
  #acc = new Float64Array(0);
  readonly leftover = false;
  readonly condenses = true;

  constructor(plan: AggregatePlan) {
    this.#plan = plan;
    this.#accumulate = makeAccumulate(plan);
    this.#write = makeWriteResults(plan, 3);
    this.#peek = makeWriteResults(plan, 0);
    this.#merge = makeMerge(plan);
  }

  get bytes(): number {
    return this.#acc.byteLength;
  }

  get numbers(): Numbers {
    return { values: this.#acc, width: this.#plan.width };
  }

  grow(capacity: number): void {
    const acc = new Float64Array(capacity * this.#plan.width);
    acc.set(this.#acc);
    this.#acc = acc;
  }

  reset(first: number, last: number): void {
    const { width, initial } = this.#plan;
    const acc = this.#acc;
    for (let o = first * width; o < last * width; o += width)
      for (let i = 0; i < width; i++) acc[o + i] = initial[i] as number;
  }

  add(slots: Int32Array, batch: RecordBatch, from: number, to: number): void {
    this.#accumulate(this.#acc, slots, batch.columns, batch.selection, from, to);
  }

  touch(slots: Int32Array, from: number, to: number): void {
    const acc = this.#acc;
    if (acc.byteLength < 1 << 20) return;
    const width = this.#plan.width;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const o = (slots[i] as number) * width;
      sum += (acc[o] as number) + (acc[o + width - 1] as number);
    }
    // Never so: only keeps the loads alive.
    if (sum === 0.1234567) acc[0] = sum;
  }

  results(first: number, last: number, keyOf: Int32Array, window: TimeWindow, out: RecordBatch): number {
    const end = Math.min(last, first + out.capacity - out.size);
    const at = out.size;
    this.#write(this.#acc, first, end, out.columns, at);
    const [key, start, stop] = out.columns as [Int32Array, Float64Array, Float64Array];
    for (let slot = first, j = at; slot < end; slot++, j++) key[j] = keyOf[slot] as number;
    out.size = at + end - first;
    start.fill(window.start, at, out.size);
    stop.fill(window.end, at, out.size);
    return end;
  }

  merge(targets: Int32Array, sources: Int32Array, pairs: number): void {
    this.#merge(this.#acc, targets, sources, pairs);
  }

  save(slot: number, to: ByteWriter): void {
    const { width } = this.#plan;
    for (let i = slot * width; i < (slot + 1) * width; i++) to.f64(this.#acc[i] as number);
  }

  load(slot: number, from: ByteReader): void {
    const { width } = this.#plan;
    for (let i = slot * width; i < (slot + 1) * width; i++) this.#acc[i] = from.f64();
  }

  peek(slot: number): number[] {
    const columns = this.#plan.results.map(() => new Float64Array(1));
    this.#peek(this.#acc, slot, slot + 1, columns, 0);
    return columns.map((c) => c[0] as number);
  }
}

/** Combines the row so far with the next one; must be associative. `next` is valid only during the call. */
export type ReduceFunction<F extends Fields> = (soFar: Row<F>, next: Row<F>) => Row<F>;

/** One row of the input's schema per (key, window). */
export class ReduceContents implements WindowContents {
  readonly #schema: Schema;
  readonly #fn: ReduceFunction<Fields>;
  readonly #cursor: Cursor;
  readonly #write: RowWriter;
  #rows: (Record<string, unknown> | null)[] = [];
  readonly leftover = false;
  readonly condenses = true;

  constructor(schema: Schema, fn: ReduceFunction<Fields>) {
    this.#schema = schema;
    this.#fn = fn;
    this.#cursor = makeCursor(schema);
    this.#write = makeRowWriter(schema, 'reduce');
  }

  get bytes(): number {
    return this.#rows.length * 64;
  }

  grow(capacity: number): void {
    while (this.#rows.length < capacity) this.#rows.push(null);
  }

  reset(first: number, last: number): void {
    this.#rows.fill(null, first, last);
  }

  add(slots: Int32Array, batch: RecordBatch, from: number, to: number): void {
    const cursor = this.#cursor;
    cursor.$bind(batch);
    for (let i = from; i < to; i++) {
      const slot = slots[i] as number;
      if (slot === 0) continue;
      cursor.$k = batch.row(i);
      const soFar = this.#rows[slot] ?? null;
      const reduced: unknown =
        soFar === null ? cursor : this.#fn(soFar as Row<Fields>, cursor as unknown as Row<Fields>);
      // "The next one" is a fine answer, but it is valid only during the call.
      this.#rows[slot] = reduced === cursor ? cursor.$copy() : (reduced as Record<string, unknown>);
    }
  }

  results(first: number, last: number, _keyOf: Int32Array, _window: TimeWindow, out: RecordBatch): number {
    let slot = first;
    for (; slot < last && out.size < out.capacity; slot++) {
      this.#write(out, out.size, this.#rows[slot] as Record<string, unknown>);
      out.size++;
    }
    return slot;
  }

  merge(targets: Int32Array, sources: Int32Array, pairs: number): void {
    for (let i = 0; i < pairs; i++) {
      const target = targets[i] as number;
      const soFar = this.#rows[target] ?? null;
      const next = this.#rows[sources[i] as number] as Record<string, unknown>;
      this.#rows[target] =
        soFar === null ? { ...next } : (this.#fn(soFar as Row<Fields>, next as Row<Fields>) as Record<string, unknown>);
    }
  }

  save(slot: number, to: ByteWriter): void {
    writeRow(this.#schema, this.#rows[slot] as Record<string, unknown>, to);
  }

  load(slot: number, from: ByteReader): void {
    this.#rows[slot] = readRow(this.#schema, from);
  }

  peek(): number[] {
    return [];
  }
}

/** Gets all rows of a (key, window) when it fires; makes any number of rows. */
export type ProcessWindowFunction<In extends Fields, Out extends Fields> = (
  key: string,
  window: TimeWindow,
  rows: readonly Row<In>[],
  out: { collect(row: Row<Out>): void },
) => void;

interface Arrival {
  readonly order: number;
  readonly row: Record<string, unknown>;
}

/** Keeps every row: memory grows with the input, unlike the other two. */
export class ListContents implements WindowContents {
  readonly #input: Schema;
  readonly #fn: ProcessWindowFunction<Fields, Fields>;
  readonly #cursor: Cursor;
  readonly #write: RowWriter;
  readonly #keyName: (code: number) => string;
  #lists: Arrival[][] = [];
  /** Rows of a window come in order of arrival, also when they were kept in several slices. */
  #arrivals = 0;
  readonly condenses = false;
  /** Rows made by the last call that found no room yet. */
  #left: Record<string, unknown>[] = [];

  constructor(
    input: Schema,
    output: Schema,
    fn: ProcessWindowFunction<Fields, Fields>,
    keyName: (code: number) => string,
  ) {
    this.#input = input;
    this.#fn = fn;
    this.#cursor = makeCursor(input);
    this.#write = makeRowWriter(output, 'window process');
    this.#keyName = keyName;
  }

  get leftover(): boolean {
    return this.#left.length > 0;
  }

  get bytes(): number {
    return this.#lists.length * 64;
  }

  grow(capacity: number): void {
    while (this.#lists.length < capacity) this.#lists.push([]);
  }

  reset(first: number, last: number): void {
    for (let slot = first; slot < last; slot++) this.#lists[slot] = [];
  }

  add(slots: Int32Array, batch: RecordBatch, from: number, to: number): void {
    const cursor = this.#cursor;
    cursor.$bind(batch);
    for (let i = from; i < to; i++) {
      const slot = slots[i] as number;
      if (slot === 0) continue;
      cursor.$k = batch.row(i);
      (this.#lists[slot] as Arrival[]).push({ order: this.#arrivals++, row: cursor.$copy() });
    }
  }

  results(first: number, last: number, keyOf: Int32Array, window: TimeWindow, out: RecordBatch): number {
    for (let slot = first; ; slot++) {
      while (this.#left.length > 0) {
        if (out.size === out.capacity) return slot;
        this.#write(out, out.size, this.#left.shift() as Record<string, unknown>);
        out.size++;
      }
      if (slot >= last) return slot;
      const list = (this.#lists[slot] as Arrival[]).sort((a, b) => a.order - b.order);
      const rows = list.map((arrival) => arrival.row) as Row<Fields>[];
      this.#fn(this.#keyName(keyOf[slot] as number), window, rows, {
        collect: (row) => this.#left.push(row as Record<string, unknown>),
      });
    }
  }

  merge(targets: Int32Array, sources: Int32Array, pairs: number): void {
    for (let i = 0; i < pairs; i++) {
      const list = this.#lists[targets[i] as number] as Arrival[];
      for (const arrival of this.#lists[sources[i] as number] as Arrival[]) list.push(arrival);
    }
  }

  save(slot: number, to: ByteWriter): void {
    const list = this.#lists[slot] as Arrival[];
    to.u32(list.length);
    for (const { order, row } of list) {
      to.f64(order);
      writeRow(this.#input, row, to);
    }
  }

  load(slot: number, from: ByteReader): void {
    const list = Array.from({ length: from.u32() }, () => ({ order: from.f64(), row: readRow(this.#input, from) }));
    this.#lists[slot] = list;
    this.#arrivals = Math.max(this.#arrivals, (list.at(-1)?.order ?? -1) + 1);
  }

  peek(): number[] {
    return [];
  }
}
