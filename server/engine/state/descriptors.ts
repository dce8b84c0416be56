/**
 * What a function keeps per key, declared: a name that finds it again in a snapshot, its kind, and how it changes over the life of a job.
 *
 *   const lastSeen = valueState<number>('last-seen');
 *   const counts = mapState<string, number>('counts', { ttl: timeToLive(3_600_000) });
 *   const total = reducingState<number>('total', (a, b) => a + b);
 *
 *   open(ctx) { this.lastSeen = ctx.getState(lastSeen); }
 *
 * Values are plain data: null, booleans, numbers, bigints, strings, Uint8Array, Date, arrays, plain objects, Map, Set. A value that was read
 * is not to be changed in place: whatever is not handed to `update`, `put`, `add` may or may not be seen again.
 */

import { UsageError } from '#base/errors.ts';
import type {
  AggregatingState,
  KeyedState,
  ListState,
  MapKey,
  MapState,
  ReducingState,
  ValueState,
} from './keyed-state.ts';
import type { StateTtl } from './ttl.ts';

export interface StateOptions<T> {
  /** Whole number, 1 if not given; raise it when what is stored changes its shape. */
  readonly version?: number;
  /**
   * Makes what this version stores from what `version` stored: a value, an element of a list, a value of a map, an accumulator. Without it,
   * state of an older version is refused.
   */
  readonly migrate?: (stored: unknown, version: number) => T;
  readonly ttl?: StateTtl;
}

/** Combines two values; must be associative. */
export type Reduce<T> = (soFar: T, next: T) => T;

export interface AggregateFunction<In, Acc, Out> {
  create(): Acc;
  /** May change `acc` in place and return it. */
  add(acc: Acc, value: In): Acc;
  result(acc: Acc): Out;
  /** Only needed where namespaces merge (session windows). */
  merge?(a: Acc, b: Acc): Acc;
}

type StateSpec =
  | { readonly kind: 'value'; readonly absent: unknown }
  | { readonly kind: 'list' }
  | { readonly kind: 'map' }
  | { readonly kind: 'reducing'; readonly reduce: Reduce<unknown> }
  | { readonly kind: 'aggregating'; readonly aggregate: AggregateFunction<unknown, unknown, unknown> };

export type StateKind = StateSpec['kind'];

/** `S`: the handle that it gives. */
export type StateDescriptor<S extends KeyedState = KeyedState> = StateSpec & {
  readonly name: string;
  readonly version: number;
  readonly migrate: ((stored: unknown, version: number) => unknown) | null;
  readonly ttl: StateTtl | null;
  /** Only for the type checker. */
  readonly handle?: S;
};

/** `value()` of a key that has none is null, or the default. */
export function valueState<T>(name: string, options?: StateOptions<T>): StateDescriptor<ValueState<T>>;
export function valueState<T>(
  name: string,
  options: StateOptions<T> & { readonly default: T },
): StateDescriptor<ValueState<T, T>>;
export function valueState<T>(
  name: string,
  options: StateOptions<T> & { readonly default?: T } = {},
): StateDescriptor<ValueState<T>> {
  return { kind: 'value', absent: options.default ?? null, ...common(name, options) };
}

export function listState<T>(name: string, options: StateOptions<T> = {}): StateDescriptor<ListState<T>> {
  return { kind: 'list', ...common(name, options) };
}

export function mapState<K extends MapKey, V>(
  name: string,
  options: StateOptions<V> = {},
): StateDescriptor<MapState<K, V>> {
  return { kind: 'map', ...common(name, options) };
}

export function reducingState<T>(
  name: string,
  reduce: Reduce<T>,
  options: StateOptions<T> = {},
): StateDescriptor<ReducingState<T>> {
  return { kind: 'reducing', reduce: reduce as Reduce<unknown>, ...common(name, options) };
}

export function aggregatingState<In, Acc, Out>(
  name: string,
  aggregate: AggregateFunction<In, Acc, Out>,
  options: StateOptions<Acc> = {},
): StateDescriptor<AggregatingState<In, Out>> {
  return {
    kind: 'aggregating',
    aggregate: aggregate as unknown as AggregateFunction<unknown, unknown, unknown>,
    ...common(name, options),
  };
}

function common<T>(
  name: string,
  options: StateOptions<T>,
): Pick<StateDescriptor, 'name' | 'version' | 'migrate' | 'ttl'> {
  const version = options.version ?? 1;
  if (name === '') throw new UsageError('A state needs a name.');
  if (!Number.isInteger(version) || version < 1) {
    throw new UsageError(`State "${name}": its version must be a whole number from 1, not ${version}.`);
  }
  return { name, version, migrate: options.migrate ?? null, ttl: options.ttl ?? null };
}
