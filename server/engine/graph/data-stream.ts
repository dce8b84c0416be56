/**
 * The DataStream API: how a job is written.
 *
 *   const env = new StreamExecutionEnvironment({ name: 'averages', parallelism: 2 });
 *   env.fromSource(source, 'readings')
 *     .process('validate', { output: Reading, sideOutputs: [errors], create: () => (row, ctx, out) => … })
 *     .assignTimestampsAndWatermarks(boundedOutOfOrderness(5000))
 *     .keyBy('device_id')
 *     .window(TumblingEventTimeWindows.of(5000))
 *     .aggregate({ count: count(), t_avg: avg('temperature') })
 *     .sinkTo(sink, 'results');
 *   const graph = env.jobGraph();
 *
 * Names, and what they do, are Flink's. A job crosses threads as its name and parameters, so building it must always give the same graph.
 */

import { UsageError, WeirError } from '#base/errors.ts';
import { type Column, type Fields, f64, nullable, type Row, Schema, timestamp } from '../batch/schema.ts';
import { checkParallelism, MAX_PARALLELISM } from '../exchange/key-groups.ts';
import type { Sink } from '../io/sink.ts';
import type { Source, Split } from '../io/source.ts';
import { FilterOperator, type Predicate } from '../operators/filter.ts';
import { type Collector, OutputTag, type ProcessFunction, ProcessOperator } from '../operators/process.ts';
import { SinkOperator } from '../operators/sink.ts';
import { WatermarksOperator } from '../operators/watermarks.ts';
import type { WatermarkStrategy } from '../time/watermark-strategy.ts';
import { type Aggregate, type AggregatesOf, planAggregates } from '../window/aggregates.ts';
import type { TumblingWindows } from '../window/assigners.ts';
import {
  AggregateContents,
  ListContents,
  type ProcessWindowFunction,
  ReduceContents,
  type ReduceFunction,
  type WindowContents,
} from '../window/contents.ts';
import { WindowOperator } from '../window/window-operator.ts';
import { chain } from './chain.ts';
import type { JobGraph, Partitioner } from './job-graph.ts';
import type { StreamEdge, StreamNode } from './stream-graph.ts';

export { OutputTag } from '../operators/process.ts';

export interface EnvironmentSettings {
  readonly name: string;
  /** Of operators that set none. */
  readonly parallelism?: number;
  /** How often sinks commit in a job without checkpoints, ms. */
  readonly rollIntervalMs?: number;
}

export class StreamExecutionEnvironment {
  readonly name: string;
  readonly parallelism: number;
  readonly rollIntervalMs: number;
  readonly #nodes: StreamNode[] = [];

  constructor(settings: EnvironmentSettings) {
    this.name = settings.name;
    this.parallelism = settings.parallelism ?? 1;
    this.rollIntervalMs = settings.rollIntervalMs ?? 10_000;
    checkParallelism(this.parallelism, MAX_PARALLELISM, `Job ${settings.name}`);
  }

  fromSource<F extends Fields, S extends Split>(source: Source<F, S>, name: string): SingleOutputStream<F> {
    const node = this.add({
      kind: 'source',
      name,
      inputs: [],
      outputSchema: source.schema,
      source: source as unknown as Source<Fields, Split>,
    });
    return new SingleOutputStream<F>(this, node, source.schema);
  }

  /** Tasks and exchanges, chained. Errors name the operator and what is wrong with it. */
  jobGraph(): JobGraph {
    return chain(this.name, this.#nodes, this.parallelism);
  }

  /** @internal */
  add(node: Pick<StreamNode, 'kind' | 'name' | 'inputs' | 'outputSchema'> & Partial<StreamNode>): StreamNode {
    const complete: StreamNode = {
      number: this.#nodes.length,
      uid: null,
      parallelism: null,
      maxParallelism: null,
      chaining: 'always',
      sideOutputs: new Map(),
      source: null,
      create: null,
      ...node,
    };
    this.#nodes.push(complete);
    return complete;
  }
}

/** A stream of rows; how they reach the next operator is part of it (`keyBy`, `rebalance`, …). */
export class DataStream<F extends Fields> {
  readonly env: StreamExecutionEnvironment;
  readonly schema: Schema<F>;
  /** @internal More than one after `union`. */
  readonly edges: readonly StreamEdge[];

