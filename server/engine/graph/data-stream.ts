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

import { WeirError } from '#base/errors.ts';
import type { Column, Fields, Row, Schema } from '../batch/schema.ts';
import { checkParallelism, MAX_PARALLELISM } from '../exchange/key-groups.ts';
import type { Sink } from '../io/sink.ts';
import type { Source, Split } from '../io/source.ts';
import { checkLatencyTracking, type LatencyTracking, NO_LATENCY_TRACKING } from '../metrics/latency.ts';
import { type AsyncFunction, type AsyncSettings, checkAsync } from '../operators/async-function.ts';
import { AsyncWaitOperator } from '../operators/async-wait.ts';
import { FilterOperator, type Predicate } from '../operators/filter.ts';
import type { KeyedProcessFunction } from '../operators/keyed-process.ts';
import {
  type Collector,
  type OutputTag,
  type ProcessFunction,
  ProcessOperator,
  type StatefulFunction,
} from '../operators/process.ts';
import { originColumn } from '../operators/row-origin.ts';
import { SinkOperator } from '../operators/sink.ts';
import { WatermarksOperator } from '../operators/watermarks.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import { DEFAULT_STATE, type StateSettings } from '../state/keyed-state.ts';
import type { WatermarkStrategy } from '../time/watermark-strategy.ts';
import { type GlobalWindow, GlobalWindows, type TimedWindows, type Windows } from '../window/assign.ts';
import { CountTrigger, PurgingTrigger } from '../window/triggers.ts';
import { chain } from './chain.ts';
import {
  BroadcastConnectedStream,
  BroadcastStream,
  ConnectedStreams,
  type FunctionOptions,
  KeyedBroadcastConnectedStream,
  KeyedConnectedStreams,
  keyedProcess,
} from './connected-streams.ts';
import type { EnvironmentSettings } from './environment-settings.ts';
import { IntervalJoin } from './interval-joins.ts';
import type { JobGraph, Partitioner } from './job-graph.ts';
import { CoGroupedWindows, JoinedWindows, PairedStreams } from './joined-streams.ts';
import { OperatorHandle } from './operator-handle.ts';
import type { StreamEdge, StreamNode } from './stream-graph.ts';
import { WindowedStream } from './windowed-stream.ts';

export { OutputTag } from '../operators/process.ts';
export { type Late, lateTag } from './window-results.ts';

export class StreamExecutionEnvironment {
  readonly name: string;
  readonly parallelism: number;
  readonly rollIntervalMs: number;
  readonly latencyTracking: LatencyTracking;
  readonly state: StateSettings;
  readonly #nodes: StreamNode[] = [];

