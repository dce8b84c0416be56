/** What a user function is given beside the row: context and collector of the row or timer that a call is for. */

import { WeirError } from '#base/errors.ts';
import type { Cursor } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row } from '../batch/schema.ts';
import type { BroadcastStates } from '../state/broadcast-states.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { KeyedState, KeyedStateBackend, MapKey, MapState, StateScope } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import type { TimerQueue } from '../state/timer-queue.ts';
import type { TimerService } from '../state/timers.ts';
import type { KeyedBroadcastContext } from './broadcast-process.ts';
import type { BuiltOutputs } from './built-outputs.ts';
import type { DrivenCall } from './function-driver.ts';
import type { OnTimerContext } from './keyed-process.ts';
import { NO_WATERMARK, type OperatorContext } from './operator.ts';
import type { Collector, OutputTag } from './process.ts';

export interface CallParts {
  readonly context: OperatorContext;
  readonly keyOf: (id: number) => Key;
  readonly backend: KeyedStateBackend;
  /** The backend's. */
  readonly scope: StateScope;
  readonly outputs: BuiltOutputs;
  readonly name: string;
  readonly eventTimers: TimerQueue;
  readonly processingTimers: TimerQueue;
  readonly broadcast: BroadcastStates;
  /** Hands something over that is to be done to the state of all keys, behind the current row. */
  readonly applyToAll: (task: KeyTask) => void;
}

/** Something to be done to one state of every key that has it. */
export interface KeyTask {
  readonly descriptor: StateDescriptor;
  readonly apply: (key: Key, state: KeyedState) => void;
}

/** The input that a row is of. */
export interface CalledInput {
  readonly cursor: Cursor;
  /** The output is a narrowing of the input: `forward` is possible. */
  readonly forwards: boolean;
  /** Its rows may change broadcast state. */
  readonly broadcast: boolean;
}

/** Context and collector of the row or timer that a call is for. */
export class FunctionCall implements DrivenCall, OnTimerContext, KeyedBroadcastContext, Collector<Fields> {
  k = 0;
  watermark = NO_WATERMARK;
  rising = false;
  due = Number.POSITIVE_INFINITY;
  full = false;
  cleansEveryRecord = false;
  currentProcessingTime = 0;
  batch: RecordBatch | null = null;
  input: CalledInput | null = null;
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

  afterRecord(): void {
    this.#parts.backend.afterRecord();
  }

  collect(row: Row<Fields>): void {
    this.collectAt(row, this.#time);
  }

  /** The same with a timestamp of the function's own. */
  collectAt(row: Row<Fields>, time: number): void {
    const { outputs } = this.#parts;
    outputs.collect(row, time, this.#watermarkBefore);
    this.full ||= outputs.overflowing;
  }

  forward(): void {
    const { name } = this.#parts;
    const { forwards, cursor } = this.input as CalledInput;
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
    this.outputAt(tag, row, this.#time);
  }

  /** The same with a timestamp of the function's own. */
  outputAt<F extends Fields>(tag: OutputTag<F>, row: Row<F>, time: number): void {
    const { outputs } = this.#parts;
    const fields = row as Readonly<Record<string, unknown>>;
    outputs.side(tag as unknown as OutputTag, fields, time, this.#watermarkBefore);
    this.full ||= outputs.overflowing;
  }

  /** Rows of the broadcast input may change it, all others only read it. */
  getBroadcastState<K extends MapKey, V>(descriptor: StateDescriptor<MapState<K, V>>): MapState<K, V> {
    const { broadcast } = this.#parts;
    const writable = this.timer === null && this.input?.broadcast === true;
    return (writable ? broadcast.writable(descriptor) : broadcast.readOnly(descriptor)) as MapState<K, V>;
  }

  applyToKeyedState<S extends KeyedState>(descriptor: StateDescriptor<S>, apply: (key: Key, state: S) => void): void {
    this.#parts.applyToAll({ descriptor, apply: apply as (key: Key, state: KeyedState) => void });
    this.full = true;
  }
}

/** Timers of the current key and namespace. */
class Timers implements TimerService {
  readonly #call: FunctionCall;
  readonly #parts: CallParts;

  constructor(call: FunctionCall, parts: CallParts) {
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
    eventTimers.add(scope.key, scope.namespace, this.#checked(time));
    this.#call.due = eventTimers.next;
  }

  deleteEventTimeTimer(time: number): void {
    const { eventTimers, scope } = this.#parts;
    eventTimers.delete(scope.key, scope.namespace, time);
    this.#call.due = eventTimers.next;
  }

  registerProcessingTimeTimer(time: number): void {
    const { processingTimers, scope } = this.#parts;
    processingTimers.add(scope.key, scope.namespace, this.#checked(time));
  }

  deleteProcessingTimeTimer(time: number): void {
    const { processingTimers, scope } = this.#parts;
    processingTimers.delete(scope.key, scope.namespace, time);
  }

  #checked(time: number): number {
    if (typeof time === 'number' && !Number.isNaN(time)) return time;
    throw new WeirError(
      'TIMER_TIME',
      `${this.#parts.name}: a timer needs an instant in ms, not ${String(time)}; has the row no timestamp?`,
    );
  }
}
