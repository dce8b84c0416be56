/** Functions behind keyed streams, and behind two streams of different rows at once, as a job writes them: `a.connect(b).process(…)`. */

import { UsageError, WeirError } from '#base/errors.ts';
import type { Fields, Schema } from '../batch/schema.ts';
import type { BroadcastProcessFunction, KeyedBroadcastProcessFunction } from '../operators/broadcast-process.ts';
import type { CoProcessFunction, KeyedCoProcessFunction } from '../operators/co-process.ts';
import { FunctionOperator, type FunctionSettings, type OperatorFunction } from '../operators/function-operator.ts';
import type { KeyedProcessFunction } from '../operators/keyed-process.ts';
import type { OutputTag, ProcessFunction } from '../operators/process.ts';
import { BroadcastStates } from '../state/broadcast-states.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import type { DataStream, SingleOutputStream } from './data-stream.ts';
import type { StreamEdge } from './stream-graph.ts';

export interface FunctionOptions<Out extends Fields, Fn> {
  readonly output: Schema<Out>;
  readonly sideOutputs?: readonly OutputTag[];
  /** Called once per subtask. */
  readonly create: (subtask: number) => Fn;
}

/** A stream keyed by any of its columns. */
export type Keyed<F extends Fields> = DataStream<F> & { readonly key: number };

interface KeyOfStream {
  readonly schema: Schema;
  readonly key: number;
}

/** What the second input of an operator is made of. */
interface SecondStream {
  readonly env: unknown;
  readonly edges: readonly StreamEdge[];
}

/** A function with two inputs behind two streams. */
export function connectFunction<Out extends Fields>(
  first: DataStream<Fields>,
  second: SecondStream,
  kind: string,
  settings: Omit<FunctionSettings, 'output' | 'create'> & {
    readonly output: Schema<Out>;
    readonly create: (subtask: number) => object;
  },
): SingleOutputStream<Out> {
  const { name, output, tags } = settings;
  if (first.env !== second.env) throw new UsageError(`${name}: both streams must be of the same job.`);
  const operator = { ...settings, create: settings.create as (subtask: number) => OperatorFunction };
  return first.transform(output, {
    kind,
    name,
    inputs: [...first.edges, ...second.edges.map((edge) => ({ ...edge, input: 1 }))],
    sideOutputs: new Map(tags.map((tag) => [tag.id, tag.schema])),
    create: () => new FunctionOperator(operator),
  });
}

/** Kind of the keys of a stream, as keyed state has them. */
export function keyKindOf({ schema, key }: KeyOfStream): 'string' | 'i32' {
  return schema.columns[key]?.kind === 'string' ? 'string' : 'i32';
}

/** The same of two streams; refuses those that cannot have a key in common. */
export function commonKeyKind(name: string, first: KeyOfStream, second: KeyOfStream): 'string' | 'i32' {
  const [one, two] = [keyKindOf(first), keyKindOf(second)];
  if (one === two) return one;
  throw new WeirError('KEY_KINDS', `${name}: the keys of both streams must be of one kind, not ${one} and ${two}.`);
}

/** Inputs of a function that is keyed on both sides. */
export function keyedPair<A extends Fields, B extends Fields>(name: string, first: Keyed<A>, second: Keyed<B>) {
  return {
    name,
    keyKind: commonKeyKind(name, first, second),
    inputs: [
      { key: first.key, method: 'processElement1' as const },
      { key: second.key, method: 'processElement2' as const },
    ],
    broadcast: [],
  };
}

/** A function with state and timers behind one stream; a plain one sees its rows and nothing else. */
export function keyedProcess<F extends Fields, Out extends Fields>(
  stream: Keyed<F>,
  name: string,
  options: FunctionOptions<Out, KeyedProcessFunction<F, Out> | ProcessFunction<F, Out>>,
): SingleOutputStream<Out> {
  const tags = options.sideOutputs ?? [];
  const settings: FunctionSettings = {
    name,
    keyKind: keyKindOf(stream),
    inputs: [{ key: stream.key, method: 'processElement' }],
    output: options.output,
    tags,
    broadcast: [],
    create: (subtask) => {
      const fn = options.create(subtask);
      return (typeof fn === 'function' ? { processElement: fn } : fn) as OperatorFunction;
    },
  };
  return stream.transform(options.output, {
    kind: 'process',
    name,
    sideOutputs: new Map(tags.map((tag) => [tag.id, tag.schema])),
    create: () => new FunctionOperator(settings),
  });
}

