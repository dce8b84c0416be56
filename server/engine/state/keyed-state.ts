/**
 * Keyed state: what a function remembers per key, and the backend that keeps it (`flink-reference` §3.1).
 *
 *   operator: backend.prepare(keys of a batch)     may say "not yet": their records are being loaded
 *             scope.key = key of the next row ──┐
 *   user:     state.value(), state.update(v)    │   handles work on the key and namespace that the scope shows
 *
 * Everything a backend knows of one key, all states in all namespaces, is one record: what a backend on disk loads and writes, and what a
 * snapshot consists of. Both backends give the same results, bit by bit.
 */

import type { StateDescriptor } from './descriptors.ts';
import type { KeyedBlock, KeyedBlocks } from './keyed-blocks.ts';
import type { StateKeys } from './state-keys.ts';

/** At once where that is possible. */
export type Eventually<T> = T | Promise<T>;

/** Key and namespace that handles work on, and the time it is for them. The operator sets it; windows give every window a namespace. */
export interface StateScope {
  /** Dense id (`state-keys.ts`). */
  key: number;
  /** '' where state belongs to the key alone. */
  namespace: string;
  /** Processing time, ms: set once per batch and timer, so that rows need not ask the clock. */
  now: number;
}

/** `Absent`: what `value()` is where nothing is stored. */
export interface ValueState<T, Absent = null> {
  value(): T | Absent;
  /** Null clears. */
  update(value: T | null): void;
  clear(): void;
}

export interface ListState<T> {
  /** Empty if nothing is stored. Valid until the state changes. */
  get(): readonly T[];
  add(value: T): void;
  addAll(values: Iterable<T>): void;
  /** Replaces all; an empty list clears. */
  update(values: Iterable<T>): void;
  clear(): void;
}

export type MapKey = string | number | boolean;

/** Entries are iterated in the order in which their keys came first. */
export interface MapState<K extends MapKey, V> {
  get(key: K): V | null;
  put(key: K, value: V): void;
  putAll(entries: Iterable<readonly [K, V]>): void;
  remove(key: K): void;
  contains(key: K): boolean;
  entries(): IterableIterator<[K, V]>;
  keys(): IterableIterator<K>;
  values(): IterableIterator<V>;
  /** Looks at what lies there: entries that have expired and were not cleaned up count. */
  isEmpty(): boolean;
  clear(): void;
}

export interface ReducingState<T> {
  /** Null if nothing was added. */
  get(): T | null;
  add(value: T): void;
  clear(): void;
}

export interface AggregatingState<In, Out> {
  /** Null if nothing was added. */
  get(): Out | null;
  add(value: In): void;
  clear(): void;
}

/** Any handle. */
export interface KeyedState {
  clear(): void;
}

export interface KeyedStateBackend {
  readonly scope: StateScope;

  /**
   * The handle of a state; the same for the same name. State restored under this name is taken over, migrated, or refused with an error that
   * names operator, state and versions.
   */
  state<S extends KeyedState>(descriptor: StateDescriptor<S>): S;

  /**
   * To be called before handles are used on these keys (`keys[batch.row(i)]` of a batch for i from `from` to `count`, or keys of timers). Returns
   * up to where their records are in memory, where they stay until `release`. The others are being loaded: once there is nothing else to do
   * the operator sets `pending`, is woken each time some have come, and asks for the rest in `resume`. Heap: all of them.
   */
  prepare(keys: Int32Array, rows: Int32Array | null, from: number, count: number): number;
  /** The operator may have to wait for `wake`. Heap: never. */
  readonly loading: boolean;
  /** Whether the record of this one key is in memory. Heap: always. */
  prepared(key: number): boolean;
  /** What was prepared may go. */
  release(): void;
  /** A row of the current key is through: incremental cleanup `everyRecord` happens here. Only needed where `cleansEveryRecord`. */
  afterRecord(): void;
  readonly cleansEveryRecord: boolean;

  /** Moves what a mergeable state (list, reducing, aggregating) holds of the current key under `sources`, in this order, into `target`. */
  mergeNamespaces(descriptor: StateDescriptor, target: string, sources: readonly string[]): void;
  /** Forgets all states of the current key in the current namespace. */
  clearNamespace(): void;

  /** Every key that may have state, as text, in no order. No key may change before it is there. */
  allKeys(): Eventually<readonly string[]>;
  /** Whether something is stored in this state for the current key and namespace. */
  stored(descriptor: StateDescriptor): boolean;

  /** Blocks as of now, whatever is written from now on; groups without state are absent. Readable by every backend. */
  snapshot(): KeyedBlocks;
  /** Adds the keys of a block; before the first element only. Later: it is not where it belongs yet, and the next one has to wait. */
  restore(block: KeyedBlock): Eventually<void>;

  /** Marks the ids of keys that have state in memory. */
  hold(mark: (key: number) => void): void;
  /** Bytes held in memory, an estimate. */
  readonly bytes: number;
  close(): void;
}

export interface StateBackendOptions {
  /** Name of the operator, for errors. */
  readonly operator: string;
  readonly operatorId: string;
  readonly subtask: number;
  readonly maxParallelism: number;
  readonly keys: StateKeys;
  /** Cells of the operator: expired entries are counted in `EXPIRED`. */
  readonly cells: Float64Array;
  /** For backends whose records lie elsewhere: bytes that may be in memory. */
  readonly cacheBytes: number;
  /** Records that were being loaded are there. */
  wake(): void;
  /** State cannot be read or written any more: the job fails. */
  fail(error: Error): void;
}

export type StateBackendFactory = (options: StateBackendOptions) => KeyedStateBackend;

/** Where keyed state lives: objects in memory, or LevelDB with a cache in front. */
export type StateBackendName = 'heap' | 'level';

export interface StateSettings {
  readonly stateBackend: StateBackendName;
  /** Of `level`: bytes of each operator's and subtask's cache. */
  readonly stateCacheBytes: number;
}

export const DEFAULT_STATE: StateSettings = { stateBackend: 'heap', stateCacheBytes: 64 << 20 };
