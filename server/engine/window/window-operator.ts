/**
 * Tumbling, sliding and cumulating windows over keyed rows, in event time and in processing time (`flink-reference` §1.4-§1.6).
 *
 * Rows are added to slices of time (`slices.ts`), which windows are made of when they fire. Rows of a batch are handled in segments between
 * which nothing can fire: find the slot of every row, then add them all in one loop. A row that could make something fire at once (it is
 * late but allowed, or opens a slice whose window the next row's watermark already passes) ends its segment.
 *
 *   batch ── segment ──> locate slots ──> add ──┐
 *     ^                                         │ watermark reached `nextFire`?
 *     └───────────── next segment <── fire ─────┘
 *
 * Order: fire, then clean up, then forward the watermark; windows fire in the order of their ends.
 */

import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { MAX_WATERMARK, NO_WATERMARK, Operator, type OperatorContext } from '../operators/operator.ts';
import type { KeyedBlock } from '../state/keyed-blocks.ts';
import type { TakenSnapshot } from '../state/snapshot.ts';
import { Agenda } from './agenda.ts';
import type { AlignedWindows } from './assigners.ts';
import { BlockMemory } from './block-memory.ts';
import type { WindowContents } from './contents.ts';
import { KeyCodes } from './key-codes.ts';
import { LateRows, type LateSettings } from './late-rows.ts';
import { type Locate, makeLocate, refuseMisfits } from './locate.ts';
import { MergedSlices } from './merged-slices.ts';
import { keysOf, type OpenWindowsQuery, openWindows } from './open-windows.ts';
import { type Pane, Panes } from './panes.ts';
import { ResultBatches } from './result-batches.ts';
import { type Emission, Results } from './results.ts';
import { Slices } from './slices.ts';
import { TimelyContents } from './timely-contents.ts';
import { loadFiredUntil, loadWindows, saveWindows } from './window-state.ts';

export interface WindowSettings {
  readonly windows: AlignedWindows;
  readonly allowedLatenessMs: number;
  /** Position of the key column. */
  readonly key: number;
  readonly results: Schema;
  /** Results start with a key column of codes (declared aggregates); otherwise the contents write their own keys. */
  readonly keyed: boolean;
  /** Null: late rows are dropped and counted. */
  readonly late: LateSettings | null;
  readonly contents: (keyName: (code: number) => string) => WindowContents;
}

/** Windows `window .. last` fire for one key only: a late but allowed row makes them fire again, or others have fired for their keys before. */
interface FiringOfKey {
  code: number;
  window: number;
  readonly last: number;
}

export class WindowOperator extends Operator {
  // Configuration.
  readonly #settings: WindowSettings;
  readonly #eventTime: boolean;
  readonly #slices: Slices;
  readonly #locate: Locate;

  // Keyed state.
  readonly #keys: KeyCodes;
  readonly contents: TimelyContents;
  readonly panes: Panes;
  readonly #agenda: Agenda;
  readonly #merged: MergedSlices;
  readonly #blockMemory = new BlockMemory();
  /** In event time that of the input, in processing time the last millisecond that is over. */
  #watermark = NO_WATERMARK;
  /** Earliest watermark at which a window fires or a slice is cleaned up. */
  #nextFire = Number.POSITIVE_INFINITY;

  // Where the current step stands.
  #batch: RecordBatch | null = null;
  #next = 0;
  #codes: Int32Array = new Int32Array(0);
  readonly #slots = new Int32Array(BATCH_ROWS);
  #stop = false;
  #firing: Emission | null = null;
  /** A row that is late for some windows, at the end of its segment. */
  #late: (FiringOfKey & { readonly slice: number }) | null = null;
  readonly #again: FiringOfKey[] = [];
  /** How far the windows of each restored key group had fired. */
  #restored: ReadonlyMap<number, number> = new Map();
  /** In event time: how far those had that had fired most. Below it each key group has a watermark of its own (SL8). */
  #ahead = NO_WATERMARK;
  /** Taken over at the start. */
  #blocks: KeyedBlock[] = [];
  #results!: Results;
  #lateRows!: LateRows;
  /** A watermark to forward once everything it fires is out. */
  #forward = NO_WATERMARK;
  #forwarded = NO_WATERMARK;