  constructor(settings: EnvironmentSettings) {
    this.name = settings.name;
    this.parallelism = settings.parallelism ?? 1;
    this.rollIntervalMs = settings.rollIntervalMs ?? 10_000;
    this.latencyTracking = settings.latencyTracking ?? NO_LATENCY_TRACKING;
    checkLatencyTracking(this.latencyTracking);
    this.state = {
      stateBackend: settings.stateBackend ?? DEFAULT_STATE.stateBackend,
      stateCacheBytes: settings.stateCacheBytes ?? DEFAULT_STATE.stateCacheBytes,
    };
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
    const { latencyTracking, state } = this;
    return chain(this.name, this.#nodes, this.parallelism, { latencyTracking, state });
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
      sink: null,
      alignment: null,
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
    return this.transform(this.schema, {
      kind: 'filter',
      name,
      create: () => new FilterOperator(predicate as unknown as Predicate<Fields>),
    });
  }

  /** A function with context and side outputs; an object is opened, and may keep lists as state. `create` is called once per subtask. */
  process<Out extends Fields>(
    name: string,
    options: {
      output: Schema<Out>;
      sideOutputs?: readonly OutputTag[];
      create: (subtask: number) => ProcessFunction<F, Out> | StatefulFunction<F, Out>;
    },
  ): SingleOutputStream<Out> {
    return this.#rows('process', name, options.output, options.sideOutputs ?? [], options.create);
  }

  /**
   * Asks somebody outside about each row, many at a time (Flink's `AsyncDataStream`). `create` is called once per subtask. Starts a chain, so
   * that what waits for answers is not between a source and its watermarks.
   */
  asyncWait<Out extends Fields>(
    name: string,
    options: AsyncSettings<Out> & {
      output: Schema<Out>;
      sideOutputs?: readonly OutputTag[];
      create: (subtask: number) => AsyncFunction<F, Out>;
    },
  ): SingleOutputStream<Out> {
    const settings = { ...options, name } as unknown as ConstructorParameters<typeof AsyncWaitOperator>[0];
    checkAsync(name, settings);
    return this.transform(options.output, {
      kind: 'async',
      name,
      chaining: 'head',
      sideOutputs: tagged(options.sideOutputs ?? []),
      create: () => new AsyncWaitOperator(settings),
    });
  }

  /** Event time from here on; timestamps are those the source gave, unless the strategy assigns others. */
  assignTimestampsAndWatermarks(strategy: WatermarkStrategy<F>, name = 'Timestamps/Watermarks'): SingleOutputStream<F> {
    if (strategy.origin !== null) originColumn(this.schema, strategy.origin, name);
    return this.transform(this.schema, {
      kind: 'watermarks',
      name,
      alignment: strategy.alignment,
      create: () => new WatermarksOperator(strategy as unknown as WatermarkStrategy),
    });
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

  /** Every row to every subtask; with states, for `connect`: rows that change them (`broadcast-process.ts`). */
  broadcast(): DataStream<F>;
  broadcast(...states: StateDescriptor[]): BroadcastStream<F>;
  broadcast(...states: StateDescriptor[]): DataStream<F> | BroadcastStream<F> {
    const stream = new DataStream(this.env, this.schema, this.#partitioned({ kind: 'broadcast' }));
    return states.length === 0 ? stream : new BroadcastStream(stream, states);
  }

  /** Two streams for one operator; a broadcast one gives it state that all subtasks hold alike. */
  connect<B extends Fields>(other: BroadcastStream<B>): BroadcastConnectedStream<F, B>;
  connect<B extends Fields>(other: DataStream<B>): ConnectedStreams<F, B>;
  connect<B extends Fields>(
    other: DataStream<B> | BroadcastStream<B>,
  ): ConnectedStreams<F, B> | BroadcastConnectedStream<F, B> {
    return other instanceof BroadcastStream
      ? new BroadcastConnectedStream(this, other)
      : new ConnectedStreams(this, other);
  }

  /** Pairs of rows with equal keys in the same window: `where(key).equalTo(key).window(…).apply(…)`. */
  join<B extends Fields>(other: DataStream<B>): PairedStreams<F, B, JoinedWindows<F, B>> {
    return new PairedStreams(this, other, (pair) => new JoinedWindows(pair));
  }

  /** The rows of both streams with equal keys in the same window, all at once. */
  coGroup<B extends Fields>(other: DataStream<B>): PairedStreams<F, B, CoGroupedWindows<F, B>> {
    return new PairedStreams(this, other, (pair) => new CoGroupedWindows(pair));
  }

  sinkTo(sink: Sink, name: string): OperatorHandle {
    const env = this.env;
    const node = env.add({
      kind: 'sink',
      name,
      inputs: this.edges,
      outputSchema: null,
      sink,
      create: () => new SinkOperator(sink, env.rollIntervalMs),
    });
    return new OperatorHandle(node);
  }

  /** @internal */
  transform<Out extends Fields>(
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
    create: (subtask: number) => ProcessFunction<F, Out> | StatefulFunction<F, Out>,
  ): SingleOutputStream<Out> {
    const rowFunction = create as unknown as ConstructorParameters<typeof ProcessOperator>[0]['create'];
    return this.transform(output, {
      kind,
      name,
      sideOutputs: tagged(tags),
      create: () => new ProcessOperator({ name, output, tags, create: rowFunction }),
    });
  }

  #partitioned(partitioner: Partitioner): StreamEdge[] {
    return this.edges.map((edge) => ({ ...edge, partitioner }));
  }
}

/** What an operator puts out; its settings, and its side outputs. */
export class SingleOutputStream<F extends Fields> extends DataStream<F> {
  readonly #handle: OperatorHandle;

  /** @internal */
  constructor(env: StreamExecutionEnvironment, node: StreamNode, schema: Schema<F>) {
    super(env, schema, [{ from: node, tag: null, partitioner: null, schema, input: 0 }]);
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
    return new DataStream(this.env, tag.schema, [
      { from: node, tag: tag.id, partitioner: null, schema: tag.schema, input: 0 },
    ]);
  }
}

function tagged(tags: readonly OutputTag[]): Map<string, Schema> {
  return new Map(tags.map((tag) => [tag.id, tag.schema]));
}

/** Fields that a stream can be keyed by. */
export type KeyField<F extends Fields> = {
  [N in keyof F]: F[N] extends Column<'string' | 'i32', false> ? N : never;
}[keyof F] &
  string;

export class KeyedStream<F extends Fields, K extends keyof F> extends DataStream<F> {
  /** @internal Position of the key column. */
  readonly key: number;

  /** @internal */
  constructor(env: StreamExecutionEnvironment, schema: Schema<F>, edges: readonly StreamEdge[], key: number) {
    super(env, schema, edges);
    this.key = key;
  }

  /**
   * A function with state and timers per key; a plain one sees its rows and nothing else. `create` is called once per subtask.
   */
  override process<Out extends Fields>(
    name: string,
    options: FunctionOptions<Out, KeyedProcessFunction<F, Out> | ProcessFunction<F, Out>>,
  ): SingleOutputStream<Out> {
    return keyedProcess(this, name, options);
  }

  /** Two streams for one operator; where both are keyed, it has state and timers for the keys of both. */
  override connect<B extends Fields>(other: BroadcastStream<B>): KeyedBroadcastConnectedStream<F, B>;
  override connect<B extends Fields, L extends keyof B>(other: KeyedStream<B, L>): KeyedConnectedStreams<F, B>;
  override connect<B extends Fields>(other: DataStream<B>): ConnectedStreams<F, B>;
  override connect<B extends Fields>(
    other: DataStream<B> | BroadcastStream<B>,
  ): ConnectedStreams<F, B> | KeyedConnectedStreams<F, B> | KeyedBroadcastConnectedStream<F, B> {
    if (other instanceof BroadcastStream) return new KeyedBroadcastConnectedStream(this, other);
    return other instanceof KeyedStream ? new KeyedConnectedStreams(this, other) : new ConnectedStreams(this, other);
  }

  /** Pairs of rows with equal keys whose timestamps differ by no more than bounds say: `between(lowerMs, upperMs)`. */
  intervalJoin<B extends Fields, L extends keyof B>(other: KeyedStream<B, L>): IntervalJoin<F, B> {
    return new IntervalJoin(this, other);
  }

  /** Windows of time, or `GlobalWindows`, which give results only when a trigger says so. */
  window(windows: GlobalWindow): WindowedStream<F, K, false>;
  window(windows: TimedWindows<Row<F>>): WindowedStream<F, K>;
  window(windows: Windows<Row<F>>): WindowedStream<F, K, boolean> {
    return new WindowedStream(this, this.key, windows);
  }

  /** A result for every `rows` rows of a key, over just those; what is fewer at the end gives none. */
  countWindow(rows: number): WindowedStream<F, K, false> {
    return this.window(GlobalWindows.create()).trigger(PurgingTrigger.of(CountTrigger.of(rows)));
  }
}
