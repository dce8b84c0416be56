/**
 * One operator by itself: rows, watermarks and time go in, and everything that comes out is seen in its order. Outputs have credits that a
 * test may take away, to see an operator stop in the middle and go on exactly where it was.
 *
 *   const harness = new OperatorHarness(new FilterOperator(…), { input: Reading, output: Reading });
 *   harness.rows([{ device: 'a', value: 1 }], { times: [1000] });
 *   harness.watermark(999);
 *   harness.take();     // ['{"device":"a","value":1} @1000', 'watermark 999']
 */

import { ManualClock } from '#base/clock.ts';
import { type Cursor, makeCursor, makeRowWriter } from '#engine/batch/cursor.ts';
import { Dictionary, type Swept } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import type { PairConsumer } from '#engine/exchange/input-pair.ts';
import { OPERATOR_CELLS } from '#engine/metrics/cells.ts';
import type { LatencyMarker } from '#engine/metrics/latency.ts';
import { ChainedOperator } from '#engine/operators/chained-operator.ts';
import type { Operator } from '#engine/operators/operator.ts';
import { type Consumer, Output } from '#engine/operators/output.ts';
import { Splits } from '#engine/operators/source.ts';
import { heapBackend } from '#engine/state/heap-backend.ts';
import { atOnce } from '#engine/state/keyed-blocks.ts';
import { ownBlocks } from '#engine/state/keyed-snapshot.ts';
import { DEFAULT_STATE, type StateBackendFactory } from '#engine/state/keyed-state.ts';
import type { OperatorSnapshot, TakenSnapshot } from '#engine/state/snapshot.ts';

export type PlainRow = Readonly<Record<string, unknown>>;

/** What came out of an operator; `output` is `main` or the tag of a side output. */
export type Emission =
  | {
      readonly kind: 'row';
      readonly output: string;
      readonly row: PlainRow;
      readonly time: number | null;
      /** In force before this row, where watermarks move inside the batch. */
      readonly watermark: number | null;
    }
  | { readonly kind: 'watermark'; readonly output: string; readonly watermark: number }
  | { readonly kind: 'idle'; readonly output: string; readonly idle: boolean }
  | { readonly kind: 'marker'; readonly output: string; readonly marker: LatencyMarker }
  | { readonly kind: 'end'; readonly output: string };

/** The rows that count, as objects that stay. */
export function rowsOf(batch: RecordBatch, cursor: Cursor = makeCursor(batch.schema)): PlainRow[] {
  cursor.$bind(batch);
  return Array.from({ length: batch.count }, (_, i) => {
    cursor.$k = batch.row(i);
    return cursor.$copy();
  });
}

/**
 * Consumer with credits: each batch takes one. While it has none it is still reading the last batch, so it reads it again when it gets new
 * credits and complains if somebody has changed it.
 */
export class CollectingConsumer implements Consumer {
  readonly #name: string;
  readonly #log: Emission[];
  readonly #cursor: Cursor;
  #reading: { batch: RecordBatch; rows: string } | null = null;
  #credits = Number.POSITIVE_INFINITY;
  /** Batches taken. */
  batches = 0;
  /** Dictionaries that the batches came with, per column: consumers may rely on there being one. */
  readonly dictionaries: Set<Dictionary>[];
  /** `split` of the last batch. */
  split: number | null = null;

  constructor(name: string, schema: Schema, log: Emission[]) {
    this.#name = name;
    this.#log = log;
    this.#cursor = makeCursor(schema);
    this.dictionaries = schema.columns.map(() => new Set());
  }

