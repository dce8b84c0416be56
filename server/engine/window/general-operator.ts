/**
 * Windows of any kind with any trigger. What the fast operators (`window-operator.ts`, `session-operator.ts`) do for the usual windows in one
 * loop per batch, this one does row by row for all others, with keyed state and timers, on any backend. The rules are in `window-machine.ts`;
 * here are batches, of one stream or of two, credits, and when timers run: before the row whose watermark has passed them, and before the watermark is forwarded.
 *
 * In processing time a timer runs when the clock has passed its millisecond. At the end of the input the clock jumps from timer to timer until
 * windows in processing time have come to their end; other processing-time timers are left.
 */

import { type Cursor, makeCursor } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { BuiltOutputs } from '../operators/built-outputs.ts';
import { MAX_WATERMARK, Operator, type OperatorContext } from '../operators/operator.ts';
import type { OutputTag } from '../operators/process.ts';
import type { KeyedBlock } from '../state/keyed-blocks.ts';
import { loadKeyed, saveKeyed } from '../state/keyed-snapshot.ts';
import type { Eventually, KeyedStateBackend } from '../state/keyed-state.ts';
import type { OwnSnapshot, TakenSnapshot } from '../state/snapshot.ts';
import { type KeyInput, StateKeys } from '../state/state-keys.ts';
import { TimerQueue } from '../state/timer-queue.ts';
import { TimerRecords } from '../state/timer-records.ts';
import { ByteReader, ByteWriter } from '../state/value-codec.ts';
import type { IncomingRow } from './collected.ts';
import { LateRows, type LateSettings } from './late-rows.ts';
import { refuseMisfits } from './locate.ts';
import { openInFlight } from './open-in-flight.ts';
import type { OpenWindowsQuery } from './open-windows.ts';
import type { WindowFunction } from './window-function.ts';
import { type MachineSettings, WindowMachine } from './window-machine.ts';

/** A stream whose rows come into the windows. */
export interface WindowInput {
  /** Position of the key column. */
  readonly key: number;
  /** Null: late rows are dropped and counted. */
  readonly late: LateSettings | null;
  /** What windows and triggers of one's own are shown of a row; null: the row. */
  readonly elementOf: ((row: Row<Fields>) => unknown) | null;
}

/** The same while it runs. */
interface Input {
  readonly keys: KeyInput;
  readonly cursor: Cursor;
  /** The row that the cursor is at. */
  readonly incoming: IncomingRow & { arrival: number };
  readonly late: LateRows;
}

export interface GeneralSettings extends MachineSettings {
  readonly name: string;
  /** One or two. */
  readonly inputs: readonly WindowInput[];
  readonly keyKind: 'string' | 'i32';
  readonly results: Schema;
  readonly tags: readonly OutputTag[];
  /** Null: what the windows collect comes out as it is. */
  readonly create: ((subtask: number) => WindowFunction<unknown, Fields>) | null;
}

export class GeneralWindowOperator extends Operator {
  readonly #settings: GeneralSettings;
  readonly #keys: StateKeys;
  readonly #eventTimers = new TimerQueue();
  readonly #processingTimers = new TimerQueue();
  readonly #expiryTimers = new TimerQueue();
  readonly #timers = [this.#eventTimers, this.#processingTimers, this.#expiryTimers] as const;
  #outputs!: BuiltOutputs;
  #inputs: readonly Input[] = [];
  #backend!: KeyedStateBackend;
  #timerRecords!: TimerRecords;
  #machine!: WindowMachine;
  /** Rows so far. */
  #arrivals = 0;

  // Where the current step stands.
  #batch: RecordBatch | null = null;
  #input!: Input;
  #ids: Int32Array = new Int32Array(0);
  #next = 0;
  /** State of the rows before this one is in memory. */
  #ready = 0;
  #forward = Number.NEGATIVE_INFINITY;
  #forwarded = Number.NEGATIVE_INFINITY;
  /** The input has ended: windows in processing time end now. */
  #ending = false;

