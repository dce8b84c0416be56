/** Handle of a map state. With TTL every entry has a time of its own. */

import { Timed } from './cells.ts';
import type { MapKey, MapState } from './keyed-state.ts';
import type { Table } from './table.ts';
import type { StateTtl } from './ttl.ts';

export class MapHandle implements MapState<MapKey, unknown> {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get(key: MapKey): unknown {
    return this.#map()?.get(key) ?? null;
  }

  put(key: MapKey, value: unknown): void {
    const map = this.#map();
    if (map === undefined) {
      this.#table.set(new Map([[key, value]]));
    } else {
      map.set(key, value);
      this.#table.touch();
    }
  }

  putAll(entries: Iterable<readonly [MapKey, unknown]>): void {
    for (const [key, value] of [...entries]) this.put(key, value);
  }

  remove(key: MapKey): void {
    const map = this.#map();
    if (map?.delete(key) !== true) return;
    if (map.size === 0) this.#table.remove();
    else this.#table.touch();
  }

  contains(key: MapKey): boolean {
    return this.#map()?.has(key) ?? false;
  }

  entries(): IterableIterator<[MapKey, unknown]> {
    return (this.#map() ?? NOTHING).entries();
  }

  keys(): IterableIterator<MapKey> {
    return (this.#map() ?? NOTHING).keys();
  }

  values(): IterableIterator<unknown> {
    return (this.#map() ?? NOTHING).values();
  }

  isEmpty(): boolean {
    return this.#map() === undefined;
  }

  clear(): void {
    this.#table.remove();
  }

  #map(): Map<MapKey, unknown> | undefined {
    return this.#table.get() as Map<MapKey, unknown> | undefined;
  }
}

const NOTHING: ReadonlyMap<MapKey, unknown> = new Map();

export class TimedMapHandle implements MapState<MapKey, unknown> {
  readonly #table: Table;
  readonly #ttlMs: number;
  readonly #refresh: boolean;
  readonly #returnExpired: boolean;
  readonly #visits: number;

  constructor(table: Table, ttl: StateTtl) {
    this.#table = table;
    this.#ttlMs = ttl.ttlMs;
    this.#refresh = ttl.updateType === 'OnReadAndWrite';
    this.#returnExpired = ttl.visibility === 'ReturnExpiredIfNotCleanedUp';
    this.#visits = ttl.incremental?.entries ?? 0;
  }

  get(key: MapKey): unknown {
    return this.#read(key)?.value ?? null;
  }

  contains(key: MapKey): boolean {
    return this.#read(key) !== undefined;
  }

  put(key: MapKey, value: unknown): void {
    const table = this.#table;
    const map = this.#map();
    const item = new Timed(value, table.scope.now);
    if (map === undefined) {
      table.set(new Map([[key, item]]));
    } else {
      // One that has expired is a new one, behind the others, whether somebody has cleaned up before or not.
      const before = map.get(key);
      if (before !== undefined && before.at + this.#ttlMs <= item.at) map.delete(key);
      map.set(key, item);
      table.touch();
    }
  }

  putAll(entries: Iterable<readonly [MapKey, unknown]>): void {
    for (const [key, value] of [...entries]) this.put(key, value);
  }

  remove(key: MapKey): void {
    const map = this.#map();
    if (map?.delete(key) === true) this.#removed(map);
  }

  *entries(): IterableIterator<[MapKey, unknown]> {
    const map = this.#map();
    for (const key of map?.keys() ?? []) {
      const item = this.#aged(map as Map<MapKey, Timed>, key);
      if (item !== undefined) yield [key, item.value];
    }
  }

  *keys(): IterableIterator<MapKey> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): IterableIterator<unknown> {
    for (const [, value] of this.entries()) yield value;
  }

  isEmpty(): boolean {
    return this.#map() === undefined;
  }

  clear(): void {
    this.#table.remove();
  }

  #map(): Map<MapKey, Timed> | undefined {
    if (this.#table.quiet === 0 && this.#visits > 0) this.#table.visit(this.#visits);
    return this.#table.get() as Map<MapKey, Timed> | undefined;
  }

  #read(key: MapKey): Timed | undefined {
    const map = this.#map();
    return map === undefined ? undefined : this.#aged(map, key);
  }

  /** An entry that may be returned: expired ones are removed, others refreshed by being read. */
  #aged(map: Map<MapKey, Timed>, key: MapKey): Timed | undefined {
    const item = map.get(key);
    if (item === undefined) return undefined;
    const table = this.#table;
    const { now } = table.scope;
    if (item.at + this.#ttlMs <= now) {
      map.delete(key);
      this.#removed(map);
      table.scope.countExpired(1);
      return this.#returnExpired ? item : undefined;
    }
    if (this.#refresh) {
      item.at = now;
      table.touch();
    }
    return item;
  }

  #removed(map: Map<MapKey, Timed>): void {
    if (map.size === 0) this.#table.remove();
    else this.#table.touch();
  }
}