  /** @internal */
  constructor(env: StreamExecutionEnvironment, schema: Schema<F>, edges: readonly StreamEdge[]) {
    this.env = env;
    this.schema = schema;
    this.edges = edges;
  }

  /** One row of the output schema for each row. */
  map<Out extends Fields>(name: string, output: Schema<Out>, fn: (row: Row<F>) => Row<Out>): SingleOutputStream<Out> {
    return this.#rows('map', name, output, [], () => (row, _ctx, out) => out.collect(fn(row)));
  }

  /** Any number of rows of the output schema for each row. */
  flatMap<Out extends Fields>(
    name: string,
    output: Schema<Out>,
    fn: (row: Row<F>, out: Collector<Out>) => void,
  ): SingleOutputStream<Out> {
    return this.#rows('flat-map', name, output, [], () => (row, _ctx, out) => fn(row, out));
  }

  filter(name: string, predicate: Predicate<F>): SingleOutputStream<F> {
    return this.connect(this.schema, {
      kind: 'filter',
      name,
      create: () => new FilterOperator(predicate as unknown as Predicate<Fields>),
    });
  }

  /** A function with context and side outputs. `create` is called once per subtask. */
  process<Out extends Fields>(
    name: string,
    options: {
      output: Schema<Out>;
      sideOutputs?: readonly OutputTag[];
      create: (subtask: number) => ProcessFunction<F, Out>;
    },
  ): SingleOutputStream<Out> {
    return this.#rows('process', name, options.output, options.sideOutputs ?? [], options.create);
  }

  /** Event time from here on; timestamps are those the source gave. */
  assignTimestampsAndWatermarks(strategy: WatermarkStrategy, name = 'Timestamps/Watermarks'): SingleOutputStream<F> {
    return this.connect(this.schema, { kind: 'watermarks', name, create: () => new WatermarksOperator(strategy) });
  }

  /** Rows of all streams, in no order between them. All have the same schema. */
  union(...others: DataStream<F>[]): DataStream<F> {
    for (const other of others) {
      if (!other.schema.equals(this.schema)) {
        throw new WeirError('UNION_SCHEMA', `union needs equal schemas: ${this.schema} and ${other.schema}.`);
      }
    }
    return new DataStream(
      this.env,
      this.schema,
      [this, ...others].flatMap((s) => s.edges),
    );
  }

