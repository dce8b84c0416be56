/**
 * Contents of windows of which a snapshot can be written while rows go on being added: whoever adds to a slot, or empties it, has it secured
 * first. Without a snapshot that costs one look per call. Numbers are secured by the block, everything else slot by slot.
 */

import type { RecordBatch } from '../batch/record-batch.ts';
import { type ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import { type Cut, Cuts } from '../state/cut.ts';
import type { TimeWindow, WindowContents } from './contents.ts';
import { NumberCut, type Numbers, SpareRooms } from './number-cut.ts';

/** Contents of slots at one moment. */
export interface ContentsCut {
  /** Puts the contents of a slot into `to`; once. */
  take(slot: number, to: ByteWriter): void;
}

export class TimelyContents implements WindowContents {
  readonly #contents: WindowContents;
  /** Slots there are. */
  #capacity = 0;
  readonly #cuts = new Cuts<ByteWriter>();
  readonly #numberCuts: NumberCut[] = [];
  readonly #spare = new SpareRooms();

  constructor(contents: WindowContents) {
    this.#contents = contents;
  }

  /** The contents of these slots as of now, as `save` would write them; `end` it. */
  cut(ranges: Iterable<readonly [first: number, end: number]>): NumberCut | Cut<ByteWriter> {
    if (this.#contents.numbers !== undefined) {
      const cut = new NumberCut(() => this.#contents.numbers as Numbers, this.#capacity, ranges, this.#spare);
      this.#numberCuts.push(cut);
      return cut;
    }
    const write = (slot: number, to: ByteWriter): void => this.#contents.save(slot, to);
    return this.#cuts.begin({ entries: this.#capacity, write, scratch: new ByteWriter(), ranges });
  }

  end(cut: NumberCut | Cut<ByteWriter>): void {
    if (cut instanceof NumberCut) {
      this.#numberCuts.splice(this.#numberCuts.indexOf(cut), 1);
      cut.end();
    } else this.#cuts.end(cut);
  }

  add(slots: Int32Array, batch: RecordBatch, from: number, to: number): void {
    this.#secure(slots, from, to);
    this.#contents.add(slots, batch, from, to);
  }

  merge(targets: Int32Array, sources: Int32Array, pairs: number): void {
    this.#secure(targets, 0, pairs);
    this.#contents.merge(targets, sources, pairs);
  }

  reset(first: number, last: number): void {
    if (this.#cuts.any) for (let slot = first; slot < last; slot++) this.#cuts.secure(slot);
    for (const cut of this.#numberCuts) for (let slot = first; slot < last; slot++) cut.secure(slot);
    this.#contents.reset(first, last);
  }

  grow(capacity: number): void {
    this.#capacity = capacity;
    this.#contents.grow(capacity);
  }

  touch(slots: Int32Array, from: number, to: number): void {
    this.#contents.touch?.(slots, from, to);
  }

  get leftover(): boolean {
    return this.#contents.leftover;
  }

  results(first: number, last: number, keyOf: Int32Array, window: TimeWindow, out: RecordBatch): number {
    return this.#contents.results(first, last, keyOf, window, out);
  }

  get condenses(): boolean {
    return this.#contents.condenses;
  }

  save(slot: number, to: ByteWriter): void {
    this.#contents.save(slot, to);
  }

  load(slot: number, from: ByteReader): void {
    this.#contents.load(slot, from);
  }

  peek(slot: number): number[] {
    return this.#contents.peek(slot);
  }

  get bytes(): number {
    return this.#contents.bytes + this.#spare.bytes;
  }

  #secure(slots: Int32Array, from: number, to: number): void {
    for (const cut of this.#numberCuts) cut.secureAll(slots, from, to);
    if (this.#cuts.any) for (let i = from; i < to; i++) this.#cuts.secure(slots[i] as number);
  }
}