  constructor(settings: WindowSettings, keyKind: 'string' | 'i32') {
    super();
    const { windows } = settings;
    this.#settings = settings;
    this.#eventTime = windows.time === 'event';
    this.#slices = new Slices(windows);
    this.#locate = makeLocate(this.#slices, windows.time);
    const recode = (codeOf: (code: number) => number): void => this.#recode(codeOf);
    this.#keys = new KeyCodes(settings.key, keyKind, (mark) => this.panes.hold(mark), recode);
    this.contents = new TimelyContents(settings.contents((code) => this.#keys.name(code)));
    this.panes = new Panes(this.contents);
    this.#agenda = new Agenda(this.#slices, this.#eventTime ? settings.allowedLatenessMs : 0);
    this.#merged = new MergedSlices(this.#slices, this.#agenda, this.panes, this.contents);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const batches = new ResultBatches(this.#settings.results);
    context.own(batches.dictionary);
    this.#results = new Results(this.output, batches, this.#settings.keyed, this.contents, this.panes, this.#keys);
    this.#lateRows = new LateRows(this.#settings.late, context.inputSchema as Schema, context);
    // Null for strings: they come with a dictionary of somebody else's.
    if (this.#keys.dictionary !== null) context.own(this.#keys.dictionary);
  }

  processBatch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#next = 0;
    this.#codes = this.#keys.of(batch);
    this.panes.reserveKeys(this.#keys.dictionary?.capacity ?? 0);
    this.#results.adoptKeys();
    this.#run();
  }

  override processWatermark(watermark: number): void {
    if (!this.#eventTime && watermark !== MAX_WATERMARK) {
      this.output.watermark(watermark);
      return;
    }
    this.#watermark = Math.max(this.#watermark, watermark);
    this.#forward = this.#watermark;
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

  override snapshot(): TakenSnapshot {
    const { maxParallelism } = this.context;
    const overdue = this.#again.length > 0;
    const fired = this.#watermark;
    const firedUntil = (group: number): number => {
      const restored = this.#restored.get(group) ?? fired;
      if (this.#eventTime) return Math.max(fired, restored);
      return overdue ? restored : fired;
    };
    const saved = saveWindows(this.panes, this.#keys, this.contents, maxParallelism, firedUntil, this.#blockMemory);
    return { watermark: this.#eventTime ? fired : this.inputWatermark, operator: {}, ...saved };
  }

  /** How far windows have fired has to be known of all groups before the first is taken over. */
  override load(block: KeyedBlock): void {
    this.#blocks.push(block);
  }

  /**
   * Key groups of several subtasks have not all fired equally far. Where clocks differ, windows that have fired for some are overdue for others,
   * and come out before anything else happens. Watermarks differ where a barrier has overtaken one of them: the subtask goes on from the lowest,
   * and what has fired for a key group does not fire for it again (SL8).
   */
  override start(): void {
    const blocks = this.#blocks;
    this.#blocks = [];
    this.#restored = loadFiredUntil(blocks);
    if (!this.#eventTime) this.#watermark = Math.max(NO_WATERMARK, ...this.#restored.values());
    else {
      this.#watermark = this.inputWatermark;
      this.#ahead = Math.max(NO_WATERMARK, ...this.#restored.values());
    }
    const overdue = new Map<number, Set<number>>();
    loadWindows(blocks, this.panes, this.#keys, this.contents, (slice, code, firedUntil) => {
      const fired = this.#slices.lastEnded(this.#eventTime ? this.#watermark : firedUntil);
      const { window, last } = this.#agenda.ended(slice, fired, this.#watermark);
      for (let n = window; n <= last; n++) overdue.set(n, (overdue.get(n) ?? new Set()).add(code));
      return this.panes.find(slice) ?? this.#open(slice, this.#watermark);
    });
    for (const [window, codes] of [...overdue].sort(([a], [b]) => a - b)) {
      for (const code of codes) this.#again.push({ code, window, last: window });
    }
    this.#results.adoptKeys();
    this.#agenda.pass(this.#watermark);
    this.#nextFire = this.#agenda.instant;
    if (!this.#eventTime) this.nextTimer = this.#again.length > 0 ? 0 : this.#nextFire + 1;
  }

  override get stateBytes(): number {
    const { contents, panes } = this;
    const held = contents.bytes + panes.index.byteLength + panes.keyOf.byteLength;
    return held + this.#keys.size + this.#blockMemory.bytes;
  }

  /** An `OpenWindowsQuery` gets an `OpenWindowsAnswer`. */
  override inspect(query: unknown): unknown {
    return openWindows(query as OpenWindowsQuery, {
      slices: this.#slices,
      agenda: this.#agenda,
      panes: this.panes,
      codes: this.#keys,
      contents: this.contents,
      merged: this.#merged,
      over: (window, code) => this.#overFor(window, code),
    });
  }

  #run(): void {
    this.pending = true;
    if (
      !this.#fireAgain() ||
      !this.#finishBatch() ||
      !this.#fire() ||
      !this.#forwardWatermark() ||
      !this.#results.flush()
    )
      return;
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
      if (!this.#fireAgain() || !this.#fire() || !this.#forwardWatermark()) return false;
      if (this.#next >= count) break;
      const to = this.#segmentEnd(batch, count);
      if (to === this.#next) continue;
      this.#stop = false;
      const from = this.#next;
      const end = this.#locate(this.#slots, batch, this.#codes, from, to, now, this.panes, this);
      this.contents.touch(this.#slots, from, end);
      this.contents.add(this.#slots, batch, from, end);
      this.#next = end;
      if (this.#late !== null) {
        this.#merged.changed(this.#late.slice, this.#late.code);
        this.#again.push(this.#late);
        this.#late = null;
      }
    }
    if (!this.#lateRows.flush()) return false;
    // Nothing fires at it, or it would have fired before its row.
    if (this.#eventTime && batch.watermarks !== null)
      this.#watermark = Math.max(this.#watermark, batch.watermarks[batch.row(count - 1)] as number);
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
    let [low, high] = [this.#next + 1, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((watermarks[batch.row(middle)] as number) >= this.#nextFire) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /**
   * The rare rows: first of a key in a slice, first of a slice, late. Returns the slot, or 0 for a row that counts nowhere.
   * Called by `locate`, which stops behind the row when `stop` says so.
   */
  place(slice: number, code: number, k: number): number {
    refuseMisfits(slice, code);
    const batch = this.#batch as RecordBatch;
    const input = this.#eventTime ? Math.max(this.#watermark, batch.watermarks?.[k] ?? NO_WATERMARK) : NO_WATERMARK;
    const watermark = input < this.#ahead ? Math.max(input, this.#firedFor(code)) : input;
    let pane = this.panes.find(slice);
    const gap = this.#slices.firstWindow(slice) > this.#slices.lastWindow(slice);
    if (gap || this.#agenda.expires(slice) <= watermark) {
      // A row between windows is late only if it is so by itself.
      const expires = (batch.time[k] as number) + this.#settings.allowedLatenessMs;
      if (this.#eventTime && expires <= watermark) this.#lateRows.add(batch, k, watermark);
      return 0;
    }
    if (pane === null) {
      pane = this.#open(slice, input);
      this.#agenda.pass(input);
      const { instant } = this.#agenda;
      if (instant < this.#nextFire) {
        this.#nextFire = instant;
        this.#stop = batch.watermarks !== null;
      }
    }
    const slot = this.panes.slot(pane, code);
    if (pane.fired) {
      this.#late = { slice, code, ...this.#agenda.living(slice, watermark) };
      this.#stop = true;
    }
    return slot;
  }

  get stop(): boolean {
    return this.#stop;
  }

  /** How far windows had fired for a key when it was restored. */
  #firedFor(code: number): number {
    return this.#restored.get(this.#keys.group(code, this.context.maxParallelism)) ?? NO_WATERMARK;
  }

  /** A slice from now on; if the watermark has passed a window that it is in, for whatever key, rows in it may be late for that. */
  #open(slice: number, watermark: number): Pane {
    const pane = this.panes.open(slice);
    this.#agenda.add(slice);
    const first = this.#slices.maxTimestamp(this.#slices.firstWindow(slice));
    if (first <= Math.max(watermark, this.#ahead)) this.panes.markFired(pane);
    return pane;
  }

  /** The whole updated results of one key, for one late row, in the order of window ends. */
  #fireAgain(): boolean {
    for (;;) {
      const again = this.#again[0];
      if (again === undefined) return true;
      for (; again.window <= again.last; again.window++) {
        this.#firing ??= this.#emissionOfKey(again);
        if (!this.#results.write(this.#firing)) return false;
        this.#release(this.#firing);
      }
      this.#again.shift();
    }
  }

  #emissionOfKey({ window, code }: FiringOfKey): Emission {
    const times = this.#slices.window(window);
    const pane = this.#slices.perWindow === 1 ? this.panes.find(this.#slices.first(window)) : null;
    if (pane === null) return this.#results.of(this.#merged.ofKey(window, code), times);
    return this.#results.ofSlot(pane, this.panes.lookup(pane, code), times);
  }

  /** Everything the current watermark makes due, in the order of window ends; false: out of credits. */
  #fire(): boolean {
    for (;;) {
      if (!this.#fireAgain()) return false;
      if (this.#firing !== null) {
        if (!this.#results.write(this.#firing)) return false;
        this.#release(this.#firing);
        this.#cleanUp();
      }
      if (this.#nextFire === Number.POSITIVE_INFINITY || this.#nextFire > this.#watermark) return true;
      const window = this.#agenda.next();
      if (window !== null && this.#slices.maxTimestamp(window) <= this.#watermark) {
        this.#begin(window);
      } else {
        this.#agenda.pass(this.#watermark);
        this.#cleanUp();
        this.#nextFire = this.#agenda.instant;
      }
    }
  }

  /** From now on rows of this window are late for it. */
  #begin(window: number): void {
    for (const slice of this.#agenda.fire(window)) this.panes.markFired(this.panes.find(slice) as Pane);
    if (this.#slices.maxTimestamp(window) <= this.#ahead) {
      for (const code of this.#keysIn(window)) this.#again.push({ code, window, last: window });
      return;
    }
    const alone = this.#slices.perWindow === 1 ? this.panes.find(this.#slices.first(window)) : null;
    this.#firing = this.#results.of(alone ?? this.#merged.of(window), this.#slices.window(window));
  }

  /** A window that has yet to fire here had fired for this key when it was restored. */
  #overFor(window: number, code: number): boolean {
    const instant = this.#slices.maxTimestamp(window);
    return instant <= this.#ahead && instant <= this.#firedFor(code);
  }

  /** Codes of keys in a window that is not over for them. */
  #keysIn(window: number): Set<number> {
    const slices = this.#agenda.slices(this.#slices.first(window), this.#slices.end(window));
    const panes = [...slices].map((slice) => this.panes.find(slice) as Pane);
    return new Set(keysOf(panes, this.panes).filter((code) => !this.#overFor(window, code)));
  }

  #release({ pane }: Emission): void {
    if (this.#slices.perWindow > 1) this.#merged.release(pane);
    this.#firing = null;
  }

  /** Forgets slices that no living window needs. */
  #cleanUp(): void {
    for (;;) {
      const slice = this.#agenda.expired(this.#watermark);
      if (slice === null) return;
      this.#merged.forget(slice);
      this.panes.close(this.panes.find(slice) as Pane);
      this.#agenda.drop();
    }
  }

  /** Results first, then the watermark that fired them. */
  #forwardWatermark(): boolean {
    if (this.#forward <= this.#forwarded) return true;
    if (!this.#results.flush() || !this.output.ready()) return false;
    this.#forwarded = this.#forward;
    this.output.watermark(this.#forward);
    return true;
  }

  /** Rows come with another dictionary from now on. */
  #recode(codeOf: (code: number) => number): void {
    this.#merged.reset();
    this.panes.recode(codeOf);
    for (const again of this.#again) again.code = codeOf(again.code);
  }
}
