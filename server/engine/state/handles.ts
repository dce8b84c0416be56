/**
 * Handles of states that are one value per key and namespace: value, reducing, aggregating. With TTL the value has a time beside it, which
 * `TimedCell` takes care of.
 */

import { Timed } from './cells.ts';
import type { AggregateFunction, Reduce } from './descriptors.ts';
import type { AggregatingState, ReducingState, ValueState } from './keyed-state.ts';
import type { Table } from './table.ts';
import type { StateTtl } from './ttl.ts';

/** The value of the current key and namespace; undefined: none. */
export interface ValueCell {
  read(): unknown;
  /** As `read`, but never anything expired, and does not count as access. */
  peek(): unknown;
  write(value: unknown): void;
  clear(): void;
}

export function valueCell(table: Table): ValueCell {
  const { ttl } = table;
  if (ttl === null) return new PlainCell(table);
  return ttl.updateType === 'OnReadAndWrite' ? new RefreshedCell(table, ttl) : new TimedCell(table, ttl);
}

class PlainCell implements ValueCell {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  read(): unknown {
    return this.#table.get();
  }

  peek(): unknown {
    return this.#table.get();
  }

  write(value: unknown): void {
    this.#table.set(value);
  }

  clear(): void {
    this.#table.remove();
  }
}

class TimedCell implements ValueCell {
  readonly #table: Table;
  /** Those of the table that belong to no namespace: where nearly every look ends. */
  readonly #cells: unknown[];
  readonly #times: number[];
  readonly #scope: Table['scope'];
  readonly #ttlMs: number;
  readonly #returnExpired: boolean;
  readonly #visits: number;

  constructor(table: Table, ttl: StateTtl) {
    this.#table = table;
    this.#cells = table.cells;
    this.#times = table.times as number[];
    this.#scope = table.scope;
    this.#ttlMs = ttl.ttlMs;
    this.#returnExpired = ttl.visibility === 'ReturnExpiredIfNotCleanedUp';
    this.#visits = ttl.incremental?.entries ?? 0;
  }

  read(): unknown {
    const scope = this.#scope;
    if (this.#table.quiet === 1 && scope.namespace === '') return this.#cells[scope.key];
    return this.#unexpired(this.#returnExpired);
  }

  peek(): unknown {
    const scope = this.#scope;
    if (this.#table.quiet === 1 && scope.namespace === '') return this.#cells[scope.key];
    return this.#unexpired(false);
  }

  write(value: unknown): void {
    const scope = this.#scope;
    const table = this.#table;
    if (table.quiet === 1 && scope.namespace === '') {
      const { key } = scope;
      if (this.#cells[key] === undefined) table.count++;
      this.#cells[key] = value;
      this.#times[key] = scope.now;
      scope.changed[key] = 1;
      return;
    }
    this.#visit();
    table.set(new Timed(value, scope.now));
  }

  clear(): void {
    this.#table.remove();
  }

  #visit(): void {
    if (this.#table.quiet === 0 && this.#visits > 0) this.#table.visit(this.#visits);
  }

  /** Removes what has expired, and returns it all the same if it may be seen. */
  #unexpired(returnExpired: boolean): unknown {
    this.#visit();
    const table = this.#table;
    const timed = table.get() as Timed | undefined;
    if (timed === undefined) return undefined;
    if (timed.at + this.#ttlMs > this.#scope.now) return timed.value;
    table.remove();
    this.#scope.countExpired(1);
    return returnExpired ? timed.value : undefined;
  }
}

/** Reading is access too. */
class RefreshedCell extends TimedCell {
  readonly #table: Table;

  constructor(table: Table, ttl: StateTtl) {
    super(table, ttl);
    this.#table = table;
  }

  override read(): unknown {
    const value = super.read();
    const timed = this.#table.get() as Timed | undefined;
    if (timed !== undefined) this.#table.set(new Timed(timed.value, this.#table.scope.now));
    return value;
  }
}

export class ValueHandle implements ValueState<unknown, unknown> {
  readonly #cell: ValueCell;
  readonly #absent: unknown;

  constructor(cell: ValueCell, absent: unknown) {
    this.#cell = cell;
    this.#absent = absent;
  }

  value(): unknown {
    const value = this.#cell.read();
    return value === undefined ? this.#absent : value;
  }

  update(value: unknown): void {
    if (value === null || value === undefined) this.#cell.clear();
    else this.#cell.write(value);
  }

  clear(): void {
    this.#cell.clear();
  }
}

export class ReducingHandle implements ReducingState<unknown> {
  readonly #cell: ValueCell;
  readonly #reduce: Reduce<unknown>;

  constructor(cell: ValueCell, reduce: Reduce<unknown>) {
    this.#cell = cell;
    this.#reduce = reduce;
  }

  get(): unknown {
    return this.#cell.read() ?? null;
  }

  add(value: unknown): void {
    if (value === null || value === undefined) {
      this.#cell.clear();
      return;
    }
    const soFar = this.#cell.peek();
    this.#cell.write(soFar === undefined ? value : this.#reduce(soFar, value));
  }

  clear(): void {
    this.#cell.clear();
  }
}

export class AggregatingHandle implements AggregatingState<unknown, unknown> {
  readonly #cell: ValueCell;
  readonly #aggregate: AggregateFunction<unknown, unknown, unknown>;

  constructor(cell: ValueCell, aggregate: AggregateFunction<unknown, unknown, unknown>) {
    this.#cell = cell;
    this.#aggregate = aggregate;
  }

  get(): unknown {
    const acc = this.#cell.read();
    return acc === undefined ? null : this.#aggregate.result(acc);
  }

  add(value: unknown): void {
    if (value === null || value === undefined) {
      this.#cell.clear();
      return;
    }
    const acc = this.#cell.peek();
    this.#cell.write(this.#aggregate.add(acc === undefined ? this.#aggregate.create() : acc, value));
  }

  clear(): void {
    this.#cell.clear();
  }
}
