/**
 * Tumbling windows over keyed rows, in event time and in processing time (`flink-reference` §1.4-§1.6).
 *
 * Rows of a batch are handled in segments between which nothing can fire: find the slot of every row, then add them all in one loop. A row
 * that could make something fire at once (it is late but allowed, or opens a window that the next row's watermark already passes) ends its
 * segment.
 *
 *   batch ── segment ──> locate slots ──> add ──┐
 *     ^                                         │ watermark reached `nextFire`?
 *     └───────────── next segment <── fire ─────┘
 *
 * Order: fire, then clean up, then forward the watermark; windows fire in the order of their ends.
 */

import { WeirError } from '#base/errors.ts';
import { type Gather, makeGather } from '../batch/cursor.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { MAX_WATERMARK, NO_WATERMARK, Operator, type OperatorContext } from '../operators/operator.ts';
import type { Output } from '../operators/output.ts';
import { maxTimestampOf, startOf, type TumblingWindows } from './assigners.ts';
import type { WindowContents } from './contents.ts';
import { KeyCodes } from './key-codes.ts';
import { type Locate, makeLocate } from './locate.ts';
import { type Pane, Panes } from './panes.ts';

export interface WindowSettings {
  readonly windows: TumblingWindows;
  readonly allowedLatenessMs: number;
  /** Position of the key column. */
  readonly key: number;
  readonly results: Schema;
  /** Results start with a key column of codes (declared aggregates); otherwise the contents write their own keys. */
  readonly keyed: boolean;
  /** Tag and schema (input columns, then `watermark` and `late_by_ms`) of the late side output; null: late rows are dropped and counted. */
  readonly late: { readonly tag: string; readonly schema: Schema } | null;
  readonly contents: (keyName: (code: number) => string) => WindowContents;
}

/** A firing that may have to stop for credits. */
interface Firing {
  readonly pane: Pane;
  readonly ranges: Generator<[first: number, last: number]>;
  slot: number;
  last: number;
}

export class WindowOperator extends Operator {
  // Configuration.
  readonly #settings: WindowSettings;
  readonly #eventTime: boolean;
  readonly #locate: Locate;
  #lateOutput: Output | null = null;
  #gather!: Gather;

  // Keyed state.
  readonly #keys: KeyCodes;
  readonly contents: WindowContents;
  readonly panes: Panes;
  #watermark = NO_WATERMARK;
  /** Earliest instant at which a window fires or is cleaned up. */
  #nextFire = Number.POSITIVE_INFINITY;

  // Where the current step stands.
  #batch: RecordBatch | null = null;
  #next = 0;
  #codes: Int32Array = new Int32Array(0);
  readonly #slots = new Int32Array(BATCH_ROWS);
  #firing: Firing | null = null;
  readonly #dueQueue: Pane[] = [];
  /** A watermark to forward once everything it fires is out. */
  #forward = NO_WATERMARK;
  #forwarded = NO_WATERMARK;
  #stop = false;
  /** A late row's window, to be emitted again. */
  #refire: { readonly pane: Pane; slot: number; readonly last: number } | null = null;
  #results!: RecordBatch;
  #otherResults!: RecordBatch;
  #lateRows: RecordBatch | null = null;
  /** The late rows were emitted; they stay as they are until there are new ones, because their consumer may still be reading them. */
  #lateEmitted = false;
  readonly #lateRow = new Int32Array(1);

