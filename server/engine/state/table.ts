/**
 * One state of an operator: a cell per key and namespace. Without namespace, where most state lives, finding it is an array index.
 *
 *   cells[key], times[key]      namespace ''; a single value with TTL is a value here and a time there
 *   spaces[key].get(namespace)  others: windows
 *
 * Expiry: cells with TTL are aged when somebody reads them (`handles.ts`) and by a visitor that goes round, some keys at each access. A
 * round that has seen everything knows when the next thing can expire, and until then visits cost nothing; so from the first access to a
 * table that is empty, which keeps the slow ways so rare that they are not inlined where they would push out the fast ones.
 */

import { OperatorCell } from '../metrics/cells.ts';
import { Ageing, Timed } from './cells.ts';
import { Cuts } from './cut.ts';
import type { StateDescriptor, StateKind } from './descriptors.ts';
import type { StateScope } from './keyed-state.ts';
import type { StateTtl } from './ttl.ts';
import type { ByteWriter } from './value-codec.ts';

/** The scope with what only tables need to know. */
export class TableScope implements StateScope {
  key = 0;
  namespace = '';
  #now = 0;
  readonly tables: Table[] = [];
  /** By key: its record is not what it was when somebody last set this to 0. */
  changed = new Uint8Array(0);
  /** Cells of the operator. */
  readonly counters: Float64Array;
  /** Tables that ask for the time. */
  readonly timed: Table[] = [];
  /** Snapshots that are being written, by key. */
  readonly cuts = new Cuts<ByteWriter>();

  constructor(counters: Float64Array) {
    this.counters = counters;
  }

  get now(): number {
    return this.#now;
  }

  /** Clocks may step back. */
  set now(now: number) {
    if (now < this.#now) for (const table of this.timed) table.stepBack(now);
    this.#now = now;
    for (const table of this.timed) table.look();
  }

  countExpired(entries: number): void {
    this.counters[OperatorCell.EXPIRED] = (this.counters[OperatorCell.EXPIRED] as number) + entries;
  }
}

/** What a snapshot says of a state. */
export interface StateShape {
  readonly name: string;
  readonly kind: StateKind;
  readonly version: number;
  /** Cells carry times. */
  readonly timed: boolean;
}

export class Table implements StateShape {
  readonly name: string;
  readonly kind: StateKind;
  readonly timed: boolean;
  version: number;
  /** Null while nobody has asked for this state since it was restored. */
  descriptor: StateDescriptor | null = null;
  readonly scope: TableScope;
  /** Namespace '', by key; handles look here first. */
  readonly cells: unknown[] = [];
  /** When those were last accessed, ms; null: that is in the cells, or nobody asks. */
  readonly times: number[] | null;
  #spaces: (Map<string, unknown> | undefined)[] = [];
  /** Cells stored. */
  count = 0;

  // The visitor.
  #cursor = 0;
  #roundBegan = Number.NEGATIVE_INFINITY;
  readonly #ageing = new Ageing();
  /** Until then nothing can expire that a visit would find, ms. */
  #quietUntil = Number.NEGATIVE_INFINITY;
  /** 1: that is later than now. Every access asks, which is why this is a number. */
  quiet: 0 | 1 = 0;

  constructor(shape: StateShape, scope: TableScope) {
    this.name = shape.name;
    this.kind = shape.kind;
    this.version = shape.version;
    this.timed = shape.timed;
    this.scope = scope;
    if (shape.timed) scope.timed.push(this);
    this.times = shape.timed && shape.kind !== 'list' && shape.kind !== 'map' ? [] : null;
  }

  get ttl(): StateTtl | null {
    return this.descriptor?.ttl ?? null;
  }

  /** Room for keys below `capacity`. */
  grow(capacity: number): void {
    while (this.cells.length < capacity) this.cells.push(undefined);
    if (this.times !== null) while (this.times.length < capacity) this.times.push(Number.NEGATIVE_INFINITY);
  }

  /** The cell of the current key and namespace; undefined: none. */
  get(): unknown {
    const { scope } = this;
    if (scope.namespace === '') return this.#cell(scope.key);
    return this.#spaces[scope.key]?.get(scope.namespace);
  }

  set(cell: unknown): void {
    const { scope } = this;
    const { key } = scope;
    scope.changed[key] = 1;
    if (scope.namespace === '') {
      if (this.cells[key] === undefined) this.count++;
      this.#put(key, cell);
      return;
    }
    let spaces = this.#spaces[key];
    if (spaces === undefined) {
      spaces = new Map();
      while (this.#spaces.length < key) this.#spaces.push(undefined);
      this.#spaces[key] = spaces;
    }
    const before = spaces.get(scope.namespace);
    // Accumulators are often changed in place.
    if (before === cell) return;
    if (before === undefined) this.count++;
    spaces.set(scope.namespace, cell);
  }

  /** Of namespace '', as everywhere else. */
  #cell(key: number): unknown {
    const cell = this.cells[key];
    return this.times === null || cell === undefined ? cell : new Timed(cell, this.times[key] as number);
  }

  #put(key: number, cell: unknown): void {
    if (this.times === null) {
      this.cells[key] = cell;
      return;
    }
    const { value, at } = cell as Timed;
    this.cells[key] = value;
    this.times[key] = at;
  }

  /** The current cell was changed in place. */
  touch(): void {
    this.scope.changed[this.scope.key] = 1;
  }