  set credits(credits: number) {
    const reading = this.#reading;
    if (reading !== null && text(rowsOf(reading.batch, this.#cursor)) !== reading.rows) {
      throw new Error(`${this.#name}: a batch was changed while its consumer was still reading it.`);
    }
    this.#reading = null;
    this.#credits = credits;
  }

  ready(): boolean {
    return this.#credits > 0;
  }

  batch(batch: RecordBatch): void {
    this.#mayTake('a batch');
    this.#credits--;
    this.batches++;
    this.split = batch.split;
    for (const [i, dictionary] of batch.dictionaries.entries()) {
      if (dictionary !== null) this.dictionaries[i]?.add(dictionary);
    }
    const rows = rowsOf(batch, this.#cursor);
    if (this.#credits === 0) this.#reading = { batch, rows: text(rows) };
    for (const [i, row] of rows.entries()) {
      const k = batch.row(i);
      const time = batch.time[k] as number;
      const watermark = batch.watermarks === null ? null : (batch.watermarks[k] as number);
      this.#log.push({ kind: 'row', output: this.#name, row, time: Number.isNaN(time) ? null : time, watermark });
    }
  }

  watermark(watermark: number): void {
    this.#mayTake('a watermark');
    this.#log.push({ kind: 'watermark', output: this.#name, watermark });
  }

  idle(idle: boolean): void {
    this.#log.push({ kind: 'idle', output: this.#name, idle });
  }

  marker(marker: LatencyMarker): void {
    this.#mayTake('a marker');
    this.#log.push({ kind: 'marker', output: this.#name, marker });
  }

  end(): void {
    this.#mayTake('the end');
    this.#log.push({ kind: 'end', output: this.#name });
  }

  #mayTake(what: string): void {
    if (!this.ready()) throw new Error(`${this.#name}: ${what} was emitted without credits.`);
  }
}

function text(rows: readonly PlainRow[]): string {
  return JSON.stringify(rows, (_, value) => (value instanceof Uint8Array ? [...value] : value));
}

export interface HarnessOptions {
  readonly input: Schema;
  /** Of operators with two inputs (`pair-harness.ts`). */
  readonly second?: Schema;
  readonly output: Schema;
  readonly sides?: Readonly<Record<string, Schema>>;
  readonly clock?: ManualClock;
  readonly subtask?: number;
  readonly parallelism?: number;
  readonly maxParallelism?: number;
  /** Makes the keyed state; on the heap, if not given. */
  readonly stateBackend?: StateBackendFactory;
  /** Of a job that takes checkpoints; false, if not given. */
  readonly checkpointing?: boolean;
  /** Told of failures outside of any call; they are thrown, if not given. */
  readonly fail?: (error: Error) => void;
  /** Snapshots of all subtasks of the operator that this one takes over from. */
  readonly restore?: readonly OperatorSnapshot[];
}

export interface RowOptions {
  /** Event timestamps; null or absent: the row has none. */
  readonly times?: readonly (number | null)[];
  /** In force before each row. */
  readonly watermarks?: readonly number[];
  readonly split?: number;
  /** Of the batch's strings; the harness has one of its own. */
  readonly dictionary?: Dictionary;
}

export class OperatorHarness {
  readonly clock: ManualClock;
  readonly splits = new Splits();
  readonly cells = new Float64Array(OPERATOR_CELLS);
  readonly reports: unknown[] = [];
  /** Dictionaries that the operator asked to have swept. */
  readonly owned: Swept[] = [];
  readonly consumers: ReadonlyMap<string, CollectingConsumer>;
  readonly #operator: Operator;
  readonly #place: ChainedOperator;
  readonly #input: Schema;
  readonly #dictionary = new Dictionary();
  #log: Emission[] = [];

  constructor(operator: Operator, options: HarnessOptions) {
    this.clock = options.clock ?? new ManualClock();
    this.#operator = operator;
    this.#input = options.input;
    const consumers = new Map<string, CollectingConsumer>();
    const consume = (name: string, schema: Schema): CollectingConsumer => {
      const consumer = new CollectingConsumer(name, schema, this.#log);
      consumers.set(name, consumer);
      return consumer;
    };
    const main = consume('main', options.output);
    const sides = new Map<string, Output>();
    for (const [tag, schema] of Object.entries(options.sides ?? {})) {
      sides.set(tag, new Output([consume(tag, schema)], this.cells));
    }
    const output = new Output([main], this.cells, [...sides.values()]);
    this.consumers = consumers;
    this.#place = new ChainedOperator(operator, output, this.cells);
    operator.open({
      name: 'operator',
      subtask: options.subtask ?? 0,
      parallelism: options.parallelism ?? 1,
      maxParallelism: options.maxParallelism ?? 128,
      clock: this.clock,
      inputSchema: options.input,
      secondSchema: options.second ?? null,
      cells: this.cells,
      output,
      sideOutput: (tag) => sides.get(tag) ?? new Output([], this.cells),
      splits: this.splits,
      stateBackend: (keys) =>
        (options.stateBackend ?? heapBackend)({
          operator: 'operator',
          operatorId: 'operator',
          subtask: options.subtask ?? 0,
          maxParallelism: options.maxParallelism ?? 128,
          keys,
          cells: this.cells,
          cacheBytes: DEFAULT_STATE.stateCacheBytes,
          wake: () => {},
          fail: (error) => {
            throw error;
          },
        }),
      checkpointing: options.checkpointing ?? false,
      fail:
        options.fail ??
        ((error) => {
          throw error;
        }),
      own: (dictionary) => this.owned.push(dictionary),
      report: (message) => this.reports.push(message),
      wake: () => {},
    });
    const { restore, subtask = 0, parallelism = 1, maxParallelism = 128 } = options;
    if (restore !== undefined) {
      operator.restore(restore);
      for (const block of ownBlocks(restore, { subtask, parallelism, maxParallelism })) void operator.load(block);
    }
    operator.start();
  }

  /** All state of the operator; give it to another harness as `restore`. */
  snapshot(checkpoint = 1): OperatorSnapshot {
    this.#mayCall();
    const snapshot = atOnce(this.#operator.snapshot(checkpoint));
    if (snapshot instanceof Promise) throw new Error('This state has to be read: use snapshotLater.');
    return snapshot;
  }

  /** The same with the key groups still to be taken: the operator may go on between any two. */
  takeSnapshot(checkpoint = 1): TakenSnapshot {
    this.#mayCall();
    return this.#operator.snapshot(checkpoint) as TakenSnapshot;
  }

  /** Drops the strings of rows that nobody holds, and those of the operator. */
  sweep(): this {
    for (const dictionary of [this.#dictionary, ...this.owned]) dictionary.sweep();
    return this;
  }

  /** The same of operators whose state is not in memory. */
  async snapshotLater(checkpoint = 1): Promise<OperatorSnapshot> {
    this.#mayCall();
    return atOnce(this.#operator.snapshot(checkpoint));
  }

  /** The news that a checkpoint is complete, and that of all before it, if it was lost. */
  notifyComplete(checkpoint: number): this {
    this.#operator.notifyComplete(checkpoint);
    return this;
  }

  /** The news that a checkpoint will never be complete. */
  notifyAborted(checkpoint: number): this {
    this.#operator.notifyAborted(checkpoint);
    return this;
  }

  /** Something outside owes the operator an answer. */
  get awaiting(): boolean {
    return this.#operator.awaiting;
  }

  /** The task has nothing else to do just now. */
  quiet(): this {
    this.#operator.onQuiet();
    return this;
  }

  /** The task ends, or fails. */
  close(): void {
    this.#operator.close();
  }

  /** The operator has stopped for want of credits. */
  get pending(): boolean {
    return this.#place.pending;
  }

  get stateBytes(): number {
    return this.#operator.stateBytes;
  }

  inspect(query: unknown): unknown {
    return this.#operator.inspect(query);
  }

  /** A batch with memory of its own, filled from objects. */
  batch(rows: readonly PlainRow[], options: RowOptions = {}): RecordBatch {
    const batch = fill(this.#input, options.dictionary ?? this.#dictionary, rows, options.times ?? []);
    batch.split = options.split ?? -1;
    if (options.watermarks !== undefined) batch.watermarks = Float64Array.from(options.watermarks);
    return batch;
  }

  rows(rows: readonly PlainRow[], options: RowOptions = {}): this {
    return this.feed(this.batch(rows, options));
  }

  /** Hands over a batch as it is; empty ones never reach an operator. */
  feed(batch: RecordBatch): this {
    this.#mayCall();
    if (batch.count > 0) this.#place.batch(batch);
    return this;
  }

  /** What a pair of inputs delivers to. */
  get head(): PairConsumer {
    return this.#place;
  }

  watermark(watermark: number): this {
    this.#mayCall();
    this.#place.watermark(watermark);
    return this;
  }

  marker(marker: LatencyMarker): this {
    this.#mayCall();
    this.#place.marker(marker);
    return this;
  }

  idle(idle: boolean): this {
    this.#mayCall();
    this.#place.idle(idle);
    return this;
  }

  end(): this {
    this.#mayCall();
    this.#place.end();
    return this;
  }

  /** Moves processing time, timer by timer. */
  advance(ms: number): this {
    const until = this.clock.now() + ms;
    while (this.#operator.nextTimer <= until && this.#place.ready()) {
      this.clock.set(Math.max(this.clock.now(), this.#operator.nextTimer));
      this.#place.onTimer(this.clock.now(), this.clock.nanos());
    }
    this.clock.set(until);
    return this;
  }

  /** Sets the credits of one output, or of all. */
  credits(credits: number, output?: string): this {
    for (const [name, consumer] of this.consumers)
      if (output === undefined || output === name) consumer.credits = credits;
    return this;
  }

  /** What a task does when credits come back. */
  resume(): this {
    if (this.#place.pending && this.#place.outputsReady()) this.#place.resume();
    return this;
  }

  /** Gives one credit at a time until nothing is pending; returns how many it took. */
  drip(): number {
    let given = 0;
    while (this.pending) {
      if (given++ > 1_000_000) throw new Error('The operator never comes to an end.');
      this.credits(1).resume();
    }
    return given;
  }

  /** Nobody calls an operator that is pending, or whose outputs take nothing. */
  #mayCall(): void {
    if (!this.#place.ready()) throw new Error('The operator is not ready: give credits and resume it first.');
  }

  /** Everything that came out since the last call. */
  emissions(): Emission[] {
    return this.#log.splice(0);
  }

  /**
   * The same as text, main output unmarked: `{"k":1} @1000`, `late {"k":1} @5`, `watermark 99`, `idle`, `active`, `marker 0/1 @5` (source,
   * subtask, ns), `end`. Of side outputs only the rows: the rest is that of the main output.
   */
  take(): string[] {
    return this.emissions()
      .filter((e) => e.output === 'main' || e.kind === 'row')
      .map(show);
  }
}

function show(emission: Emission): string {
  const mark = emission.output === 'main' ? '' : `${emission.output} `;
  switch (emission.kind) {
    case 'row': {
      const behind = emission.watermark === null ? '' : ` wm ${emission.watermark}`;
      return `${mark}${JSON.stringify(emission.row)} @${emission.time}${behind}`;
    }
    case 'watermark':
      return `${mark}watermark ${emission.watermark}`;
    case 'idle':
      return mark + (emission.idle ? 'idle' : 'active');
    case 'marker': {
      const { source, subtask, markedAt } = emission.marker;
      return `${mark}marker ${source}/${subtask} @${markedAt}`;
    }
    case 'end':
      return `${mark}end`;
  }
}

/** A batch of rows given as objects. */
export function fill(
  schema: Schema,
  dictionary: Dictionary,
  rows: readonly PlainRow[],
  times: readonly (number | null)[],
): RecordBatch {
  const batch = RecordBatch.allocate(schema, dictionary);
  const write = makeRowWriter(schema, 'test');
  for (const [k, row] of rows.entries()) {
    write(batch, k, row);
    batch.time[k] = times[k] ?? Number.NaN;
  }
  batch.size = rows.length;
  return batch;
}