  constructor(settings: WindowSettings, keyKind: 'string' | 'i32') {
    super();
    this.#settings = settings;
    this.#eventTime = settings.windows.time === 'event';
    this.#locate = makeLocate(settings.windows);
    this.#keys = new KeyCodes(
      settings.key,
      keyKind,
      (mark) => this.#hold(mark),
      () => {},
    );
    this.contents = settings.contents((code) => this.#keys.name(code));
    this.panes = new Panes(this.contents);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const { late, results } = this.#settings;
    const dictionary = new Dictionary();
    this.#results = RecordBatch.allocate(results, dictionary);
    this.#otherResults = RecordBatch.allocate(results, dictionary);
    context.own(dictionary);
    // String keys come with a dictionary of somebody else's.
    if (this.#keys.dictionary !== null) context.own(this.#keys.dictionary);
    if (late !== null) {
      const output = context.sideOutput(late.tag);
      if (output.connected) {
        this.#lateOutput = output;
        this.#gather = makeGather(context.inputSchema as Schema);
        this.#lateRows = RecordBatch.allocate(late.schema);
      }
    }
  }

  processBatch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#next = 0;
    this.#codes = this.#keys.of(batch);
    const dictionary = this.#keys.dictionary;
    this.panes.reserveKeys(dictionary?.capacity ?? 0);
    if (this.#settings.keyed && dictionary !== null) {
      this.#results.dictionaries[0] = dictionary;
      this.#otherResults.dictionaries[0] = dictionary;
    }
    this.#run();
  }

  override processWatermark(watermark: number): void {
    if (!this.#eventTime && watermark !== MAX_WATERMARK) {
      this.output.watermark(watermark);
      return;
    }
    this.#watermark = watermark;
    this.#forward = watermark;
    this.#run();
  }