/** Streams without a key in common: rows go to any subtask, as each stream says. */
export class ConnectedStreams<A extends Fields, B extends Fields> {
  /** @internal */
  readonly first: DataStream<A>;
  /** @internal */
  readonly second: DataStream<B>;

  /** @internal */
  constructor(first: DataStream<A>, second: DataStream<B>) {
    this.first = first;
    this.second = second;
  }

  process<Out extends Fields>(
    name: string,
    options: FunctionOptions<Out, CoProcessFunction<A, B, Out>>,
  ): SingleOutputStream<Out> {
    return connectFunction(this.first as unknown as DataStream<Fields>, this.second, 'co-process', {
      name,
      keyKind: 'string',
      inputs: [
        { key: null, method: 'processElement1' },
        { key: null, method: 'processElement2' },
      ],
      output: options.output,
      tags: options.sideOutputs ?? [],
      broadcast: [],
      create: options.create,
    });
  }
}

/** Rows of both streams with the same key go to the same subtask, and share state and timers. */
export class KeyedConnectedStreams<A extends Fields, B extends Fields> extends ConnectedStreams<A, B> {
  declare readonly first: Keyed<A>;
  declare readonly second: Keyed<B>;

  override process<Out extends Fields>(
    name: string,
    options: FunctionOptions<Out, KeyedCoProcessFunction<A, B, Out>>,
  ): SingleOutputStream<Out> {
    return connectFunction(this.first as unknown as DataStream<Fields>, this.second, 'co-process', {
      name,
      keyKind: commonKeyKind(name, this.first, this.second),
      inputs: [
        { key: this.first.key, method: 'processElement1' },
        { key: this.second.key, method: 'processElement2' },
      ],
      output: options.output,
      tags: options.sideOutputs ?? [],
      broadcast: [],
      create: options.create,
    });
  }
}

/** Rows that every subtask gets, and the state that they may change. */
export class BroadcastStream<B extends Fields> {
  readonly env: unknown;
  readonly schema: Schema<B>;
  /** @internal */
  readonly edges: readonly StreamEdge[];
  /** @internal */
  readonly states: readonly StateDescriptor[];

  /** @internal */
  constructor(stream: DataStream<B>, states: readonly StateDescriptor[]) {
    this.env = stream.env;
    this.schema = stream.schema;
    this.edges = stream.edges;
    this.states = states;
  }
}

export class BroadcastConnectedStream<A extends Fields, B extends Fields> {
  /** @internal */
  readonly first: DataStream<A>;
  /** @internal */
  readonly second: BroadcastStream<B>;

  /** @internal */
  constructor(first: DataStream<A>, second: BroadcastStream<B>) {
    this.first = first;
    this.second = second;
  }

  process<Out extends Fields>(
    name: string,
    options: FunctionOptions<Out, BroadcastProcessFunction<A, B, Out>>,
  ): SingleOutputStream<Out> {
    return connectBroadcast(name, this.first, null, this.second, options);
  }
}

export class KeyedBroadcastConnectedStream<A extends Fields, B extends Fields> extends BroadcastConnectedStream<A, B> {
  declare readonly first: Keyed<A>;

  override process<Out extends Fields>(
    name: string,
    options: FunctionOptions<Out, KeyedBroadcastProcessFunction<A, B, Out>>,
  ): SingleOutputStream<Out> {
    return connectBroadcast(name, this.first, this.first.key, this.second, options);
  }
}

function connectBroadcast<A extends Fields, B extends Fields, Out extends Fields>(
  name: string,
  first: DataStream<A>,
  key: number | null,
  second: BroadcastStream<B>,
  options: FunctionOptions<Out, object>,
): SingleOutputStream<Out> {
  // Refuses, while the job is written, what cannot be broadcast.
  new BroadcastStates(name, second.states);
  return connectFunction(first as unknown as DataStream<Fields>, second, 'broadcast-process', {
    name,
    keyKind: key === null ? 'string' : keyKindOf({ schema: first.schema, key }),
    inputs: [
      { key, method: 'processElement' },
      { key: null, method: 'processBroadcastElement' },
    ],
    output: options.output,
    tags: options.sideOutputs ?? [],
    broadcast: second.states,
    create: options.create,
  });
}
