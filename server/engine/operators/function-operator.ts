/**
 * Runs user functions with context: one input or two, keyed or not; batches, timers, broadcast state, credits, snapshots. What functions can
 * rely on is in `keyed-process.ts`, `co-process.ts` and `broadcast-process.ts`.
 */

import { makeCursor } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { BroadcastStates } from '../state/broadcast-states.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { KeyedBlock } from '../state/keyed-blocks.ts';
import { loadKeyed, saveKeyed } from '../state/keyed-snapshot.ts';
import type { Eventually, KeyedStateBackend } from '../state/keyed-state.ts';
import { OperatorLists } from '../state/operator-lists.ts';
import type { OwnSnapshot, TakenSnapshot } from '../state/snapshot.ts';
import { type KeyInput, StateKeys } from '../state/state-keys.ts';
import { type Timer, TimerQueue } from '../state/timer-queue.ts';
import { TimerRecords } from '../state/timer-records.ts';
import { BuiltOutputs } from './built-outputs.ts';
import { type CalledInput, FunctionCall } from './function-call.ts';
import { type FunctionDriver, makeFunctionDriver } from './function-driver.ts';
import { KeyTasks } from './key-tasks.ts';
import type { KeyedOpenContext } from './keyed-process.ts';
import { NO_WATERMARK, Operator, type OperatorContext } from './operator.ts';
import { narrowing, type OutputTag, openContext } from './process.ts';

/** What rows of an input are given to. */
export type RowMethod = 'processElement' | 'processElement1' | 'processElement2' | 'processBroadcastElement';

export interface FunctionInput {
  /** Position of the key column; null: its rows have no key. */
  readonly key: number | null;
  readonly method: RowMethod;
}

export interface FunctionSettings {
  readonly name: string;
  readonly keyKind: 'string' | 'i32';
  /** One or two. */
  readonly inputs: readonly FunctionInput[];
  readonly output: Schema;
  readonly tags: readonly OutputTag[];
  /** Broadcast states. */
  readonly broadcast: readonly StateDescriptor[];
  readonly create: (subtask: number) => OperatorFunction;
}

/** What a function may ask when it is opened; what the API's own functions may ask besides. */
export interface FunctionOpenContext extends KeyedOpenContext {
  /** Cells of the operator. */
  readonly cells: Float64Array;
}

/** A function of any kind: its row methods are those that the inputs name. */
export interface OperatorFunction {
  open?(ctx: FunctionOpenContext): void;
  onTimer?(time: number, ctx: FunctionCall, out: FunctionCall): void;
  close?(): void;
}

interface Input extends CalledInput {
  readonly keys: KeyInput | null;
  readonly drive: FunctionDriver;
}

export class FunctionOperator extends Operator {
  readonly #settings: FunctionSettings;
  readonly #keys: StateKeys;
  readonly #eventTimers = new TimerQueue();
  readonly #processingTimers = new TimerQueue();
  readonly #broadcast: BroadcastStates;
  #inputs: readonly Input[] = [];
  #backend!: KeyedStateBackend;
  #timerRecords!: TimerRecords;
  #lists!: OperatorLists;
  #opened = false;
  #outputs!: BuiltOutputs;
  #fn!: OperatorFunction;
  #call!: FunctionCall;
  #tasks!: KeyTasks;

  // Where the current step stands.
  #batch: RecordBatch | null = null;
  #input: Input | null = null;
  #ids: Int32Array = new Int32Array(0);
  #next = 0;
  /** State of the rows before this one is in memory. */
  #ready = 0;
  /** Timers of the clock are to run. */
  #ticked = false;
  /** The watermark is to go on. */
  #forward = false;
  #forwarded = NO_WATERMARK;

