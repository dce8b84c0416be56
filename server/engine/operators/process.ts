/**
 * Row functions: a user function sees one row at a time through a generated cursor and passes it on, makes new rows, or sends rows to side
 * outputs. `map`, `flatMap` and `process` are this operator.
 *
 *   forward()     the row goes on as it is, narrowed to the output schema: only its index is kept, nothing is copied
 *   collect(row)  a new row is written into a batch of the operator's own
 *   output(tag)   a row for a side output, always written
 *
 * An operator that has both forwarded and collected copies forwarded rows from then on, so that order holds.
 */

import { WeirError } from '#base/errors.ts';
import { BatchBuilder, type Cursor, makeCursor } from '../batch/cursor.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { ListState } from '../state/keyed-state.ts';
import { OperatorLists } from '../state/operator-lists.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { Operator, type OperatorContext } from './operator.ts';
import type { Output } from './output.ts';

/** Names a side output and says what its rows are. The same tag is used to write (`ctx.output`) and to read (`stream.sideOutput`). */
export class OutputTag<F extends Fields = Fields> {
  readonly id: string;
  readonly schema: Schema<F>;

  constructor(id: string, schema: Schema<F>) {
    this.id = id;
    this.schema = schema;
  }
}

/** Takes the rows a function makes. */
export interface Collector<F extends Fields> {
  /** Adds a new row; it gets the event timestamp of the row it was made from. */
  collect(row: Row<F>): void;
  /**
   * Passes the current row on unchanged, narrowed to the output schema, whose columns must be columns of the input of the same kinds.
   * The caller vouches that columns the output declares as not nullable hold a value in this row.
   */
  forward(): void;
}

/** What a function may ask about the row it is given. */
export interface ProcessContext {
  /** Event timestamp, ms; null: the row has none. */
  readonly timestamp: number | null;
  /** Watermark in force when this row arrived, ms; -Infinity: none yet. */
  readonly currentWatermark: number;
  /** Processing time at which the row's batch arrived, ms. */
  readonly currentProcessingTime: number;
  readonly subtask: number;
  output<F extends Fields>(tag: OutputTag<F>, row: Row<F>): void;
}

/** Called once per row. `row` is valid only during the call. */
export type ProcessFunction<In extends Fields, Out extends Fields> = (
  row: Row<In>,
  ctx: ProcessContext,
  out: Collector<Out>,
) => void;

/** What a function may ask when it is opened, before its first row. What was restored is there. */
export interface OpenContext {
  readonly subtask: number;
  readonly parallelism: number;
  /**
   * A list of this subtask, for what belongs to no key; to be asked for here, and kept. While the job runs nobody else sees it; restored at
   * another parallelism, items are dealt out anew (`state/operator-lists.ts`), each to one subtask. So a function adds, takes out, and
   * expects any of them.
   */
  getListState<T>(descriptor: StateDescriptor<ListState<T>>): ListState<T>;
  /**
   * The same, but restored every subtask gets the items of all. What it leaves in its list is part of the next snapshot, once for each subtask
   * that left it: keep what is your own, or `update` with what you made of all.
   */
  getUnionListState<T>(descriptor: StateDescriptor<ListState<T>>): ListState<T>;
}

/**
 * A function with a life: opened once per subtask, and with state that belongs to no key.
 *
 *   class Buffer implements StatefulFunction<Reading, Reading> {
 *     open(ctx) { this.held = ctx.getListState(listState<Row<Reading>>('held')); }
 *     processElement(row, ctx, out) { … this.held.add({ … }); }
 *   }
 */
export interface StatefulFunction<In extends Fields, Out extends Fields> {
  open?(ctx: OpenContext): void;
  /** Called once per row; `row` is valid only during the call. */
  processElement(row: Row<In>, ctx: ProcessContext, out: Collector<Out>): void;
  close?(): void;
}

export function openContext({ subtask, parallelism }: OperatorContext, lists: OperatorLists): OpenContext {
  return {
    subtask,
    parallelism,
    getListState: (descriptor) => lists.list(descriptor, 'split'),
    getUnionListState: (descriptor) => lists.list(descriptor, 'union'),
  };
}

interface ProcessOptions {
  readonly name: string;
  readonly output: Schema;
  readonly tags: readonly OutputTag[];
  /** Makes the function of one subtask, so that what it closes over is that subtask's own. */
  readonly create: (subtask: number) => ProcessFunction<Fields, Fields> | StatefulFunction<Fields, Fields>;
}

