/**
 * Session windows over keyed rows with the default trigger, in event time and in processing time (`flink-reference` §1.4-§1.7).
 *
 * Rows of a batch are handled in segments between which nothing can fire, as in `window-operator.ts`: find the session of every row, then add
 * them all in one loop. A row that brings two sessions together ends the segment in front of it, so that no row is still on its way to the one
 * that goes. Touching sessions are one; the contents of the earlier one take in those of the later.
 *
 * A session fires when the watermark reaches its last instant. Then it waits for its lateness; a row that comes meanwhile makes it fire again
 * at once, or, if it moves the end behind the watermark, in time. Flink refuses a merge that ends before the watermark: here as there every
 * open session ends (lateness included) behind the watermark, so whatever it merges into does too, and the case cannot come.
 */

import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { MAX_WATERMARK, NO_WATERMARK, Operator, type OperatorContext } from '../operators/operator.ts';
import type { KeyedBlock } from '../state/keyed-blocks.ts';
import type { TakenSnapshot } from '../state/snapshot.ts';
import type { WindowContents } from './contents.ts';
import { KeyCodes } from './key-codes.ts';
import { LateRows, type LateSettings } from './late-rows.ts';
import { refuseMisfits } from './locate.ts';
import { type LocateSession, makeLocateSession } from './locate-session.ts';
import { ResultBatches } from './result-batches.ts';
import { loadSessions, saveSessions } from './session-state.ts';
import type { SessionWindows } from './session-windows.ts';
import { Sessions } from './sessions.ts';
import { TimelyContents } from './timely-contents.ts';

export interface SessionSettings {
  readonly windows: SessionWindows;
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

export class SessionOperator extends Operator {
  // Configuration.
  readonly #settings: SessionSettings;
  readonly #eventTime: boolean;
  readonly #latenessMs: number;
  readonly #locate: LocateSession;
  #late!: LateRows;

  // Keyed state.
  readonly #keys: KeyCodes;
  readonly #contents: TimelyContents;
  readonly #sessions: Sessions;
  /** In processing time: the last millisecond that has passed. */
  #watermark = NO_WATERMARK;
  /** Earliest instant at which a session may fire or go. */
  #nextDue = Number.POSITIVE_INFINITY;

  // Where the current step stands.
  #batch: RecordBatch | null = null;
  #next = 0;
  #codes: Int32Array = new Int32Array(0);
  readonly #slots = new Int32Array(BATCH_ROWS);
  /** Watermark up to which nothing was due when the segment was cut. */
  #segmentWatermark = NO_WATERMARK;
  /** The session that is firing, and the first slot whose results are not written; 0: none. */
  #firing = 0;
  #unwritten = 0;
  /** A watermark to forward once everything it fires is out. */
  #forward = NO_WATERMARK;
  #forwarded = NO_WATERMARK;
  #stop = false;
  readonly #target = new Int32Array(1);
  readonly #source = new Int32Array(1);
  #results!: ResultBatches;
  readonly #dueOf = (slot: number): number => this.#due(slot);

