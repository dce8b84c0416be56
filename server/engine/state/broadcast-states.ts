/**
 * Broadcast state of one operator: maps that belong to no key, and that every subtask holds alike, because all get the same rows
 * (`flink-reference` §3.1). In a snapshot each subtask writes its copy, and each of those that go on takes one.
 */

import { UsageError, WeirError } from '#base/errors.ts';
import { readCell, writeCell } from './cells.ts';
import type { StateDescriptor } from './descriptors.ts';
import type { MapKey, MapState } from './keyed-state.ts';
import { migrationOf } from './migration.ts';
import { sizeOf } from './size.ts';
import type { OperatorState, OwnSnapshot } from './snapshot.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

/** What rows that are not broadcast see of it. */
export type ReadOnlyMapState<K extends MapKey, V> = Pick<
  MapState<K, V>,
  'get' | 'contains' | 'entries' | 'keys' | 'values' | 'isEmpty'
>;

export class BroadcastStates {
  readonly #operator: string;
  readonly #states = new Map<string, { descriptor: StateDescriptor; map: BroadcastMap; view: BroadcastMap }>();

  /** Refuses what cannot be broadcast. */
  constructor(operator: string, descriptors: readonly StateDescriptor[]) {
    this.#operator = operator;
    for (const descriptor of descriptors) {
      const { name, kind, ttl } = descriptor;
      if (kind !== 'map' || ttl !== null) {
        throw new UsageError(`${operator}: broadcast state "${name}" must be a map state without a time to live.`);
      }
      if (this.#states.has(name)) throw new UsageError(`${operator}: two broadcast states are called "${name}".`);
      const map = new BroadcastMap();
      this.#states.set(name, { descriptor, map, view: new ReadOnlyMap(`${operator}: broadcast state "${name}"`, map) });
    }
  }

  writable(descriptor: StateDescriptor): MapState<MapKey, unknown> {
    return this.#find(descriptor).map;
  }

  readOnly(descriptor: StateDescriptor): MapState<MapKey, unknown> {
    return this.#find(descriptor).view;
  }

  #find({ name }: StateDescriptor) {
    const state = this.#states.get(name);
    if (state !== undefined) return state;
    throw new WeirError(
      'BROADCAST_STATE',
      `${this.#operator}: broadcast state "${name}" was not declared; give it to broadcast().`,
    );
  }

  /** Bytes held, an estimate. */
  get bytes(): number {
    let bytes = 0;
    for (const { map } of this.#states.values()) bytes += sizeOf(map.cells);
    return Math.round(bytes);
  }

  save(): Record<string, OperatorState> {
    const saved: Record<string, OperatorState> = {};
    for (const [name, { descriptor, map }] of this.#states) {
      const out = new ByteWriter();
      out.varint(descriptor.version);
      writeCell(out, 'map', false, map.cells);
      saved[name] = { redistribute: 'broadcast', items: [out.take()] };
    }
    return saved;
  }

  /** Takes the copy of one of those before; which one makes no difference. */
  load(snapshots: readonly OwnSnapshot[], subtask: number): void {
    const snapshot = snapshots[subtask % snapshots.length];
    for (const [name, { descriptor, map }] of this.#states) {
      const [bytes] = snapshot?.operator[name]?.items ?? [];
      if (bytes === undefined) continue;
      const from = new ByteReader(bytes);
      const stored = { name, kind: 'map', version: from.varint(), timed: false } as const;
      const migrate = migrationOf(stored, descriptor, this.#operator);
      const cells = readCell(from, 'map', false);
      map.putAll((migrate === null ? cells : migrate(cells)) as Map<MapKey, unknown>);
    }
  }
}

class BroadcastMap implements MapState<MapKey, unknown> {
  cells = new Map<MapKey, unknown>();

  get(key: MapKey): unknown {
    return this.cells.get(key) ?? null;
  }

  contains(key: MapKey): boolean {
    return this.cells.has(key);
  }

  entries(): IterableIterator<[MapKey, unknown]> {
    return this.cells.entries();
  }

  keys(): IterableIterator<MapKey> {
    return this.cells.keys();
  }

  values(): IterableIterator<unknown> {
    return this.cells.values();
  }

  isEmpty(): boolean {
    return this.cells.size === 0;
  }

  put(key: MapKey, value: unknown): void {
    this.putAll([[key, value]]);
  }

  putAll(entries: Iterable<readonly [MapKey, unknown]>): void {
    for (const [key, value] of entries) this.changed().set(key, value);
  }

  remove(key: MapKey): void {
    this.changed().delete(key);
  }

  clear(): void {
    this.changed().clear();
  }

  /** The cells, to be changed. */
  protected changed(): Map<MapKey, unknown> {
    return this.cells;
  }
}

/** Subtasks would come to hold different things if rows that go to one of them changed it. */
class ReadOnlyMap extends BroadcastMap {
  readonly #where: string;

  constructor(where: string, map: BroadcastMap) {
    super();
    this.#where = where;
    this.cells = map.cells;
  }

  protected override changed(): never {
    throw new WeirError('BROADCAST_READ_ONLY', `${this.#where} can only be changed in processBroadcastElement.`);
  }
}