type Driver = (
  rows: Int32Array | null,
  from: number,
  to: number,
  cursor: Cursor,
  state: RowState,
  fn: ProcessFunction<Fields, Fields>,
) => number;

/**
 * A loop per operator: a shared one that has seen six functions is three times slower. It stops behind a row that filled a batch.
 */
function makeDriver(): Driver {
  return new Function(`return function drive(rows, from, to, cursor, state, fn) {
    for (let i = from; i < to; i++) {
      const k = rows === null ? i : rows[i];
      cursor.$k = k;
      state.k = k;
      fn(cursor, state, state);
      if (state.full) return i + 1;
    }
    return to;
  }`)() as Driver;
}

/** Context and collector of the current row. */
class RowState implements ProcessContext, Collector<Fields> {
  k = 0;
  full = false;
  /** Rows forwarded so far, and the last of them. */
  forwarded = 0;
  #last = -1;
  readonly selection: Int32Array;
  subtask = 0;
  currentProcessingTime = 0;
  watermark = Number.NEGATIVE_INFINITY;
  batch!: RecordBatch;
  cursor!: Cursor;
  /** Set when new rows have been made: forwarded ones are copied then. */
  building = false;
  builder!: BatchBuilder;
  sides = new Map<string, BatchBuilder>();
  readonly name: string;

  constructor(capacity: number, name: string) {
    this.selection = new Int32Array(capacity);
    this.name = name;
  }

  get timestamp(): number | null {
    const t = this.batch.time[this.k] as number;
    return Number.isNaN(t) ? null : t;
  }

  get currentWatermark(): number {
    return this.batch.watermarks === null
      ? this.watermark
      : Math.max(this.watermark, this.batch.watermarks[this.k] as number);
  }

  forward(): void {
    if (!this.building) {
      const k = this.k;
      if (this.forwarded === 0 || this.#last !== k) {
        this.selection[this.forwarded++] = k;
        this.#last = k;
        return;
      }
      // Once more the same row: a selection names a row once.
      this.#startBuilding();
    }
    this.#copy(this.k);
  }

  collect(row: Readonly<Record<string, unknown>>): void {
    if (!this.building) this.#startBuilding();
    this.builder.add(row, this.batch.time[this.k] as number, this.#inBatchWatermark(this.k));
    this.full ||= this.builder.overflowing;
  }

  output(tag: OutputTag, row: Readonly<Record<string, unknown>>): void {
    const side = this.sides.get(tag.id);
    if (side === undefined) {
      throw new WeirError(
        'UNDECLARED_TAG',
        `${this.name}: side output "${tag.id}" was not declared; list it in sideOutputs.`,
      );
    }
    side.add(row, this.batch.time[this.k] as number, this.#inBatchWatermark(this.k));
    this.full ||= side.overflowing;
  }

  /** New rows from now on: what was forwarded so far is copied before them. */
  #startBuilding(): void {
    this.building = true;
    for (let i = 0; i < this.forwarded; i++) this.#copy(this.selection[i] as number);
    this.forwarded = 0;
    this.cursor.$k = this.k;
  }

  #copy(k: number): void {
    this.cursor.$k = k;
    this.builder.add(
      this.cursor as unknown as Record<string, unknown>,
      this.batch.time[k] as number,
      this.#inBatchWatermark(k),
    );
    this.full ||= this.builder.overflowing;
  }

  #inBatchWatermark(k: number): number {
    return this.batch.watermarks === null ? Number.NaN : (this.batch.watermarks[k] as number);
  }
}

export class ProcessOperator extends Operator {
  readonly #options: ProcessOptions;
  readonly #drive = makeDriver();
  readonly #dictionary = new Dictionary();
  #lists!: OperatorLists;
  #fn!: ProcessFunction<Fields, Fields>;
  /** Null: a plain function. */
  #stateful: StatefulFunction<Fields, Fields> | null = null;
  #cursor!: Cursor;
  #state!: RowState;
  #sides: { output: Output; builder: BatchBuilder }[] = [];
  /** Column positions in the input of the output's columns; null: the output is no narrowing of the input, `forward` is refused. */
  #narrowing: number[] | null = null;
  #view!: RecordBatch;
  #batch: RecordBatch | null = null;
  #next = 0;

