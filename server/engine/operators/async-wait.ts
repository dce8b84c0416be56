/**
 * Rows become what somebody outside answers about them: lookups, slow sinks (`flink-reference` §7). Many rows are asked for at a time, and the
 * thread goes on meanwhile; answers come from I/O callbacks, which only note them and wake the task.
 *
 *   row ─> asked ─(answer | timeout)─> waits for its turn in the queue ─> out
 *            └─(error)─ delay ─> asked again
 */

import { messageOf, WeirError } from '#base/errors.ts';
import { type Cursor, makeCursor } from '../batch/cursor.ts';
import { NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import { sizeOf } from '../state/size.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { type AsyncContext, type AsyncFunction, type AsyncSettings, retryDelay } from './async-function.ts';
import { type InFlight, loadInFlight, saveInFlight } from './async-in-flight.ts';
import {
  type AsyncAnswer,
  type AsyncEntry,
  type AsyncQueue,
  type Mark,
  OrderedQueue,
  type SideRow,
  UnorderedQueue,
} from './async-queue.ts';
import { BuiltOutputs } from './built-outputs.ts';
import { NO_WATERMARK, Operator, type OperatorContext } from './operator.ts';
import type { OutputTag } from './process.ts';

interface AsyncWaitOptions extends AsyncSettings<Fields> {
  readonly name: string;
  readonly output: Schema;
  readonly sideOutputs?: readonly OutputTag[];
  readonly create: (subtask: number) => AsyncFunction<Fields, Fields>;
}

type PlainRow = Record<string, unknown>;

export class AsyncWaitOperator extends Operator {
  readonly #options: AsyncWaitOptions;
  readonly #capacity: number;
  readonly #queue: AsyncQueue;
  #fn!: AsyncFunction<Fields, Fields>;
  #cursor!: Cursor;
  #built!: BuiltOutputs;
  /** Rows that have no answer yet, by the time they were first asked for. */
  readonly #open = new Set<AsyncEntry>();
  /** Those of them that wait for their next attempt. */
  readonly #delayed = new Set<AsyncEntry>();
  /** Rows in the queue. */
  #held = 0;
  /** What was in flight when a snapshot was taken, and what a barrier has overtaken: comes before anything else. */
  #waiting: InFlight[] = [];
  /** When the source read the oldest of what has been built and not handed over. */
  #oldest = NEVER_INGESTED;
  #batch: RecordBatch | null = null;
  #next = 0;
  #overdrawn = false;
  /** The last watermark that came in. */
  #watermark = NO_WATERMARK;
  #ending = false;
  #closed = false;
  #failure: WeirError | null = null;

  constructor(options: AsyncWaitOptions) {
    super();
    this.#options = options;
    this.#capacity = options.capacity ?? 100;
    this.#queue = options.ordered ? new OrderedQueue() : new UnorderedQueue();
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const { name, output, sideOutputs = [], create } = this.#options;
    this.#fn = create(context.subtask);
    this.#cursor = makeCursor(context.inputSchema as Schema);
    this.#built = new BuiltOutputs(context, name, output, sideOutputs);
  }

  override get awaiting(): boolean {
    return this.#open.size > this.#delayed.size;
  }

  processBatch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#next = 0;
    this.#cursor.$bind(batch);
    this.#go();
  }

  override processWatermark(watermark: number): void {
    this.#markBehind({ kind: 'watermark', watermark, ingestedAt: this.output.ingestedAt });
    this.#go();
  }

  override processIdle(idle: boolean): void {
    this.#markBehind({ kind: 'idle', idle });
    this.#go();
  }

  override onTimer(): void {
    this.#go();
  }

  override resume(): void {
    this.#go();
  }

  override endInput(): void {
    this.#ending = true;
    this.#go();
  }

  override close(): void {
    this.#closed = true;
    this.#fn.close?.();
  }

  /** Rows held, asked for or not, by a few of them. */
  override get stateBytes(): number {
    let bytes = 0;
    let sampled = 0;
    for (const item of this.#queue.items()) {
      if (item.kind !== 'row') continue;
      bytes += sizeOf(item.entry.row) + sizeOf(item.entry.answer);
      if (++sampled === 8) break;
    }
    const restored = sizeOf(this.#waiting);
    return Math.round(sampled === 0 ? restored : (bytes / sampled) * this.#held + restored);
  }

  override snapshot(): OperatorSnapshot {
    const operator = saveInFlight(this.context.inputSchema as Schema, [...this.#asked(), ...this.#waiting]);
    return { watermark: this.#watermark, keyed: [], operator };
  }

  *#asked(): Iterable<InFlight> {
    for (const item of this.#queue.items())
      yield item.kind === 'row' ? { kind: 'row', row: item.entry.row, time: item.entry.time } : item;
  }

  override overdraw(on: boolean): void {
    this.#overdrawn = on;
    this.#go();
  }

  override get heldBytes(): number {
    return sizeOf(this.#waiting);
  }

  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    const { items, watermark } = loadInFlight(this.context.inputSchema as Schema, snapshots, this.context);
    this.#waiting = items;
    this.#watermark = watermark;
    if (items.length > 0) this.#somethingToDo();
  }

  /** Everything that can be done now; `pending` is what cannot. */
  #go(): void {
    this.#runDue(this.context.clock.now());
    if (this.#failure !== null) throw this.#failure;
    this.#emit();
    this.#ask();
    const allOut = this.#emit();
    if (this.#overdrawn) this.#setAside();
    const more = !this.#overdrawn && (this.#batch !== null || this.#waiting.length > 0);
    this.pending = !allOut || more || (this.#ending && this.#held > 0);
    this.#setTimer();
  }

  /** Hands out whose turn it is; false: out of credits. */
  #emit(): boolean {
    const { output } = this;
    if (!output.ready()) return false;
    this.#built.reuse();
    for (let item = this.#queue.peek(); item !== null; item = this.#queue.peek()) {
      if (item.kind === 'row') {
        if (this.#built.overflowing && !this.#drain(false)) return false;
        const { answer, time, ingestedAt } = item.entry;
        for (const row of answer?.rows ?? []) this.#built.collect(row, time, Number.NaN);
        for (const { tag, row } of answer?.sides ?? []) this.#built.side(tag, row, time, Number.NaN);
        this.#oldest = Math.min(this.#oldest, ingestedAt);
        this.#held--;
      } else {
        if (!this.#drain(true) || !output.ready()) return false;
        if (item.kind === 'watermark') output.watermark(item.watermark, item.ingestedAt);
        else output.idle(item.idle);
      }
      this.#queue.shift();
    }
    return this.#drain(true);
  }

  /** What goes out together was let out by the oldest of it. */
  #drain(all: boolean): boolean {
    this.output.ingestedAt = this.#oldest;
    const done = this.#built.drain(all);
    if (done && all) this.#oldest = NEVER_INGESTED;
    return done;
  }

  /** Asks for as many rows as the capacity allows. */
  #ask(): void {
    while (this.#waiting.length > 0) {
      if (this.#held >= this.#capacity) return;
      const item = this.#waiting.shift() as InFlight;
      if (item.kind === 'row') this.#add(item.row, item.time, NEVER_INGESTED);
      else this.#mark(item);
    }
    const batch = this.#batch;
    if (batch === null) return;
    for (; this.#next < batch.count; this.#next++) {
      if (this.#held >= this.#capacity) return;
      const k = batch.row(this.#next);
      const watermark = batch.watermarks?.[k] ?? NO_WATERMARK;
      if (watermark > this.#watermark) this.#mark({ kind: 'watermark', watermark, ingestedAt: batch.ingestedAt });
      this.#cursor.$k = k;
      this.#add(this.#cursor.$copy(), batch.time[k] as number, batch.ingestedAt);
    }
    this.#batch = null;
  }

  /** What is left of the batch waits as copies. */
  #setAside(): void {
    const batch = this.#batch;
    if (batch === null) return;
    let last = this.#watermark;
    for (const item of this.#waiting) if (item.kind === 'watermark') last = Math.max(last, item.watermark);
    for (; this.#next < batch.count; this.#next++) {
      const k = batch.row(this.#next);
      const watermark = batch.watermarks?.[k] ?? NO_WATERMARK;
      if (watermark > last) this.#waiting.push({ kind: 'watermark', watermark, ingestedAt: batch.ingestedAt });
      last = Math.max(last, watermark);
      this.#cursor.$k = k;
      this.#waiting.push({ kind: 'row', row: this.#cursor.$copy(), time: batch.time[k] as number });
    }
    this.#batch = null;
  }

  #markBehind(mark: Mark): void {
    if (this.#waiting.length > 0) this.#waiting.push(mark);
    else this.#mark(mark);
  }

  #mark(mark: Mark): void {
    if (mark.kind === 'watermark') this.#watermark = Math.max(this.#watermark, mark.watermark);
    this.#queue.mark(mark);
  }

  #add(row: PlainRow, time: number, ingestedAt: number): void {
    const deadline = this.context.clock.now() + this.#options.timeoutMs;
    const entry: AsyncEntry = {
      row,
      time,
      ingestedAt,
      deadline,
      attempt: 0,
      retryAt: Number.NaN,
      answer: null,
      segment: 0,
    };
    this.#held++;
    this.#queue.add(entry);
    this.#open.add(entry);
    this.#invoke(entry);
  }

  /** What a function throws at once is an answer like a rejection. */
  #invoke(entry: AsyncEntry): void {
    const attempt = ++entry.attempt;
    const stale = (): boolean => this.#closed || entry.answer !== null || entry.attempt !== attempt;
    const sides: SideRow[] = [];
    new Promise<readonly PlainRow[]>((resolve) => {
      const answer = this.#fn.asyncInvoke(entry.row as Row<Fields>, contextFor(sides));
      resolve(answer as Promise<readonly PlainRow[]>);
    })
      .then(
        (rows) => {
          if (!stale()) this.#answered(entry, { rows, sides });
        },
        (error: unknown) => {
          if (!stale()) this.#refused(entry, error);
        },
      )
      .catch((error: unknown) => this.#fail(error));
  }

  #answered(entry: AsyncEntry, answer: AsyncAnswer): void {
    const { rows } = answer;
    if (!Array.isArray(rows)) throw new TypeError('asyncInvoke must answer with an array of rows');
    const { retry } = this.#options;
    if (retry?.whenRows?.(rows as readonly Row<Fields>[]) === true && entry.attempt < retry.attempts)
      this.#delay(entry);
    else this.#complete(entry, answer);
  }

  #refused(entry: AsyncEntry, error: unknown): void {
    const { retry } = this.#options;
    const again = retry !== undefined && entry.attempt < retry.attempts && (retry.whenError?.(error) ?? true);
    if (again) this.#delay(entry);
    else this.#fail(error);
  }

  #delay(entry: AsyncEntry): void {
    const delay = retryDelay(this.#options.retry as NonNullable<AsyncWaitOptions['retry']>, entry.attempt);
    entry.retryAt = this.context.clock.now() + delay;
    this.#delayed.add(entry);
    this.#setTimer();
    this.context.wake();
  }

  #complete(entry: AsyncEntry, answer: AsyncAnswer): void {
    entry.answer = answer;
    this.#open.delete(entry);
    this.#delayed.delete(entry);
    this.#queue.answered(entry);
    if (this.#queue.peek() !== null) this.#somethingToDo();
  }

  #fail(error: unknown): void {
    const { name } = this.#options;
    this.#failure ??= new WeirError('ASYNC_FAILED', `${name}: ${messageOf(error)}`, { cause: error });
    this.#somethingToDo();
  }

  #somethingToDo(): void {
    this.pending = true;
    this.context.wake();
  }

  /** Gives up what has waited for too long, and asks again what is due. */
  #runDue(now: number): void {
    for (const entry of this.#open) {
      if (entry.deadline > now) break;
      if (this.#fn.timeout === undefined) {
        this.#fail(`no answer within ${this.#options.timeoutMs} ms`);
        return;
      }
      const sides: SideRow[] = [];
      const rows = this.#fn.timeout(entry.row as Row<Fields>, contextFor(sides)) as readonly PlainRow[];
      this.#complete(entry, { rows, sides });
    }
    for (const entry of this.#delayed) {
      if (entry.retryAt > now) continue;
      this.#delayed.delete(entry);
      this.#invoke(entry);
    }
  }

  #setTimer(): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { deadline } of this.#open) {
      at = deadline;
      break;
    }
    for (const { retryAt } of this.#delayed) at = Math.min(at, retryAt);
    this.nextTimer = at;
  }
}

/** Rows for side outputs wait for their turn with the answer; those of an attempt that does not count are forgotten. */
function contextFor(sides: SideRow[]): AsyncContext {
  return { output: (tag, row) => sides.push({ tag: tag as unknown as OutputTag, row: { ...row } }) };
}