  constructor(settings: FunctionSettings) {
    super();
    this.#settings = settings;
    this.#keys = new StateKeys(settings.keyKind);
    this.#broadcast = new BroadcastStates(settings.name, settings.broadcast);
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const { name, output, tags, create } = this.#settings;
    context.own(this.#keys.table);
    this.#backend = context.stateBackend(this.#keys);
    this.#timerRecords = new TimerRecords(this.#backend, () => {
      if (this.#input?.keys != null) this.#ready = this.#next;
    });
    this.#keys.hold((mark) => {
      this.#backend.hold(mark);
      for (const timers of [this.#eventTimers, this.#processingTimers]) timers.hold(mark);
    });
    this.#outputs = new BuiltOutputs(context, name, output, tags);
    this.#inputs = this.#settings.inputs.map(({ key, method }, i): Input => {
      const schema = (i === 0 ? context.inputSchema : context.secondSchema) as Schema;
      return {
        keys: key === null ? null : this.#keys.input(key),
        drive: makeFunctionDriver(method, key !== null),
        cursor: makeCursor(schema),
        forwards: narrowing(schema, output) !== null,
        broadcast: method === 'processBroadcastElement',
      };
    });
    this.#tasks = new KeyTasks(this.#backend, this.#keys, () => context.wake());
    this.#call = new FunctionCall({
      context,
      keyOf: (id) => this.#keys.keyOf(id),
      backend: this.#backend,
      scope: this.#backend.scope,
      outputs: this.#outputs,
      name,
      eventTimers: this.#eventTimers,
      processingTimers: this.#processingTimers,
      broadcast: this.#broadcast,
      applyToAll: (task) => this.#tasks.push(task),
    });
    this.#lists = new OperatorLists(name, context);
    this.#fn = create(context.subtask);
  }

  /** State is declared before it is taken over, so that it is migrated on its way in. */
  override load(block: KeyedBlock): Eventually<void> {
    this.#openFunction();
    return loadKeyed(this.#parts, block);
  }

  override start(): void {
    this.#openFunction();
    this.#call.due = this.#eventTimers.next;
    this.nextTimer = this.#processingTimers.next;
  }

  #openFunction(): void {
    if (this.#opened) return;
    this.#opened = true;
    this.#fn.open?.({
      ...openContext(this.context, this.#lists),
      cells: this.context.cells,
      getState: (descriptor) => this.#backend.state(descriptor),
    });
  }

  processBatch(batch: RecordBatch, index: number): void {
    const input = this.#inputs[index] as Input;
    this.#batch = batch;
    this.#input = input;
    this.#next = 0;
    if (input.keys !== null) this.#ids = input.keys.of(batch);
    this.#ready = input.keys === null ? batch.count : 0;
    input.cursor.$bind(batch);
    this.#call.batch = batch;
    this.#call.input = input;
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
    return this.#backend.loading || this.#tasks.waiting;
  }

  override get stateBytes(): number {
    const timers = this.#eventTimers.bytes + this.#processingTimers.bytes;
    return this.#backend.bytes + timers + this.#broadcast.bytes + this.#lists.bytes;
  }

  override snapshot(): TakenSnapshot {
    const { watermark } = this.#call;
    const operator = { ...this.#broadcast.save(), ...this.#lists.save() };
    return { watermark, operator, keyed: saveKeyed(this.#parts, this.context.maxParallelism) };
  }

  override restore(snapshots: readonly OwnSnapshot[]): void {
    super.restore(snapshots);
    this.#lists.load(snapshots);
    this.#broadcast.load(snapshots, this.context.subtask);
    this.#call.watermark = this.inputWatermark;
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
    if (!this.#tasks.run() || !this.#runTimers() || !this.#finishBatch() || !this.#outputs.drain(true)) return;
    this.#timerRecords.release();
    this.pending = false;
    this.nextTimer = this.#processingTimers.next;
  }

  /** The rest of the current batch; false: out of credits, or state is being loaded. */
  #finishBatch(): boolean {
    const batch = this.#batch;
    if (batch === null) return true;
    const call = this.#call;
    const input = this.#input as Input;
    call.cleansEveryRecord = this.#backend.cleansEveryRecord;
    while (this.#next < batch.count) {
      const next = this.#next;
      if (next === this.#ready) this.#ready = this.#backend.prepare(this.#ids, batch.selection, next, batch.count);
      if (next === this.#ready) return false;
      call.full = false;
      this.#next = input.drive(batch, this.#ids, next, this.#ready, input.cursor, call, this.#backend.scope, this.#fn);
      if (!this.#tasks.run() || !this.#runTimers()) return false;
    }
    this.#batch = null;
    return true;
  }

  /** Everything that is due; false: out of credits, or state is being loaded. */
  #runTimers(): boolean {
    const call = this.#call;
    const { scope } = this.#backend;
    for (;;) {
      if (!this.#outputs.drain(false)) return false;
      const event = call.rising && this.#eventTimers.due(call.watermark);
      if (!event && !this.#clockTimerDue()) break;
      const timers = event ? this.#eventTimers : this.#processingTimers;
      const timer = timers.peek() as Timer;
      if (!this.#timerRecords.ready(timers, event ? call.watermark : call.currentProcessingTime)) return false;
      timers.drop();
      call.due = this.#eventTimers.next;
      scope.key = timer.key;
      scope.namespace = timer.namespace;
      call.timer = { time: timer.time, domain: event ? 'event' : 'processing', watermark: this.#forwarded };
      this.#fn.onTimer?.(timer.time, call, call);
      call.timer = null;
      scope.namespace = '';
    }
    this.#ticked = false;
    this.#forward ||= call.rising;
    call.rising = false;
    return this.#forwardWatermark();
  }

  #clockTimerDue(): boolean {
    return this.#ticked && this.#processingTimers.due(this.#call.currentProcessingTime);
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