  constructor(options: ProcessOptions) {
    super();
    this.#options = options;
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const input = context.inputSchema as Schema;
    const { name, output, tags, create } = this.#options;
    this.#lists = new OperatorLists(name, context);
    const made = create(context.subtask);
    if (typeof made === 'function') {
      this.#fn = made;
    } else {
      this.#stateful = made;
      this.#fn = (row, ctx, out) => made.processElement(row, ctx, out);
    }
    this.#cursor = makeCursor(input);
    this.#narrowing = narrowing(input, output);
    this.#view = RecordBatch.view(output);
    const state = new RowState(4096, name);
    state.subtask = context.subtask;
    state.cursor = this.#cursor;
    state.builder = new BatchBuilder(output, this.#dictionary, name);
    for (const tag of tags) {
      const builder = new BatchBuilder(tag.schema, this.#dictionary, `${name}, side output ${tag.id}`);
      state.sides.set(tag.id, builder);
      this.#sides.push({ output: context.sideOutput(tag.id), builder });
    }
    if (this.#narrowing === null) {
      state.forward = () => {
        throw new WeirError(
          'FORWARD_SHAPE',
          `${name}: forward() needs an output schema whose columns are input columns; input ${input}, output ${output}.`,
        );
      };
    }
    this.#state = state;
    context.own(this.#dictionary);
  }

  override start(): void {
    this.#stateful?.open?.(openContext(this.context, this.#lists));
  }

  processBatch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#next = 0;
    const state = this.#state;
    state.batch = batch;
    state.forwarded = 0;
    state.currentProcessingTime = this.context.clock.now();
    state.builder.reuse();
    for (const side of this.#sides) side.builder.reuse();
    this.#cursor.$bind(batch);
    this.#run();
  }

  override processWatermark(watermark: number): void {
    this.#state.watermark = watermark;
    super.processWatermark(watermark);
  }

  override resume(): void {
    this.#run();
  }

  override get stateBytes(): number {
    return this.#lists.bytes;
  }

  override snapshot(): OperatorSnapshot {
    return { watermark: this.#state.watermark, keyed: [], operator: this.#lists.save() };
  }

  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    this.#lists.load(snapshots);
    this.#state.watermark = this.inputWatermark;
  }

  override close(): void {
    this.#stateful?.close?.();
  }

  #run(): void {
    const batch = this.#batch as RecordBatch;
    const rows = batch.selection;
    const to = batch.count;
    const state = this.#state;
    this.pending = true;
    for (;;) {
      if (!this.#drain(false)) return;
      state.full = false;
      if (this.#next >= to) break;
      this.#next = this.#drive(rows, this.#next, to, this.#cursor, state, this.#fn);
    }
    if (!this.#drain(true)) return;
    if (state.forwarded > 0) {
      if (!this.output.ready()) return;
      const view = this.#narrow(batch);
      state.forwarded = 0;
      this.output.emit(view);
    }
    this.pending = false;
    this.#batch = null;
  }

  #drain(all: boolean): boolean {
    const output = this.output;
    let done = this.#state.builder.drain(
      () => output.ready(),
      (b) => this.#emitBuilt(b, output),
      all,
    );
    for (const side of this.#sides) {
      done =
        side.builder.drain(
          () => side.output.ready(),
          (b) => this.#emitBuilt(b, side.output),
          all,
        ) && done;
    }
    return done;
  }

  /** New rows belong to the split of those they were made from: a builder never holds rows of two batches. */
  #emitBuilt(built: RecordBatch, output: Output): void {
    built.split = (this.#batch as RecordBatch).split;
    output.emit(built);
  }

  /** The forwarded rows of `batch`, as a view: columns are shared. */
  #narrow(batch: RecordBatch): RecordBatch {
    const positions = this.#narrowing as number[];
    const columns = positions.map((i) => batch.columns[i] as RecordBatch['columns'][number]);
    const dictionaries = positions.map((i) => batch.dictionaries[i] ?? null);
    const view = this.#view.show(batch);
    view.columns = columns;
    view.dictionaries = dictionaries;
    const state = this.#state;
    view.selected = state.forwarded;
    // Every row went through in order: no selection is cheaper for whoever comes next.
    view.selection = state.forwarded === batch.size ? null : state.selection;
    return view;
  }
}

/** Column positions in the input of the output's columns; null: the output is no narrowing of the input. */
export function narrowing(input: Schema, output: Schema): number[] | null {
  const positions: number[] = [];
  for (const column of output.columns) {
    const i = input.indexOf(column.name);
    if (i < 0 || input.columns[i]?.kind !== column.kind) return null;
    positions.push(i);
  }
  return positions;
}
