/**
 * Rows that were asked for, and the watermarks and changes of status among them, until they may go out (`flink-reference` §7):
 *
 *   ordered     head only:  a? b! c! W d!      nothing goes before a is answered
 *   unordered   segments:  {a? b! c!} W {d!}   b and c go at once, W behind a, d behind W
 */

import type { OutputTag } from './process.ts';

type PlainRow = Readonly<Record<string, unknown>>;

export interface SideRow {
  readonly tag: OutputTag;
  readonly row: PlainRow;
}

/** What becomes of a row. */
export interface AsyncAnswer {
  readonly rows: readonly PlainRow[];
  readonly sides: readonly SideRow[];
}

export interface AsyncEntry {
  readonly row: Record<string, unknown>;
  /** Event timestamp, NaN: none. */
  readonly time: number;
  /** When the source read it (`Output.ingestedAt`). */
  readonly ingestedAt: number;
  /** Processing time at which it is given up, ms. */
  readonly deadline: number;
  /** How often it was asked for. */
  attempt: number;
  /** Processing time of the next attempt, ms; NaN: an answer is awaited. */
  retryAt: number;
  /** Null: none yet. */
  answer: AsyncAnswer | null;
  /** Which segment it is in. */
  segment: number;
}

/** A watermark, or a change of status. */
export type Mark =
  | { readonly kind: 'watermark'; readonly watermark: number; readonly ingestedAt: number }
  | { readonly kind: 'idle'; readonly idle: boolean };

export type QueueItem = { readonly kind: 'row'; readonly entry: AsyncEntry } | Mark;

export interface AsyncQueue {
  add(entry: AsyncEntry): void;
  mark(mark: Mark): void;
  /** `entry.answer` is there now. */
  answered(entry: AsyncEntry): void;
  /** What may go out next; null: something has to be answered before, or nothing is left. */
  peek(): QueueItem | null;
  /** Takes what `peek` showed. */
  shift(): void;
  /** Everything held, answered or not, in an order in which it can be asked again. */
  items(): Iterable<QueueItem>;
}

export class OrderedQueue implements AsyncQueue {
  readonly #items: QueueItem[] = [];

  add(entry: AsyncEntry): void {
    this.#items.push({ kind: 'row', entry });
  }

  mark(mark: Mark): void {
    this.#items.push(mark);
  }

  answered(_entry: AsyncEntry): void {}

  peek(): QueueItem | null {
    const head = this.#items[0] ?? null;
    return head?.kind === 'row' && head.entry.answer === null ? null : head;
  }

  shift(): void {
    this.#items.shift();
  }

  items(): Iterable<QueueItem> {
    return this.#items;
  }
}

/** Rows between two marks. */
interface Segment {
  readonly open: Set<AsyncEntry>;
  readonly answered: AsyncEntry[];
  /** What ends it; null: it is the last. */
  mark: Mark | null;
}

export class UnorderedQueue implements AsyncQueue {
  readonly #segments: Segment[] = [{ open: new Set(), answered: [], mark: null }];
  /** Number of the first segment. */
  #first = 0;

  add(entry: AsyncEntry): void {
    entry.segment = this.#first + this.#segments.length - 1;
    this.#segments.at(-1)?.open.add(entry);
  }

  mark(mark: Mark): void {
    (this.#segments.at(-1) as Segment).mark = mark;
    this.#segments.push({ open: new Set(), answered: [], mark: null });
  }

  answered(entry: AsyncEntry): void {
    const segment = this.#segments[entry.segment - this.#first] as Segment;
    segment.open.delete(entry);
    segment.answered.push(entry);
  }

  peek(): QueueItem | null {
    const { open, answered, mark } = this.#segments[0] as Segment;
    const [entry] = answered;
    if (entry !== undefined) return { kind: 'row', entry };
    return open.size === 0 ? mark : null;
  }

  shift(): void {
    if ((this.#segments[0] as Segment).answered.shift() !== undefined) return;
    this.#segments.shift();
    this.#first++;
  }

  *items(): Iterable<QueueItem> {
    for (const { open, answered, mark } of this.#segments) {
      for (const entry of answered) yield { kind: 'row', entry };
      for (const entry of open) yield { kind: 'row', entry };
      if (mark !== null) yield mark;
    }
  }
}
