/**
 * Rows become what somebody outside answers about them: lookups, slow sinks (`flink-reference` §7). Many rows are asked for at a time, and the
 * thread goes on meanwhile; answers come from I/O callbacks, which only note them and wake the task.
 *
 *   row ─> asked ─(answer | timeout)─> waits for its turn in the queue ─> out
 *            └─(error)─ delay ─> asked again
 */

import { messageOf, WeirError } from '#base/errors.ts';
import { type Cursor, makeCursor } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import { ByteReader, ByteWriter, readRow, writeRow } from '../batch/row-bytes.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { type AsyncFunction, type AsyncSettings, retryDelay } from './async-function.ts';
import { type AsyncEntry, type AsyncQueue, type Mark, OrderedQueue, UnorderedQueue } from './async-queue.ts';
import { BuiltOutputs } from './built-outputs.ts';
import { NO_WATERMARK, Operator, type OperatorContext } from './operator.ts';

interface AsyncWaitOptions extends AsyncSettings<Fields> {
  readonly name: string;
  readonly output: Schema;
  readonly create: (subtask: number) => AsyncFunction<Fields, Fields>;
}

type PlainRow = Record<string, unknown>;
type Restored = { readonly kind: 'row'; readonly row: PlainRow; readonly time: number } | Mark;

const ROW = 0;
const WATERMARK = 1;
const IDLE = 2;

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
  /** What was in flight when a snapshot was taken: comes before anything else. */
  #restored: Restored[] = [];
  #batch: RecordBatch | null = null;
  #next = 0;
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
    const { name, output, create } = this.#options;
    this.#fn = create(context.subtask);
    this.#cursor = makeCursor(context.inputSchema as Schema);
    this.#built = new BuiltOutputs(context, name, output, []);
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
    this.#mark({ kind: 'watermark', watermark });
    this.#go();
  }

  override processIdle(idle: boolean): void {
    this.#mark({ kind: 'idle', idle });
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

  override snapshot(): OperatorSnapshot {
    const schema = this.context.inputSchema as Schema;
    const items: Uint8Array[] = [];
    for (const item of this.#queue.items()) {
      const to = new ByteWriter();
      if (item.kind === 'row') {
        to.u8(ROW);
        to.f64(item.entry.time);
        writeRow(schema, item.entry.row, to);
      } else if (item.kind === 'watermark') {
        to.u8(WATERMARK);
        to.f64(item.watermark);
      } else {
        to.u8(IDLE);
        to.u8(item.idle ? 1 : 0);
      }
      items.push(to.done());
    }
    return { watermark: this.#watermark, keyed: new Map(), operator: { asked: { redistribute: 'split', items } } };
  }

  /** At the same parallelism everything is where it was; at another one rows are dealt in turns, and a watermark waits behind all of them. */
  override restore(snapshots: readonly OperatorSnapshot[]): void {
    const { subtask, parallelism } = this.context;
    const same = snapshots.length === parallelism;
    const mine = same ? snapshots.slice(subtask, subtask + 1) : snapshots;
    const items = mine.flatMap((s) => s.operator.asked?.items ?? []).map((bytes) => this.#read(bytes));
    const watermark = Math.min(...mine.map((s) => s.watermark));
    if (same) {
      this.#restored = items;
      this.#watermark = watermark;
    } else {
      this.#restored = items.filter((item) => item.kind === 'row').filter((_, i) => i % parallelism === subtask);
      if (watermark > NO_WATERMARK) this.#restored.push({ kind: 'watermark', watermark });
    }
    if (this.#restored.length > 0) this.#somethingToDo();
  }

  #read(bytes: Uint8Array): Restored {
    const from = new ByteReader(bytes);
    const kind = from.u8();
    if (kind === WATERMARK) return { kind: 'watermark', watermark: from.f64() };
    if (kind === IDLE) return { kind: 'idle', idle: from.u8() === 1 };
    const time = from.f64();
    return { kind: 'row', time, row: readRow(this.context.inputSchema as Schema, from) };
  }

  /** Everything that can be done now; `pending` is what cannot. */
  #go(): void {
    this.#runDue(this.context.clock.now());
    if (this.#failure !== null) throw this.#failure;
    this.#emit();
    this.#ask();
    const allOut = this.#emit();
    const more = this.#batch !== null || this.#restored.length > 0;
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
        if (this.#built.overflowing && !this.#built.drain(false)) return false;
        const { rows, time } = item.entry;
        for (const row of rows ?? []) this.#built.collect(row, time, Number.NaN);
        this.#held--;
      } else {
        if (!this.#built.drain(true) || !output.ready()) return false;
        if (item.kind === 'watermark') output.watermark(item.watermark);
        else output.idle(item.idle);
      }
      this.#queue.shift();
    }
    return this.#built.drain(true);
  }

  /** Asks for as many rows as the capacity allows. */
  #ask(): void {
    while (this.#restored.length > 0) {
      if (this.#held >= this.#capacity) return;
      const item = this.#restored.shift() as Restored;
      if (item.kind === 'row') this.#add(item.row, item.time);
      else this.#mark(item);
    }
    const batch = this.#batch;
    if (batch === null) return;
    for (; this.#next < batch.count; this.#next++) {
      if (this.#held >= this.#capacity) return;
      const k = batch.row(this.#next);
      const watermark = batch.watermarks?.[k] ?? NO_WATERMARK;
      if (watermark > this.#watermark) this.#mark({ kind: 'watermark', watermark });
      this.#cursor.$k = k;
      this.#add(this.#cursor.$copy(), batch.time[k] as number);
    }
    this.#batch = null;
  }

  #mark(mark: Mark): void {
    if (mark.kind === 'watermark') this.#watermark = Math.max(this.#watermark, mark.watermark);
    this.#queue.mark(mark);
  }

  #add(row: PlainRow, time: number): void {
    const deadline = this.context.clock.now() + this.#options.timeoutMs;
    const entry: AsyncEntry = { row, time, deadline, attempt: 0, retryAt: Number.NaN, rows: null, segment: 0 };
    this.#held++;
    this.#queue.add(entry);
    this.#open.add(entry);
    this.#invoke(entry);
  }

  /** What a function throws at once is an answer like a rejection. */
  #invoke(entry: AsyncEntry): void {
    const attempt = ++entry.attempt;
    const stale = (): boolean => this.#closed || entry.rows !== null || entry.attempt !== attempt;
    new Promise<readonly PlainRow[]>((resolve) => {
      resolve(this.#fn.asyncInvoke(entry.row as Row<Fields>) as Promise<readonly PlainRow[]>);
    })
      .then(
        (rows) => {
          if (!stale()) this.#answered(entry, rows);
        },
        (error: unknown) => {
          if (!stale()) this.#refused(entry, error);
        },
      )
      .catch((error: unknown) => this.#fail(error));
  }

  #answered(entry: AsyncEntry, rows: readonly PlainRow[]): void {
    if (!Array.isArray(rows)) throw new TypeError('asyncInvoke must answer with an array of rows');
    const { retry } = this.#options;
    if (retry?.whenRows?.(rows as readonly Row<Fields>[]) === true && entry.attempt < retry.attempts)
      this.#delay(entry);
    else this.#complete(entry, rows);
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

  #complete(entry: AsyncEntry, rows: readonly PlainRow[]): void {
    entry.rows = rows;
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
      this.#complete(entry, this.#fn.timeout(entry.row as Row<Fields>) as readonly PlainRow[]);
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