  /** Rows with the same key go to the same subtask. Keys are strings or whole numbers, never null. */
  keyBy<K extends KeyField<F>>(field: K): KeyedStream<F, K> {
    const column = this.schema.require(field, 'keyBy');
    const spec = this.schema.columns[column];
    if (spec === undefined || spec.nullable || (spec.kind !== 'string' && spec.kind !== 'i32')) {
      throw new WeirError(
        'KEY_TYPE',
        `keyBy("${field}") needs a string or i32 column that is not nullable, but it is ${spec?.kind}${spec?.nullable ? '?' : ''}.`,
      );
    }
    return new KeyedStream<F, K>(this.env, this.schema, this.#partitioned({ kind: 'hash', column }), column);
  }

  /** Round robin over all subtasks. */
  rebalance(): DataStream<F> {
    return new DataStream(this.env, this.schema, this.#partitioned({ kind: 'rebalance' }));
  }

  /** Round robin over a local share of the subtasks. */
  rescale(): DataStream<F> {
    return new DataStream(this.env, this.schema, this.#partitioned({ kind: 'rescale' }));
  }

  /** Every row to every subtask. */
  broadcast(): DataStream<F> {
    return new DataStream(this.env, this.schema, this.#partitioned({ kind: 'broadcast' }));
  }

  sinkTo(sink: Sink, name: string): OperatorHandle {
    const env = this.env;
    const node = env.add({
      kind: 'sink',
      name,
      inputs: this.edges,
      outputSchema: null,
      create: () => new SinkOperator(sink, env.rollIntervalMs),
    });
    return new OperatorHandle(node);
  }

  /** @internal */
  connect<Out extends Fields>(
    output: Schema<Out>,
    node: Pick<StreamNode, 'kind' | 'name'> & Partial<StreamNode>,
  ): SingleOutputStream<Out> {
    return new SingleOutputStream<Out>(
      this.env,
      this.env.add({ inputs: this.edges, outputSchema: output, ...node }),
      output,
    );
  }

  #rows<Out extends Fields>(
    kind: string,
    name: string,
    output: Schema<Out>,
    tags: readonly OutputTag[],
    create: (subtask: number) => ProcessFunction<F, Out>,
  ): SingleOutputStream<Out> {
    const rowFunction = create as unknown as (subtask: number) => ProcessFunction<Fields, Fields>;
    return this.connect(output, {
      kind,
      name,
      sideOutputs: new Map(tags.map((t) => [t.id, t.schema])),
      create: () => new ProcessOperator({ name, output, tags, create: rowFunction }),
    });
  }

  #partitioned(partitioner: Partitioner): StreamEdge[] {
    return this.edges.map((edge) => ({ ...edge, partitioner }));
  }
}

/** Settings of one operator. */
export class OperatorHandle {
  /** @internal */
  readonly node: StreamNode;

  /** @internal */
  constructor(node: StreamNode) {
    this.node = node;
  }

  setParallelism(parallelism: number): this {
    this.node.parallelism = parallelism;
    return this;
  }

  setMaxParallelism(maxParallelism: number): this {
    this.node.maxParallelism = maxParallelism;
    return this;
  }

  /** Stable id: what state, metrics and control address the operator by. */
  uid(uid: string): this {
    this.node.uid = uid;
    return this;
  }

  /** Runs in a task of its own. */
  disableChaining(): this {
    this.node.chaining = 'never';
    return this;
  }

  /** Starts a new chain here. */
  startNewChain(): this {
    this.node.chaining = 'head';
    return this;
  }
}

/** What an operator puts out; its settings, and its side outputs. */
export class SingleOutputStream<F extends Fields> extends DataStream<F> {
  readonly #handle: OperatorHandle;

  /** @internal */
  constructor(env: StreamExecutionEnvironment, node: StreamNode, schema: Schema<F>) {
    super(env, schema, [{ from: node, tag: null, partitioner: null, schema }]);
    this.#handle = new OperatorHandle(node);
  }

  setParallelism(parallelism: number): this {
    this.#handle.setParallelism(parallelism);
    return this;
  }

  setMaxParallelism(maxParallelism: number): this {
    this.#handle.setMaxParallelism(maxParallelism);
    return this;
  }

  uid(uid: string): this {
    this.#handle.uid(uid);
    return this;
  }

  disableChaining(): this {
    this.#handle.disableChaining();
    return this;
  }

  startNewChain(): this {
    this.#handle.startNewChain();
    return this;
  }

  /** The rows an operator sent to `tag`. */
  sideOutput<Side extends Fields>(tag: OutputTag<Side>): DataStream<Side> {
    const { node } = this.#handle;
    if (!node.sideOutputs.has(tag.id)) {
      const known = [...node.sideOutputs.keys()].join(', ') || 'none';
      throw new WeirError('UNDECLARED_TAG', `${node.name} has no side output "${tag.id}"; it declares: ${known}.`);
    }
    return new DataStream(this.env, tag.schema, [{ from: node, tag: tag.id, partitioner: null, schema: tag.schema }]);
  }
}

/** Late rows: the input's columns, the watermark when they came, and how far they were behind it. */
export type Late<F extends Fields> = F & { watermark: Column<'timestamp', false>; late_by_ms: Column<'f64', false> };

/** Tag of a late side output. */
export function lateTag<F extends Fields>(id: string, input: Schema<F>): OutputTag<Late<F>> {
  for (const name of ['watermark', 'late_by_ms']) {
    if (input.indexOf(name) >= 0) {
      throw new WeirError(
        'LATE_NAME',
        `Late rows get a column "${name}", but the stream has one already: rename it before the window.`,
      );
    }
  }
  return new OutputTag(id, new Schema<Late<F>>({ ...input.fields, watermark: timestamp(), late_by_ms: f64() }));
}

/** Fields that a stream can be keyed by. */
export type KeyField<F extends Fields> = {
  [N in keyof F]: F[N] extends Column<'string' | 'i32', false> ? N : never;
}[keyof F] &
  string;

export class KeyedStream<F extends Fields, K extends keyof F> extends DataStream<F> {
  readonly #key: number;

  /** @internal */
  constructor(env: StreamExecutionEnvironment, schema: Schema<F>, edges: readonly StreamEdge[], key: number) {
    super(env, schema, edges);
    this.#key = key;
  }

  window(windows: TumblingWindows): WindowedStream<F, K> {
    return new WindowedStream(this, this.#key, windows);
  }
}

/** Whether an aggregate over this field may be null: over a nullable one, in a window of nulls only. */
type NullableResult<F extends Fields, Field> = [Field] extends [never]
  ? false
  : Field extends keyof F
    ? F[Field]['nullable']
    : boolean;

/** The key, the window, the aggregates. */
type ResultOf<F extends Fields, K extends keyof F, A extends Record<string, Aggregate>> = Pick<F, K> & {
  window_start: Column<'timestamp', false>;
  window_end: Column<'timestamp', false>;
} & { [N in keyof A]: Column<'f64', A[N] extends Aggregate<infer Field> ? NullableResult<F, Field> : boolean> };

export class WindowedStream<F extends Fields, K extends keyof F> {
  readonly #stream: KeyedStream<F, K>;
  readonly #key: number;
  readonly #windows: TumblingWindows;
  #allowedLatenessMs = 0;
  #late: OutputTag<Late<F>> | null = null;

  /** @internal */
  constructor(stream: KeyedStream<F, K>, key: number, windows: TumblingWindows) {
    this.#stream = stream;
    this.#key = key;
    this.#windows = windows;
  }

  /** How long after its end a window still takes rows, ms; each makes it fire again. Does nothing in processing time. */
  allowedLateness(ms: number): this {
    if (!(ms >= 0)) throw new UsageError(`The allowed lateness must be 0 or more, not ${ms} ms.`);
    this.#allowedLatenessMs = ms;
    return this;
  }

  /** Where rows go that came too late; without it they are dropped and counted. Read it with `sideOutput(tag)`. */
  sideOutputLateData(tag: OutputTag<Late<F>>): this {
    this.#late = tag;
    return this;
  }

  /** One row per key and window: the key, `window_start`, `window_end`, then the aggregates in the order given. */
  aggregate<A extends AggregatesOf<F>>(aggregates: A, name = 'Window'): SingleOutputStream<ResultOf<F, K, A>> {
    const input = this.#stream.schema;
    const key = input.columns[this.#key] as Schema['columns'][number];
    const plan = planAggregates(input, aggregates, name);
    const fields: Record<string, Column> = {
      [key.name]: { kind: key.kind, nullable: false },
      window_start: timestamp(),
      window_end: timestamp(),
    };
    for (const result of plan.results) {
      if (fields[result.name] !== undefined)
        throw new WeirError(
          'AGGREGATE_NAME',
          `${name}: the aggregate "${result.name}" has the name of another result column.`,
        );
      fields[result.name] = result.nullable ? nullable(f64()) : f64();
    }
    const results = new Schema(fields as ResultOf<F, K, A>);
    return this.#window(name, results, true, () => new AggregateContents(plan));
  }

  /** One row of the input's schema per key and window. */
  reduce(fn: ReduceFunction<F>, name = 'Window'): SingleOutputStream<F> {
    const { schema } = this.#stream;
    return this.#window(name, schema, false, () => new ReduceContents(schema, fn as unknown as ReduceFunction<Fields>));
  }

  /** All rows of a key and window at once; memory grows with the input. */
  process<Out extends Fields>(
    output: Schema<Out>,
    fn: ProcessWindowFunction<F, Out>,
    name = 'Window',
  ): SingleOutputStream<Out> {
    const { schema } = this.#stream;
    return this.#window(
      name,
      output,
      false,
      (keyName) => new ListContents(schema, output, fn as unknown as ProcessWindowFunction<Fields, Fields>, keyName),
    );
  }

  #window<Out extends Fields>(
    name: string,
    results: Schema<Out>,
    keyed: boolean,
    contents: (keyName: (code: number) => string) => WindowContents,
  ): SingleOutputStream<Out> {
    const late = this.#late === null ? null : { tag: this.#late.id, schema: this.#late.schema };
    const key = this.#stream.schema.columns[this.#key] as Schema['columns'][number];
    const settings = {
      windows: this.#windows,
      allowedLatenessMs: this.#allowedLatenessMs,
      key: this.#key,
      results,
      keyed,
      late,
      contents,
    };
    return this.#stream.connect(results, {
      kind: 'window',
      name,
      sideOutputs: new Map(late === null ? [] : [[late.tag, late.schema]]),
      create: () => new WindowOperator(settings, key.kind === 'string' ? 'string' : 'i32'),
    });
  }
}
