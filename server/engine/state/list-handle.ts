/** Handle of a list state. With TTL every element has a time of its own. */

import { WeirError } from '#base/errors.ts';
import { Timed } from './cells.ts';
import type { ListState } from './keyed-state.ts';
import type { Table } from './table.ts';
import type { StateTtl } from './ttl.ts';

const NOTHING: readonly unknown[] = Object.freeze([]);

export class ListHandle implements ListState<unknown> {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get(): readonly unknown[] {
    return (this.#table.get() as unknown[] | undefined) ?? NOTHING;
  }

  add(value: unknown): void {
    checkedItem(this.#table, value);
    const items = this.#table.get() as unknown[] | undefined;
    if (items === undefined) {
      this.#table.set([value]);
    } else {
      items.push(value);
      this.#table.touch();
    }
  }

  addAll(values: Iterable<unknown>): void {
    for (const value of [...values]) this.add(value);
  }

  update(values: Iterable<unknown>): void {
    const items = [...values];
    for (const value of items) checkedItem(this.#table, value);
    if (items.length === 0) this.#table.remove();
    else this.#table.set(items);
  }

  clear(): void {
    this.#table.remove();
  }
}

export class TimedListHandle implements ListState<unknown> {
  readonly #table: Table;
  readonly #ttl: StateTtl;
  readonly #visits: number;

  constructor(table: Table, ttl: StateTtl) {
    this.#table = table;
    this.#ttl = ttl;
    this.#visits = ttl.incremental?.entries ?? 0;
  }

  get(): readonly unknown[] {
    const table = this.#table;
    if (table.quiet === 0 && this.#visits > 0) table.visit(this.#visits);
    const items = table.get() as Timed[] | undefined;
    if (items === undefined) return NOTHING;
    const { now } = table.scope;
    const { ttlMs, updateType, visibility } = this.#ttl;
    const alive = items.filter((item) => item.at + ttlMs > now);
    const expired = items.length - alive.length;
    if (expired > 0) {
      if (alive.length === 0) table.remove();
      else table.set(alive);
      table.scope.countExpired(expired);
    }
    if (updateType === 'OnReadAndWrite' && alive.length > 0) {
      for (const item of alive) item.at = now;
      table.touch();
    }
    // What expired is returned once more where that is wanted, in its place.
    return (visibility === 'ReturnExpiredIfNotCleanedUp' ? items : alive).map((item) => item.value);
  }

  add(value: unknown): void {
    const table = this.#table;
    checkedItem(table, value);
    if (table.quiet === 0 && this.#visits > 0) table.visit(this.#visits);
    const items = table.get() as Timed[] | undefined;
    const item = new Timed(value, table.scope.now);
    if (items === undefined) {
      table.set([item]);
    } else {
      items.push(item);
      table.touch();
    }
  }

  addAll(values: Iterable<unknown>): void {
    for (const value of [...values]) this.add(value);
  }

  update(values: Iterable<unknown>): void {
    const table = this.#table;
    if (table.quiet === 0 && this.#visits > 0) table.visit(this.#visits);
    const items = [...values].map((value) => new Timed(checkedItem(table, value), table.scope.now));
    if (items.length === 0) table.remove();
    else table.set(items);
  }

  clear(): void {
    this.#table.remove();
  }
}

/** Refuses what no list holds. */
export function checkedItem({ name }: { readonly name: string }, value: unknown): unknown {
  if (value === null || value === undefined) {
    throw new WeirError('STATE_VALUE', `State "${name}": a list holds no ${value}.`);
  }
  return value;
}
