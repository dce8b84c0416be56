/**
 * A source without an engine: enumerator and readers take turns in one thread, the run may be cut anywhere between two polls, and go on from
 * there at any parallelism.
 *
 *   const first = new SourceRun(source, { parallelism: 2 });
 *   await first.poll(0); await first.poll(1);
 *   const second = new SourceRun(source, { parallelism: 3, restored: first.snapshot() });
 *   await second.toEnd();
 *   [...first.rows, ...second.rows];
 */

import { ManualClock } from '#base/clock.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Fields } from '#engine/batch/schema.ts';
import { type Enumerator, Poll, type Source, type SourceReader, type Split } from '#engine/io/source.ts';
import { shareOf } from '#engine/state/operator-lists.ts';
import { EMPTY_SNAPSHOT } from '#engine/state/snapshot.ts';
import { ByteReader, ByteWriter } from '#engine/state/value-codec.ts';
import { type PlainRow, rowsOf } from './harness.ts';

/** As bytes: what is not plain data is refused. */
export interface SourceSnapshot {
  readonly enumerator: Uint8Array;
  /** Per subtask. */
  readonly splits: readonly (readonly Uint8Array[])[];
}

export interface ReadRow {
  readonly split: string;
  /** Bytes as text. */
  readonly row: PlainRow;
  readonly time: number | null;
}

export interface SourceRunOptions {
  readonly parallelism?: number;
  readonly restored?: SourceSnapshot;
  /** Rows of a batch. */
  readonly capacity?: number;
  readonly clock?: ManualClock;
}

interface Subtask {
  readonly reader: SourceReader;
  readonly dictionary: Dictionary;
  readonly batch: RecordBatch;
  readonly ids: string[];
  /** By index. */
  readonly finished: number[];
  ended: boolean;
}

export class SourceRun {
  readonly clock: ManualClock;
  readonly rows: ReadRow[] = [];
  /** Ids of splits that were read to their end. */
  readonly finished: string[] = [];
  readonly #subtasks: Subtask[];
  readonly #enumerator: Enumerator;
  readonly #mail: (() => void)[] = [];
  #failure: unknown = null;

  constructor(source: Source<Fields, Split>, options: SourceRunOptions = {}) {
    const { parallelism = 1, restored, capacity = 64, clock = new ManualClock() } = options;
    this.clock = clock;
    this.#enumerator = source.createEnumerator({
      restored: restored === undefined ? null : new ByteReader(restored.enumerator).value(),
      parallelism,
      clock,
      assign: (subtask, split) => this.#mail.push(() => this.#add(subtask, structuredClone(split))),
      noMoreSplits: (subtask) => this.#mail.push(() => this.#at(subtask).reader.noMoreSplits()),
      send: (subtask, event) => this.#mail.push(() => this.#at(subtask).reader.onEvent?.(structuredClone(event))),
      fail: (error) => {
        this.#failure = error;
      },
    });
    this.#subtasks = Array.from({ length: parallelism }, (_, subtask) => {
      const dictionary = new Dictionary();
      const finished: number[] = [];
      const reader = source.createReader({
        subtask,
        parallelism,
        clock,
        dictionary,
        requestSplit: () => this.#mail.push(() => this.#enumerator.onSplitRequest(subtask)),
        paused: new Set(),
        splitFinished: (index) => {
          finished.push(index);
          this.finished.push(this.#at(subtask).ids[index] as string);
        },
        wake: () => {},
        send: (event) => this.#mail.push(() => this.#enumerator.onReaderEvent?.(subtask, structuredClone(event))),
      });
      const batch = RecordBatch.allocate(source.schema, dictionary, capacity);
      return { reader, dictionary, batch, ids: [], finished, ended: false };
    });
    if (restored !== undefined) this.#restore(restored.splits);
    this.#enumerator.start();
    this.#deliver();
  }

  get ended(): boolean {
    return this.#subtasks.every((subtask) => subtask.ended);
  }

  /** One poll; mail is delivered behind it. */
  async poll(subtask: number): Promise<Poll> {
    const { reader, batch, ids, dictionary } = this.#at(subtask);
    batch.size = 0;
    batch.selection = null;
    for (const column of batch.columns) if ('reset' in column) column.reset();
    const found = reader.poll(batch);
    for (const [i, row] of rowsOf(batch).entries()) {
      const time = batch.time[i] as number;
      // Payloads are lent.
      const own = Object.fromEntries(
        Object.entries(row).map(([name, v]) => [name, v instanceof Uint8Array ? latin1(v) : v]),
      );
      this.rows.push({ split: ids[batch.split] as string, row: own, time: Number.isNaN(time) ? null : time });
    }
    if (found === Poll.END) this.#at(subtask).ended = true;
    if (found === Poll.WAIT && this.#mail.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (dictionary.sweepIfLarge()) reader.onDictionarySwept?.();
    this.#deliver();
    return found;
  }

  /** Polls subtasks in turns until all have ended; a millisecond passes with each round. */
  async toEnd(): Promise<this> {
    while (!this.ended) {
      for (const [i, subtask] of this.#subtasks.entries()) if (!subtask.ended) await this.poll(i);
      this.clock.advance(1);
    }
    this.close();
    return this;
  }

  control(event: unknown): void {
    this.#enumerator.onControl?.(structuredClone(event));
    this.#deliver();
  }

  snapshot(): SourceSnapshot {
    const enumerator = bytesOf(this.#enumerator.snapshot());
    return { enumerator, splits: this.#subtasks.map(({ reader }) => reader.snapshot().map(bytesOf)) };
  }

  close(): void {
    for (const { reader } of this.#subtasks) reader.close();
    this.#enumerator.close();
  }

  #restore(splits: SourceSnapshot['splits']): void {
    const snapshots = splits.map((items) => ({
      ...EMPTY_SNAPSHOT,
      operator: { splits: { redistribute: 'split' as const, items } },
    }));
    const parallelism = this.#subtasks.length;
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const share = shareOf(snapshots, { subtask, parallelism }).get('splits')?.items ?? [];
      for (const bytes of share) this.#add(subtask, new ByteReader(bytes).value() as Split);
    }
  }

  #add(subtask: number, split: Split): void {
    const { reader, ids } = this.#at(subtask);
    ids.push(split.id);
    reader.addSplit(split, ids.length - 1);
  }

  #deliver(): void {
    for (let letter = this.#mail.shift(); letter !== undefined; letter = this.#mail.shift()) letter();
    if (this.#failure !== null) throw this.#failure;
  }

  #at(subtask: number): Subtask {
    return this.#subtasks[subtask] as Subtask;
  }
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function bytesOf(value: unknown): Uint8Array {
  const to = new ByteWriter();
  to.value(value);
  return to.take();
}