  constructor(settings: GeneralSettings) {
    super();
    this.#settings = settings;
    this.#keys = new StateKeys(settings.keyKind);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const { create, name, results, tags } = this.#settings;
    context.own(this.#keys.table);
    this.#backend = context.stateBackend(this.#keys);
    this.#timerRecords = new TimerRecords(this.#backend, () => {
      this.#ready = this.#next;
    });
    const schemas = [context.inputSchema, context.secondSchema] as [Schema, Schema];
    this.#inputs = this.#settings.inputs.map((input, i) => this.#open(input, i, schemas[i] as Schema));
    this.#outputs = new BuiltOutputs(context, name, results, tags);
    this.#machine = new WindowMachine(this.#settings, {
      backend: this.#backend,
      eventTimers: this.#eventTimers,
      processingTimers: this.#processingTimers,
      expiryTimers: this.#expiryTimers,
      expired: () => {
        context.cells[OperatorCell.EXPIRED] = (context.cells[OperatorCell.EXPIRED] as number) + 1;
      },
      fn: create?.(context.subtask) ?? null,
      keyOf: (id) => this.#keys.keyOf(id),
      emit: (row, time) => this.#outputs.collect(row, time, Number.NaN),
      emitSide: (tag, row, time) => this.#outputs.side(tag, row, time, Number.NaN),
    });
    this.#keys.hold((mark) => {
      this.#backend.hold(mark);
      for (const timers of this.#timers) timers.hold(mark);
    });
  }

  processBatch(batch: RecordBatch, index: number): void {
    const input = this.#inputs[index] as Input;
    this.#input = input;
    this.#batch = batch;
    this.#next = 0;
    this.#ready = 0;
    this.#ids = input.keys.of(batch);
    input.cursor.$bind(batch);
    this.#begin(this.context.clock.now());
  }

  override processWatermark(watermark: number): void {
    this.#machine.watermark = watermark;
    this.#forward = watermark;
    this.#ending ||= watermark === MAX_WATERMARK;
    this.#begin(this.context.clock.now());
  }

  override onTimer(now: number): void {
    this.#begin(now);
  }

  override endInput(): void {
    this.#ending = true;
    this.#begin(this.context.clock.now());
  }

  override resume(): void {
    this.#run();
  }

  override get stateBytes(): number {
    return this.#timers.reduce((bytes, timers) => bytes + timers.bytes, this.#backend.bytes);
  }

  /** An `OpenWindowsQuery` gets an `OpenWindowsAnswer`. */
  override inspect(query: unknown): unknown {
    return openInFlight(query as OpenWindowsQuery, this.#machine, this.#keys);
  }

  override snapshot(): TakenSnapshot {
    const arrivals = new ByteWriter();
    arrivals.f64(this.#arrivals);
    const { watermark } = this.#machine;
    const operator = { arrivals: { redistribute: 'union', items: [arrivals.take()] } } as const;
    return { watermark, operator, keyed: saveKeyed(this.#parts, this.context.maxParallelism) };
  }

  override restore(snapshots: readonly OwnSnapshot[]): void {
    super.restore(snapshots);
    for (const item of snapshots.flatMap(({ operator }) => operator.arrivals?.items ?? [])) {
      this.#arrivals = Math.max(this.#arrivals, new ByteReader(item).f64());
    }
    this.#machine.watermark = this.inputWatermark;
  }

  override load(block: KeyedBlock): Eventually<void> {
    return loadKeyed(this.#parts, block);
  }

  override start(): void {
    this.nextTimer = this.#earliestTimer;
  }

  override close(): void {
    this.#backend.close();
  }

  #open({ key, late, elementOf }: WindowInput, input: number, schema: Schema): Input {
    const cursor = makeCursor(schema);
    const row = cursor as unknown as Row<Fields>;
    return {
      keys: this.#keys.input(key),
      cursor,
      incoming: { row, element: elementOf?.(row) ?? row, input, copy: () => cursor.$copy(), arrival: 0 },
      late: new LateRows(late, schema, this.context),
    };
  }

  get #parts() {
    return { keys: this.#keys, backend: this.#backend, timers: this.#timers };
  }

  /** By the clock. */
  get #earliestTimer(): number {
    return Math.min(this.#processingTimers.next + 1, this.#expiryTimers.next);
  }

  /** A new element: whoever read what was emitted before has done with it. */
  #begin(now: number): void {
    this.#outputs.reuse();
    this.#advanceClock(now);
    this.#run();
  }

  #run(): void {
    this.pending = true;
    if (!this.#finishBatch() || !this.#runTimers() || !this.#forwardWatermark() || !this.#outputs.drain(true)) return;
    this.#timerRecords.release();
    this.pending = false;
    this.nextTimer = this.#earliestTimer;
  }

  /** The rest of the current batch; false: out of credits, or state is being loaded. */
  #finishBatch(): boolean {
    const batch = this.#batch;
    if (batch === null) return true;
    const { count } = batch;
    for (; this.#next < count; this.#next++) {
      const k = batch.row(this.#next);
      const watermark = batch.watermarks?.[k] ?? Number.NEGATIVE_INFINITY;
      if (watermark > this.#machine.watermark) {
        this.#machine.watermark = watermark;
        if (this.#eventTimers.due(watermark)) this.#forward = watermark;
      }
      if ((this.#outputs.overflowing || this.#dueTimers() !== null) && !this.#runTimers()) return false;
      if (!this.#forwardWatermark()) return false;
      const next = this.#next;
      if (next === this.#ready) this.#ready = this.#backend.prepare(this.#ids, batch.selection, next, count);
      if (next === this.#ready) return false;
      this.#element(batch, k);
    }
    if (!this.#input.late.flush()) return false;
    this.#batch = null;
    return true;
  }

  #element(batch: RecordBatch, k: number): void {
    const { windows } = this.#settings;
    const { cursor, incoming, late } = this.#input;
    cursor.$k = k;
    const event = windows.kind === 'global' || windows.time === 'event';
    const timestamp = event ? (batch.time[k] as number) : this.#machine.passed + 1;
    if (windows.kind !== 'global') refuseMisfits(timestamp, this.#ids[k] as number);
    incoming.arrival = this.#arrivals++;
    const inTime = this.#machine.element(this.#ids[k] as number, incoming, timestamp);
    if (!inTime) late.add(batch, k, this.#machine.watermark);
    if (this.#backend.cleansEveryRecord) this.#backend.afterRecord();
  }

  /** Everything that is due, in the order of instants; false: out of credits, or state is being loaded. */
  #runTimers(): boolean {
    for (;;) {
      if (!this.#outputs.drain(false)) return false;
      const timers = this.#dueTimers();
      const timer = timers?.peek() ?? null;
      if (timers === null || timer === null) return true;
      if (!this.#timerRecords.ready(timers, this.#dueUntil(timers))) return false;
      timers.drop();
      if (timers === this.#expiryTimers) {
        this.#machine.onExpiry(timer);
      } else if (timers === this.#eventTimers) {
        this.#machine.onTimer(timer, 'event');
      } else {
        this.#advanceClock(timer.time + 1);
        this.#machine.onTimer(timer, 'processing');
      }
    }
  }

  /** Timers up to this instant are due. */
  #dueUntil(timers: TimerQueue): number {
    if (timers === this.#eventTimers) return this.#machine.watermark;
    return this.#ending ? Number.POSITIVE_INFINITY : this.#machine.passed + 1;
  }

  #dueTimers(): TimerQueue | null {
    if (this.#eventTimers.due(this.#machine.watermark)) return this.#eventTimers;
    const { windows } = this.#settings;
    const { passed } = this.#machine;
    if (this.#ending) {
      const ends = windows.kind !== 'global' && windows.time === 'processing';
      return ends && this.#processingTimers.next < Number.POSITIVE_INFINITY ? this.#processingTimers : null;
    }
    if (this.#processingTimers.due(passed)) return this.#processingTimers;
    return this.#expiryTimers.due(passed + 1) ? this.#expiryTimers : null;
  }

  /** The clock as it counts here never steps back. */
  #advanceClock(now: number): void {
    this.#machine.passed = Math.max(this.#machine.passed, now - 1);
    this.#backend.scope.now = this.#machine.passed + 1;
  }

  /** Results first, then the watermark that fired them. */
  #forwardWatermark(): boolean {
    if (this.#forward <= this.#forwarded) return true;
    if (!this.#outputs.drain(true) || !this.output.ready()) return false;
    this.#forwarded = this.#forward;
    this.output.watermark(this.#forward);
    return true;
  }
}
