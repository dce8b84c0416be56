/** Runs a `KeyedProcessFunction`: batches, timers, credits, snapshots. What functions can rely on is in `keyed-process.ts`. */

import { WeirError } from '#base/errors.ts';
import { type Cursor, makeCursor } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import { loadKeyed, restoredWatermark, saveKeyed } from '../state/keyed-snapshot.ts';
import type { Eventually, KeyedStateBackend, StateScope } from '../state/keyed-state.ts';
import { OperatorLists } from '../state/operator-lists.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { type Key, type KeyInput, StateKeys } from '../state/state-keys.ts';
import { type Timer, TimerQueue } from '../state/timer-queue.ts';
import type { TimerService } from '../state/timers.ts';
import { BuiltOutputs } from './built-outputs.ts';
import {
  type KeyedCall,
  type KeyedDriver,
  type KeyedProcessFunction,
  makeKeyedDriver,
  type OnTimerContext,
} from './keyed-process.ts';
import { NO_WATERMARK, Operator, type OperatorContext } from './operator.ts';
import { narrowing, type OutputTag, openContext } from './process.ts';

export interface KeyedProcessSettings {
  readonly name: string;
  /** Position of the key column. */
  readonly key: number;
  readonly keyKind: 'string' | 'i32';
  readonly output: Schema;
  readonly tags: readonly OutputTag[];
  readonly create: (subtask: number) => KeyedProcessFunction<Fields, Fields>;
}

export class KeyedProcessOperator extends Operator {
  readonly #settings: KeyedProcessSettings;
  readonly #keys: StateKeys;
  readonly #input: KeyInput;
  readonly #eventTimers = new TimerQueue();
  readonly #processingTimers = new TimerQueue();
  readonly #drive: KeyedDriver = makeKeyedDriver();
  readonly #timerKey = new Int32Array(1);
  #backend!: KeyedStateBackend;
  #lists!: OperatorLists;
  #restored: readonly OperatorSnapshot[] = [];
  #outputs!: BuiltOutputs;
  #cursor!: Cursor;
  #fn!: KeyedProcessFunction<Fields, Fields>;
  #call!: Call;

  // Where the current step stands.
  #batch: RecordBatch | null = null;
  #ids: Int32Array = new Int32Array(0);
  #prepared = false;
  #next = 0;
  /** Timers of the clock are to run. */
  #ticked = false;
  /** The watermark is to go on. */
  #forward = false;
  #forwarded = NO_WATERMARK;