  constructor(settings: SessionSettings, keyKind: 'string' | 'i32') {
    super();
    this.#settings = settings;
    this.#eventTime = settings.windows.time === 'event';
    this.#latenessMs = this.#eventTime ? settings.allowedLatenessMs : 0;
    this.#locate = makeLocateSession(settings.windows);
    this.#keys = new KeyCodes(
      settings.key,
      keyKind,
      (mark) => this.#hold(mark),
      (codeOf) => this.#recode(codeOf),
    );
    this.#contents = new TimelyContents(settings.contents((code) => this.#keys.name(code)));
    this.#sessions = new Sessions(this.#contents);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    this.#results = new ResultBatches(this.#settings.results);
    context.own(this.#results.dictionary);
    // String keys come with a dictionary of somebody else's.
    if (this.#keys.dictionary !== null) context.own(this.#keys.dictionary);
    this.#late = new LateRows(this.#settings.late, context.inputSchema as Schema, context);
  }

  processBatch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#next = 0;
    this.#codes = this.#keys.of(batch);
    this.#adoptKeys();
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

  /** Sessions in processing time that are still open are emitted (Flink drops them): with the last watermark, or here if none came. */
  override endInput(): void {
    if (this.#eventTime) return;
    this.#watermark = MAX_WATERMARK;
    this.#run();
  }

  override resume(): void {
    this.#run();
  }

  override get stateBytes(): number {
    return this.#contents.bytes + this.#sessions.bytes + this.#keys.size;
  }

  /** `{keys: string[] | null, limit}`: the sessions of these keys (null: of any) that have not fired, at most `limit`. */
  override inspect(query: unknown): unknown {
    const { keys, limit } = query as { keys: readonly string[] | null; limit: number };
    const sessions = this.#sessions;
    const open: { key: string; start: number; end: number; values: number[] }[] = [];
    const add = (slot: number): void => {
      if (open.length >= limit || sessions.fired(slot)) return;
      const key = this.#keys.name(sessions.keyOf[slot] as number);
      open.push({ key, start: sessions.start(slot), end: sessions.end(slot), values: this.#contents.peek(slot) });
    };
    let count = 0;
    for (const slot of sessions.all()) {
      if (!sessions.fired(slot)) count++;
      if (keys === null) add(slot);
    }
    for (const key of keys ?? []) {
      const code = this.#keys.dictionary?.find(key) ?? -1;
      if (code >= 0) for (const slot of [...sessions.of(code)].reverse()) add(slot);
    }
    return { open, count };
  }

  override snapshot(): TakenSnapshot {
    const watermark = this.#eventTime ? this.#watermark : this.inputWatermark;
    const { maxParallelism } = this.context;
    const keyed = saveSessions(this.#sessions, this.#keys, this.#contents, maxParallelism);
    return { watermark, operator: {}, keyed };
  }

  override load([, bytes]: KeyedBlock): void {
    const sessions = this.#sessions;
    loadSessions(bytes, sessions, this.#keys, this.#contents, (slot) => sessions.schedule(slot, this.#due(slot)));
  }

  override start(): void {
    if (this.#eventTime) this.#watermark = this.inputWatermark;
    this.#adoptKeys();
    this.#nextDue = this.#sessions.earliest(this.#dueOf);
    if (!this.#eventTime) this.nextTimer = this.#nextDue + 1;
  }

  #run(): void {
    this.pending = true;
    if (!this.#finishBatch() || !this.#fire() || !this.#forwardWatermark() || !this.#results.flush(this.output)) return;
    this.pending = false;
    if (!this.#eventTime) this.nextTimer = this.#nextDue + 1;
  }

  /** Processing time as it counts here: it never steps back, and its "watermark" is the millisecond before. */
  #processingTime(clock: number): number {
    this.#watermark = Math.max(this.#watermark, clock - 1);
    return this.#watermark + 1;
  }

  /** The rest of the current batch; false: out of credits. */
  #finishBatch(): boolean {
    const batch = this.#batch;
    if (batch === null) return true;
    const { count } = batch;
    const now = this.#eventTime ? 0 : this.#processingTime(this.context.clock.now());
    for (;;) {
      if (!this.#fire() || !this.#forwardWatermark()) return false;
      if (this.#next >= count) break;
      const to = this.#segmentEnd(batch, count);
      if (to === this.#next) continue;
      this.#stop = false;
      const from = this.#next;
      this.#next = this.#locate(this.#slots, batch, this.#codes, from, to, now, this.#sessions, this);
      this.#contents.touch(this.#slots, from, this.#next);
      this.#contents.add(this.#slots, batch, from, this.#next);
    }
    if (!this.#late.flush()) return false;
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
      if (first >= this.#nextDue) {
        this.#forward = first;
        return this.#next;
      }
    }
    const last = watermarks[batch.row(count - 1)] as number;
    // Sessions have grown since: most of what might have been due is not.
    if (last >= this.#nextDue) this.#nextDue = this.#sessions.earliest(this.#dueOf);
    this.#segmentWatermark = last;
    if (last < this.#nextDue) return count;
    let low = this.#next + 1;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((watermarks[batch.row(middle)] as number) >= this.#nextDue) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Rows that are neither inside the current session of their key nor merely extend it. Called by `locate`. */
  place(time: number, code: number, i: number, k: number): number {
    refuseMisfits(time, code);
    const batch = this.#batch as RecordBatch;
    const sessions = this.#sessions;
    const end = time + this.#settings.windows.gapMs;
    // A session is longer than a row's own window, so that at most two touch it.
    const later = sessions.latest(code, end);
    const joins = later !== 0 && sessions.end(later) >= time;
    const earlier = joins ? sessions.before(later) : 0;
    const merges = earlier !== 0 && sessions.end(earlier) >= time;
    if (merges && i > this.#next) return -1;
    const watermark =
      this.#eventTime && batch.watermarks !== null
        ? Math.max(this.#watermark, batch.watermarks[k] as number)
        : this.#watermark;
    if (!joins && end - 1 + this.#latenessMs <= watermark) {
      this.#late.add(batch, k, watermark);
      return 0;
    }
    let slot = later;
    if (merges) {
      slot = earlier;
      this.#target[0] = earlier;
      this.#source[0] = later;
      this.#contents.merge(this.#target, this.#source, 1);
      sessions.absorb(earlier, later);
    }
    if (joins) sessions.widen(slot, time, end);
    else slot = sessions.open(code, later, time, end);
    if (sessions.end(slot) - 1 <= watermark) {
      sessions.markFired(slot);
      this.#emitAgain(slot);
    } else {
      sessions.makeCurrent(slot);
    }
    this.#schedule(slot);
    return slot;
  }

  get stop(): boolean {
    return this.#stop;
  }

  #emitAgain(slot: number): void {
    this.#firing = slot;
    this.#unwritten = slot;
    this.#stop = true;
  }

  #schedule(slot: number): void {
    const due = this.#due(slot);
    if (!this.#sessions.schedule(slot, due) || due >= this.#nextDue) return;
    this.#nextDue = due;
    // The segment was cut when nothing was known of this session.
    if (due <= this.#segmentWatermark) this.#stop = true;
  }

  /** When a session fires; of one that has fired, when it goes. */
  #due(slot: number): number {
    const fires = this.#sessions.end(slot) - 1;
    return this.#sessions.fired(slot) ? fires + this.#latenessMs : fires;
  }

  /** Everything the current watermark makes due, in the order of ends; false: out of credits. */
  #fire(): boolean {
    const sessions = this.#sessions;
    for (;;) {
      if (this.#firing !== 0) {
        if (!this.#emit(this.#firing)) return false;
        if (!sessions.fired(this.#firing)) this.#haveFired(this.#firing);
        this.#firing = 0;
      }
      if (this.#nextDue > this.#watermark) return true;
      const slot = sessions.takeDue(this.#watermark, this.#dueOf);
      if (slot === 0) {
        this.#nextDue = sessions.earliest(this.#dueOf);
        return true;
      }
      if (sessions.fired(slot)) {
        sessions.close(slot);
      } else {
        this.#firing = slot;
        this.#unwritten = slot;
      }
    }
  }

  #haveFired(slot: number): void {
    if (this.#latenessMs > 0) {
      this.#sessions.markFired(slot);
      this.#sessions.schedule(slot, this.#due(slot));
    } else {
      this.#sessions.close(slot);
    }
  }

  /** Writes the results of a session; true when all are written. */
  #emit(slot: number): boolean {
    const sessions = this.#sessions;
    const window = { start: sessions.start(slot), end: sessions.end(slot) };
    while (this.#unwritten === slot || this.#contents.leftover) {
      const results = this.#results.room(this.output);
      if (results === null) return false;
      const from = results.size;
      this.#unwritten = this.#contents.results(this.#unwritten, slot + 1, sessions.keyOf, window, results);
      results.time.fill(window.end - 1, from, results.size);
      if (this.#settings.keyed) this.#keys.restore(results.columns[0] as Int32Array, from, results.size);
    }
    return true;
  }

  /** Results first, then the watermark that fired them. */
  #forwardWatermark(): boolean {
    if (this.#forward <= this.#forwarded) return true;
    if (!this.#results.flush(this.output) || !this.output.ready()) return false;
    this.#forwarded = this.#forward;
    this.output.watermark(this.#forward);
    return true;
  }

  /** Codes are those of the dictionary that keys come with now. */
  #adoptKeys(): void {
    const { dictionary } = this.#keys;
    if (dictionary === null) return;
    this.#sessions.reserveKeys(dictionary.capacity);
    if (this.#settings.keyed) this.#results.keyDictionary = dictionary;
  }

  #recode(codeOf: (code: number) => number): void {
    // `codeOf` may give codes to keys that the dictionary has not seen yet.
    for (const slot of this.#sessions.all()) codeOf(this.#sessions.keyOf[slot] as number);
    this.#sessions.recode(codeOf, this.#keys.dictionary?.capacity ?? 0);
  }

  /** Codes of open sessions. */
  #hold(mark: (code: number) => void): void {
    for (const slot of this.#sessions.all()) mark(this.#sessions.keyOf[slot] as number);
  }
}