  override onTimer(now: number): void {
    if (this.#eventTime) return;
    this.#processingTime(now);
    this.#run();
  }

  /** Processing-time windows still open are emitted (Flink drops them): with the last watermark, or here if none came. */
  override endInput(): void {
    if (this.#eventTime) return;
    this.#watermark = Number.POSITIVE_INFINITY;
    this.#run();
  }

  override resume(): void {
    this.#run();
  }

  override get stateBytes(): number {
    return this.contents.bytes + this.panes.index.byteLength + this.panes.keyOf.byteLength;
  }

  /** `{keys: string[] | null, limit}`: the open windows of these keys (null: of any), at most `limit`. */
  override inspect(query: unknown): unknown {
    const { keys, limit } = query as { keys: readonly string[] | null; limit: number };
    const open: { key: string; start: number; end: number; values: number[] }[] = [];
    const dictionary = this.#keys.dictionary;
    let count = 0;
    for (const pane of this.panes.all()) {
      // Fired and kept for late events only: its result is out.
      if (pane.fired) continue;
      const start = startOf(this.#settings.windows, pane.number);
      const end = start + this.#settings.windows.sizeMs;
      const add = (slot: number): void => {
        const key = this.#keys.name(this.panes.keyOf[slot] as number);
        open.push({ key, start, end, values: this.contents.peek(slot) });
      };
      for (const [first, last] of this.panes.ranges(pane)) {
        count += last - first;
        if (keys === null) for (let slot = first; slot < last && open.length < limit; slot++) add(slot);
      }
      for (const key of keys ?? []) {
        const code = dictionary?.find(key) ?? -1;
        const slot = code >= 0 && code < this.panes.keys - 1 ? this.panes.lookup(pane, code) : 0;
        if (slot !== 0 && open.length < limit) add(slot);
      }
    }
    return { open, count };
  }

  #run(): void {
    this.pending = true;
    if (!this.#finishBatch() || !this.#fire() || !this.#forwardWatermark() || !this.#flush()) return;
    this.pending = false;
    if (!this.#eventTime) this.nextTimer = this.#nextFire + 1;
  }

  /**
   * Processing time as it counts here: it never steps back, and its "watermark" is the millisecond before, because rows may still come in
   * this one.
   */
  #processingTime(clock: number): number {
    this.#watermark = Math.max(this.#watermark, clock - 1);
    return this.#watermark + 1;
  }

  /** The rest of the current batch; false: out of credits. */
  #finishBatch(): boolean {
    const batch = this.#batch;
    if (batch === null) return true;
    const count = batch.count;
    const now = this.#eventTime ? 0 : this.#processingTime(this.context.clock.now());
    for (;;) {
      if (this.#refire !== null && !this.#emitRefire()) return false;
      if (!this.#fire() || !this.#forwardWatermark()) return false;
      if (this.#next >= count) break;
      const to = this.#segmentEnd(batch, count);
      if (to === this.#next) continue;
      this.#stop = false;
      const from = this.#next;
      const end = this.#locate(this.#slots, batch, this.#codes, from, to, now, this.panes, this);
      this.contents.touch?.(this.#slots, from, end);
      this.contents.add(this.#slots, batch, from, end);
      this.#next = end;
    }
    if (!this.#flushLate()) return false;
    this.#batch = null;
    return true;
  }

  /** Rows up to here have a watermark that makes nothing fire; moves the watermark to that of the first of them. */
  #segmentEnd(batch: RecordBatch, count: number): number {
    const watermarks = this.#eventTime ? batch.watermarks : null;
    if (watermarks === null) return count;
    const first = watermarks[batch.row(this.#next)] as number;
    if (first > this.#watermark) {
      this.#watermark = first;
      // What fires now fires before the row.
      if (first >= this.#nextFire) {
        this.#forward = first;
        return this.#next;
      }
    }
    if ((watermarks[batch.row(count - 1)] as number) < this.#nextFire) return count;
    let low = this.#next + 1;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((watermarks[batch.row(middle)] as number) >= this.#nextFire) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /**
   * The rare rows: first of a key in a window, first of a window, late. Returns the slot, or 0 for a row that counts nowhere.
   * Called by `locate`, which stops behind the row when `stop` says so.
   */
  place(number: number, code: number, k: number): number {
    if (Number.isNaN(number)) {
      throw new WeirError(
        'NO_TIMESTAMP',
        'A row without event timestamp reached an event-time window: assign timestamps and watermarks before it, or use processing time.',
      );
    }
    if (code < 0) {
      throw new WeirError(
        'NULL_KEY',
        'A row with a null key reached a window: give it a key, or filter it out before.',
      );
    }
    const batch = this.#batch as RecordBatch;
    let pane = this.panes.find(number);
    if (pane === null) {
      const watermark = this.#eventTime
        ? Math.max(this.#watermark, batch.watermarks?.[k] ?? NO_WATERMARK)
        : NO_WATERMARK;
      const fires = maxTimestampOf(this.#settings.windows, number);
      if (this.#eventTime && fires + this.#settings.allowedLatenessMs <= watermark) {
        this.#late(batch, k, watermark);
        return 0;
      }
      pane = this.panes.open(number);
      if (fires <= watermark) {
        this.panes.markFired(pane);
        this.#nextFire = Math.min(this.#nextFire, fires + this.#settings.allowedLatenessMs);
        this.#stop = true;
      } else if (fires < this.#nextFire) {
        this.#nextFire = fires;
        this.#stop = batch.watermarks !== null;
      }
    }
    const slot = this.panes.slot(pane, code);
    if (pane.fired) {
      this.#refire = { pane, slot, last: slot + 1 };
      this.#stop = true;
    }
    return slot;
  }

  get stop(): boolean {
    return this.#stop;
  }

  #late(batch: RecordBatch, k: number, watermark: number): void {
    const late = this.#lateRows;
    if (late === null) {
      const cells = this.context.cells;
      cells[OperatorCell.LATE_DROPPED] = (cells[OperatorCell.LATE_DROPPED] as number) + 1;
      return;
    }
    if (this.#lateEmitted) {
      this.#lateEmitted = false;
      late.size = 0;
      for (const column of late.columns) if ('reset' in column) column.reset();
    }
    const at = late.size;
    this.#lateRow[0] = k;
    this.#gather(batch, this.#lateRow, 0, 1, late, at);
    const width = batch.columns.length;
    (late.columns[width] as Float64Array)[at] = watermark;
    (late.columns[width + 1] as Float64Array)[at] = watermark - (batch.time[k] as number);
    late.size = at + 1;
  }

  #flushLate(): boolean {
    const late = this.#lateRows;
    if (late === null || late.size === 0 || this.#lateEmitted) return true;
    const output = this.#lateOutput as Output;
    if (!output.ready()) return false;
    this.#lateEmitted = true;
    output.emit(late);
    return true;
  }

  /** The whole updated result of one key, for one late row. */
  #emitRefire(): boolean {
    if (this.#refire !== null && !this.#emitResults(this.#refire)) return false;
    this.#refire = null;
    return true;
  }

  /** Writes the results of slots from `at.slot` on; true when all are written. Without credits `at` says where to go on. */
  #emitResults(at: { readonly pane: Pane; slot: number; readonly last: number }): boolean {
    const window = this.#windowOf(at.pane);
    while (at.slot < at.last || this.contents.leftover) {
      if (this.#results.size === this.#results.capacity && !this.#flush()) return false;
      const results = this.#results;
      const from = results.size;
      at.slot = this.contents.results(at.slot, at.last, this.panes.keyOf, window, results);
      results.time.fill(window.end - 1, from, results.size);
      if (this.#settings.keyed) this.#keys.restore(results.columns[0] as Int32Array, from, results.size);
    }
    return true;
  }

  /** Everything the current watermark makes due, in the order of window ends; false: out of credits. */
  #fire(): boolean {
    for (;;) {
      const firing = this.#firing;
      if (firing !== null) {
        for (;;) {
          if (!this.#emitResults(firing)) return false;
          const range = firing.ranges.next();
          if (range.done === true) break;
          [firing.slot, firing.last] = range.value;
        }
        this.#firing = null;
        if (this.#settings.allowedLatenessMs > 0 && this.#eventTime) this.panes.markFired(firing.pane);
        else this.panes.close(firing.pane);
      }
      const due = this.#dueQueue.pop();
      if (due !== undefined) {
        this.#firing = { pane: due, ranges: this.panes.ranges(due), slot: 0, last: 0 };
      } else {
        if (this.#nextFire === Number.POSITIVE_INFINITY || this.#nextFire > this.#watermark) return true;
        this.#findDue();
      }
    }
  }

  /** Cleans up what has served its lateness, queues what fires now (latest end first), and finds the next instant to act at. */
  #findDue(): void {
    const { windows, allowedLatenessMs } = this.#settings;
    let next = Number.POSITIVE_INFINITY;
    for (const pane of [...this.panes.all()]) {
      const fires = maxTimestampOf(windows, pane.number);
      const acts = pane.fired ? fires + allowedLatenessMs : fires;
      if (acts > this.#watermark) next = Math.min(next, acts);
      else if (pane.fired) this.panes.close(pane);
      else this.#dueQueue.push(pane);
    }
    this.#dueQueue.sort((a, b) => b.number - a.number);
    // With windows to fire this is asked again once they have: lateness makes them due for cleaning up.
    this.#nextFire = this.#dueQueue.length === 0 ? next : NO_WATERMARK;
  }

  #flush(): boolean {
    if (this.#results.size === 0) return true;
    if (!this.output.ready()) return false;
    const results = this.#results;
    this.output.emit(results);
    // The consumer may still be reading it, but has done with the one before.
    this.#results = this.#otherResults;
    this.#otherResults = results;
    this.#results.size = 0;
    for (const column of this.#results.columns) if ('reset' in column) column.reset();
    return true;
  }

  /** Results first, then the watermark that fired them. */
  #forwardWatermark(): boolean {
    if (this.#forward <= this.#forwarded) return true;
    if (!this.#flush() || !this.output.ready()) return false;
    this.#forwarded = this.#forward;
    this.output.watermark(this.#forward);
    return true;
  }

  #windowOf(pane: Pane): { start: number; end: number } {
    const start = startOf(this.#settings.windows, pane.number);
    return { start, end: start + this.#settings.windows.sizeMs };
  }

  /** Codes of open windows. */
  #hold(mark: (code: number) => void): void {
    for (const pane of this.panes.all()) {
      for (const [first, last] of this.panes.ranges(pane)) {
        for (let slot = first; slot < last; slot++) mark(this.panes.keyOf[slot] as number);
      }
    }
  }
}