  constructor(settings: KeyedProcessSettings) {
    super();
    this.#settings = settings;
    this.#keys = new StateKeys(settings.keyKind);
    this.#input = this.#keys.input(settings.key);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const { name, output, tags, create } = this.#settings;
    const input = context.inputSchema as Schema;
    context.own(this.#keys.dictionary);
    this.#backend = context.stateBackend(this.#keys);
    this.#keys.hold((mark) => {
      this.#backend.hold(mark);
      for (const timers of [this.#eventTimers, this.#processingTimers]) for (const key of timers.keys()) mark(key);
    });
    this.#outputs = new BuiltOutputs(context, name, output, tags);
    this.#cursor = makeCursor(input);
    this.#call = new Call({
      context,
      keyOf: (id) => this.#keys.keyOf(id),
      scope: this.#backend.scope,
      outputs: this.#outputs,
      cursor: this.#cursor,
      forwards: narrowing(input, output) !== null,
      name,
      eventTimers: this.#eventTimers,
      processingTimers: this.#processingTimers,
    });
    this.#lists = new OperatorLists(name, context);
    this.#fn = create(context.subtask);
  }

  /** State is declared before it is taken over, so that it is migrated on its way in. */
  override start(): void {
    this.#fn.open?.({
      ...openContext(this.context, this.#lists),
      getState: (descriptor) => this.#backend.state(descriptor),
    });
    loadKeyed(this.#parts, this.#restored, this.context);
    this.#restored = [];
    this.#call.due = this.#eventTimers.next;
    this.nextTimer = this.#processingTimers.next;
  }

  processBatch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#next = 0;
    this.#prepared = false;
    this.#ids = this.#input.of(batch);
    this.#cursor.$bind(batch);
    this.#call.batch = batch;
    this.#begin(this.context.clock.now());
  }

  /** One that rows of the last batch have met already makes no timer run. */
  override processWatermark(watermark: number): void {
    const call = this.#call;
    if (watermark > call.watermark) {
      call.watermark = watermark;
      call.rising = true;
    }
    this.#forward = true;
    this.#begin(this.context.clock.now());
  }

  override onTimer(now: number): void {
    this.#ticked = true;
    this.#begin(now);
  }

  override resume(): void {
    this.#run();
  }

  override get awaiting(): boolean {
    return this.#backend.loading;
  }

  override get stateBytes(): number {
    return this.#backend.bytes + this.#eventTimers.bytes + this.#processingTimers.bytes;
  }

  override snapshot(): Eventually<OperatorSnapshot> {
    const { watermark } = this.#call;
    const operator = this.#lists.save();
    const keyed = saveKeyed(this.#parts, this.context.maxParallelism);
    return keyed instanceof Promise
      ? keyed.then((groups) => ({ watermark, keyed: groups, operator }))
      : { watermark, keyed, operator };
  }

  override restore(snapshots: readonly OperatorSnapshot[]): void {
    this.#restored = snapshots;
    this.#lists.load(snapshots);
    this.#call.watermark = restoredWatermark(snapshots);
    this.#forwarded = this.#call.watermark;
  }

  override close(): void {
    this.#fn.close?.();
    this.#backend.close();
  }

  get #parts() {
    return { keys: this.#keys, backend: this.#backend, timers: [this.#eventTimers, this.#processingTimers] };
  }

  #begin(now: number): void {
    this.#outputs.reuse();
    this.#call.currentProcessingTime = now;
    this.#backend.scope.now = now;
    this.#run();
  }

  #run(): void {
    this.pending = true;
    if (!this.#runTimers() || !this.#finishBatch() || !this.#outputs.drain(true)) return;
    this.#backend.release();
    this.pending = false;
    this.nextTimer = this.#processingTimers.next;
  }

  /** The rest of the current batch; false: out of credits, or state is being loaded. */
  #finishBatch(): boolean {
    const batch = this.#batch;
    if (batch === null) return true;
    this.#prepared ||= this.#backend.prepare(this.#ids, batch.selection, batch.count);
    if (!this.#prepared) return false;
    const call = this.#call;
    while (this.#next < batch.count) {
      call.full = false;
      this.#next = this.#drive(batch, this.#ids, this.#next, this.#cursor, call, this.#backend.scope, this.#fn);
      if (!this.#runTimers()) return false;
    }
    this.#batch = null;
    return true;
  }

  /** Everything that is due; false: out of credits, or state is being loaded. */
  #runTimers(): boolean {
    const call = this.#call;
    for (;;) {
      if (!this.#outputs.drain(false)) return false;
      const event = call.rising && this.#eventTimers.due(call.watermark);
      if (!event && !(this.#ticked && this.#processingTimers.due(call.currentProcessingTime))) break;
      const timers = event ? this.#eventTimers : this.#processingTimers;
      const timer = timers.peek() as Timer;
      this.#timerKey[0] = timer.key;
      if (!this.#backend.prepared(timer.key) && !this.#backend.prepare(this.#timerKey, null, 1)) return false;
      timers.drop();
      call.due = this.#eventTimers.next;
      this.#backend.scope.key = timer.key;
      call.timer = { time: timer.time, domain: event ? 'event' : 'processing', watermark: this.#forwarded };
      this.#fn.onTimer?.(timer.time, call, call);
      call.timer = null;
    }
    this.#ticked = false;
    this.#forward ||= call.rising;
    call.rising = false;
    return this.#forwardWatermark();
  }

  /** What timers made comes first, then the watermark that made them run. */
  #forwardWatermark(): boolean {
    if (!this.#forward) return true;
    if (!this.#outputs.drain(true) || !this.output.ready()) return false;
    this.#forward = false;
    const { watermark } = this.#call;
    if (watermark <= this.#forwarded) return true;
    this.#forwarded = watermark;
    this.output.watermark(watermark);
    return true;
  }
}

interface CallParts {
  readonly context: OperatorContext;
  readonly keyOf: (id: number) => Key;
  readonly scope: StateScope;
  readonly outputs: BuiltOutputs;
  readonly cursor: Cursor;
  /** The output is a narrowing of the input: `forward` is possible. */
  readonly forwards: boolean;
  readonly name: string;
  readonly eventTimers: TimerQueue;
  readonly processingTimers: TimerQueue;
}

/** Context and collector of the row or timer that a call is for. */
class Call implements KeyedCall, OnTimerContext {
  k = 0;
  watermark = NO_WATERMARK;
  rising = false;
  due = Number.POSITIVE_INFINITY;
  full = false;
  currentProcessingTime = 0;
  batch: RecordBatch | null = null;
  /** Null: the call is for a row. */
  timer: { readonly time: number; readonly domain: 'event' | 'processing'; readonly watermark: number } | null = null;
  readonly timerService: TimerService;
  readonly #parts: CallParts;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.timerService = new Timers(this, parts);
  }

  get currentWatermark(): number {
    return this.watermark;
  }

  get subtask(): number {
    return this.#parts.context.subtask;
  }

  get currentKey(): Key {
    return this.#parts.keyOf(this.#parts.scope.key);
  }

  get timestamp(): number | null {
    const time = this.#time;
    return Number.isNaN(time) ? null : time;
  }

  get timeDomain(): 'event' | 'processing' {
    return this.timer?.domain ?? 'event';
  }

  get #time(): number {
    const { timer } = this;
    if (timer === null) return (this.batch as RecordBatch).time[this.k] as number;
    return timer.domain === 'event' ? timer.time : Number.NaN;
  }

  /** In force before what the call makes: a timer runs ahead of the watermark that has reached it. */
  get #watermarkBefore(): number {
    if (this.batch?.watermarks == null) return Number.NaN;
    return this.timer?.watermark ?? this.watermark;
  }

  collect(row: Row<Fields>): void {
    const { outputs } = this.#parts;
    outputs.collect(row, this.#time, this.#watermarkBefore);
    this.full ||= outputs.overflowing;
  }

  forward(): void {
    const { forwards, cursor, name } = this.#parts;
    if (!forwards) {
      throw new WeirError(
        'FORWARD_SHAPE',
        `${name}: forward() needs an output schema whose columns are columns of the input.`,
      );
    }
    if (this.timer !== null) throw new WeirError('FORWARD_ROW', `${name}: there is no row to forward in onTimer.`);
    this.collect(cursor as unknown as Row<Fields>);
  }

  output<F extends Fields>(tag: OutputTag<F>, row: Row<F>): void {
    const { outputs } = this.#parts;
    outputs.side(
      tag as unknown as OutputTag,
      row as Readonly<Record<string, unknown>>,
      this.#time,
      this.#watermarkBefore,
    );
    this.full ||= outputs.overflowing;
  }
}

/** Timers of the current key. */
class Timers implements TimerService {
  readonly #call: Call;
  readonly #parts: CallParts;

  constructor(call: Call, parts: CallParts) {
    this.#call = call;
    this.#parts = parts;
  }

  currentWatermark(): number {
    return this.#call.currentWatermark;
  }

  currentProcessingTime(): number {
    return this.#call.currentProcessingTime;
  }

  registerEventTimeTimer(time: number): void {
    const { eventTimers, scope } = this.#parts;
    eventTimers.add(scope.key, '', this.#checked(time));
    this.#call.due = eventTimers.next;
  }

  deleteEventTimeTimer(time: number): void {
    const { eventTimers, scope } = this.#parts;
    eventTimers.delete(scope.key, '', time);
    this.#call.due = eventTimers.next;
  }

  registerProcessingTimeTimer(time: number): void {
    this.#parts.processingTimers.add(this.#parts.scope.key, '', this.#checked(time));
  }

  deleteProcessingTimeTimer(time: number): void {
    this.#parts.processingTimers.delete(this.#parts.scope.key, '', time);
  }

  #checked(time: number): number {
    if (typeof time === 'number' && !Number.isNaN(time)) return time;
    throw new WeirError(
      'TIMER_TIME',
      `${this.#parts.name}: a timer needs an instant in ms, not ${String(time)}; has the row no timestamp?`,
    );
  }
}