  remove(): void {
    const { scope } = this;
    const { key } = scope;
    if (scope.namespace === '') {
      if (this.cells[key] === undefined) return;
      this.cells[key] = undefined;
    } else {
      const spaces = this.#spaces[key];
      if (spaces?.delete(scope.namespace) !== true) return;
      if (spaces.size === 0) this.#spaces[key] = undefined;
    }
    scope.changed[key] = 1;
    this.count--;
  }

  has(key: number): boolean {
    return this.cells[key] !== undefined || this.#spaces[key] !== undefined;
  }

  /** The cell of a key in namespace ''; undefined: none. */
  cellOf(key: number): unknown {
    return this.#cell(key);
  }

  /** Its cells in the others. */
  spacesOf(key: number): ReadonlyMap<string, unknown> | undefined {
    return this.#spaces[key];
  }

  /** Cells of a key, '' first. */
  *of(key: number): IterableIterator<[namespace: string, cell: unknown]> {
    const cell = this.#cell(key);
    if (cell !== undefined) yield ['', cell];
    const spaces = this.#spaces[key];
    if (spaces !== undefined) yield* spaces;
  }

  /** Stores a cell read from a record; it counts as unchanged. */
  load(key: number, namespace: string, cell: unknown): void {
    const { scope } = this;
    const before = { key: scope.key, namespace: scope.namespace, changed: scope.changed[key] as number };
    scope.key = key;
    scope.namespace = namespace;
    this.set(cell);
    scope.key = before.key;
    scope.namespace = before.namespace;
    scope.changed[key] = before.changed;
    // It may be older than what the round has seen, and lie behind it.
    this.#roundBegan = Number.NEGATIVE_INFINITY;
    this.#quietUntil = Number.NEGATIVE_INFINITY;
    this.quiet = 0;
  }

  /** Forgets a key; its record, wherever it is, stays as it is. */
  drop(key: number): void {
    if (this.cells[key] !== undefined) this.count--;
    this.cells[key] = undefined;
    const spaces = this.#spaces[key];
    if (spaces === undefined) return;
    this.count -= spaces.size;
    this.#spaces[key] = undefined;
  }

  hold(mark: (key: number) => void): void {
    for (let key = 0; key < this.cells.length; key++) if (this.cells[key] !== undefined) mark(key);
    for (let key = 0; key < this.#spaces.length; key++) if (this.#spaces[key] !== undefined) mark(key);
  }

  /** Replaces every cell. */
  rewrite(change: (cell: unknown) => unknown): void {
    for (let key = 0; key < this.cells.length; key++) {
      if (this.cells[key] !== undefined) this.#put(key, change(this.#cell(key)));
    }
    for (const spaces of this.#spaces) {
      for (const [namespace, cell] of spaces ?? []) spaces?.set(namespace, change(cell));
    }
  }

  /** The time, or what is known of it, is another one. */
  look(): void {
    this.quiet = this.scope.now < this.#quietUntil ? 1 : 0;
  }

  /** Some more keys of the round; not worth it while `quiet`. */
  visit(keys: number): void {
    if (this.count === 0) {
      // There is nothing to go round for.
      this.#beginRound(this.scope.now);
      return;
    }
    for (let n = 0; n < keys; n++) {
      if (this.#cursor >= this.cells.length) {
        // What came during the round is younger than the round.
        this.#beginRound(Math.min(this.#ageing.oldest, this.#roundBegan));
        if (this.quiet === 1) return;
      }
      this.expire(this.#cursor++);
    }
  }

  /** Nothing that is there, or comes, was last accessed before `oldest`. */
  #beginRound(oldest: number): void {
    this.#cursor = 0;
    this.#roundBegan = this.scope.now;
    this.#ageing.oldest = Number.POSITIVE_INFINITY;
    this.#quietUntil = oldest + (this.ttl as StateTtl).ttlMs;
    this.look();
  }

  /** What is written from now on may be older than what was known to be the oldest. */
  stepBack(now: number): void {
    this.#quietUntil = Number.NEGATIVE_INFINITY;
    this.#roundBegan = Math.min(this.#roundBegan, now);
  }

  /** Drops what has expired of a key. */
  expire(key: number): void {
    if (this.scope.cuts.any) this.scope.cuts.secure(key);
    const ttl = this.ttl as StateTtl;
    const ageing = this.#ageing;
    const deadline = this.scope.now - ttl.ttlMs;
    const before = ageing.dropped;
    const cell = this.cells[key];
    if (cell !== undefined) {
      const { times } = this;
      let left: unknown;
      if (times === null) left = ageing.age(this.kind, cell, deadline);
      else left = ageing.keeps(times[key] as number, deadline) ? cell : undefined;
      this.cells[key] = left;
      if (left === undefined) this.count--;
    }
    const spaces = this.#spaces[key];
    if (spaces !== undefined) {
      for (const [namespace, spaced] of spaces) {
        const left = ageing.age(this.kind, spaced, deadline);
        if (left !== undefined) spaces.set(namespace, left);
        else {
          spaces.delete(namespace);
          this.count--;
        }
      }
      if (spaces.size === 0) this.#spaces[key] = undefined;
    }
    const dropped = ageing.dropped - before;
    if (dropped === 0) return;
    this.scope.changed[key] = 1;
    this.scope.countExpired(dropped);
  }

  /** A few cells, for an estimate of size. */
  *sample(): IterableIterator<unknown> {
    const step = Math.max(1, Math.floor(this.cells.length / 16));
    for (let key = 0; key < this.cells.length; key += step) for (const [, cell] of this.of(key)) yield cell;
  }
}
