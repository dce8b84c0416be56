/**
 * Everything an operator knows of its keys, a record per key: the states of a backend as tables, and their bytes.
 *
 *   record of a key   ( state, namespace, cell )*
 *   key group         format, max parallelism, states by name ─ ( key, record )*
 *
 * The heap backend is these tables; a backend on disk uses them as its cache and moves records in and out.
 */

import { WeirError } from '#base/errors.ts';
import { Ageing, readCell, writeCell, youngOf } from './cells.ts';
import type { StateDescriptor, StateKind } from './descriptors.ts';
import { AggregatingHandle, ReducingHandle, ValueHandle, valueCell } from './handles.ts';
import type { KeyedState, StateBackendOptions } from './keyed-state.ts';
import { ListHandle, TimedListHandle } from './list-handle.ts';
import { MapHandle, TimedMapHandle } from './map-handle.ts';
import { cellMerge } from './merge.ts';
import { migrationOf } from './migration.ts';
import { sizeOf } from './size.ts';
import { type StateShape, Table, TableScope } from './table.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

const FORMAT = 1;
const KINDS: readonly StateKind[] = ['value', 'list', 'map', 'reducing', 'aggregating'];

/** Where the cells of a record's states go, and what has to be done to them; by position in the record. */
export type RecordStates = readonly { readonly table: Table; readonly migrate: ((cell: unknown) => unknown) | null }[];

export class KeyRecords {
  readonly scope: TableScope;
  readonly #options: StateBackendOptions;
  /** By their number in records. */
  readonly #tables: Table[];
  readonly #byName = new Map<string, { table: Table; handle: KeyedState | null }>();
  #capacity = 0;

  constructor(options: StateBackendOptions) {
    this.#options = options;
    this.scope = new TableScope(options.cells);
    this.#tables = this.scope.tables;
  }

  get tables(): readonly Table[] {
    return this.#tables;
  }

  /** The states of records written by this object. */
  get states(): RecordStates {
    return this.#tables.map((table) => ({ table, migrate: null }));
  }

  /** Makes room for all keys there are ids for. */
  reserve(): void {
    const { capacity } = this.#options.keys;
    if (capacity <= this.#capacity) return;
    this.#capacity = Math.max(1024, capacity, Math.ceil(this.#capacity * 1.5));
    const changed = new Uint8Array(this.#capacity);
    changed.set(this.scope.changed);
    this.scope.changed = changed;
    for (const table of this.#tables) table.grow(this.#capacity);
  }

  state<S extends KeyedState>(descriptor: StateDescriptor<S>): S {
    const { table, handle } = this.#byName.get(descriptor.name) ?? {
      table: this.#add(shapeOf(descriptor)),
      handle: null,
    };
    if (table.descriptor === null) {
      const migrate = migrationOf(table, descriptor, this.#options.operator);
      table.descriptor = descriptor;
      table.version = descriptor.version;
      if (migrate !== null) table.rewrite(migrate);
      const incremental = descriptor.ttl?.incremental;
      if (incremental?.everyRecord === true) this.#visited.push({ table, entries: incremental.entries });
    } else if (!sameShape(table, shapeOf(descriptor))) {
      throw new WeirError(
        'STATE_NAME',
        `${this.#options.operator}: two different states are called "${descriptor.name}"; give one of them another name.`,
      );
    }
    const made = handle ?? makeHandle(table, descriptor);
    this.#byName.set(descriptor.name, { table, handle: made });
    return made as S;
  }

  #add(shape: StateShape): Table {
    const table = new Table(shape, this.scope);
    table.grow(this.#capacity);
    this.#tables.push(table);
    this.#byName.set(shape.name, { table, handle: null });
    return table;
  }

  has(key: number): boolean {
    return this.#tables.some((table) => table.has(key));
  }

  /** Whether the state holds something for the current key and namespace. */
  stored({ name }: StateDescriptor): boolean {
    return this.#byName.get(name)?.table.get() !== undefined;
  }

  hold(mark: (key: number) => void): void {
    for (const table of this.#tables) table.hold(mark);
  }

  mergeNamespaces(descriptor: StateDescriptor, target: string, sources: readonly string[]): void {
    const table = this.#byName.get(descriptor.name)?.table;
    if (table === undefined) return;
    const { scope } = this;
    const merge = cellMerge(descriptor, scope, this.#options.operator);
    const before = scope.namespace;
    let merged: unknown;
    for (const source of sources) {
      scope.namespace = source;
      const cell = table.get();
      if (cell === undefined) continue;
      table.remove();
      merged = merged === undefined ? cell : merge(merged, cell);
    }
    scope.namespace = target;
    if (merged !== undefined) {
      const there = table.get();
      const cell = there === undefined ? merged : merge(there, merged);
      if (cell === undefined) table.remove();
      else table.set(cell);
    }
    scope.namespace = before;
  }

  clearNamespace(): void {
    for (const table of this.#tables) table.remove();
  }

  /** Tables that every record visits a little. */
  readonly #visited: { readonly table: Table; readonly entries: number }[] = [];

  get cleansEveryRecord(): boolean {
    return this.#visited.length > 0;
  }

  visit(): void {
    for (const { table, entries } of this.#visited) {
      if (table.quiet === 0) table.visit(entries);
    }
  }

  /** Forgets a key, as if its record were somewhere else. */
  drop(key: number): void {
    for (const table of this.#tables) table.drop(key);
  }

  /** Some state drops what has expired where records are rewritten. */
  get compacts(): boolean {
    return this.#tables.some((table) => table.ttl?.compaction != null);
  }

  /** Drops what has expired of a key, where that is wanted. */
  compact(key: number): void {
    for (const table of this.#tables) if (table.ttl?.compaction != null) table.expire(key);
  }

  /** A record of `states` without what has expired: the same bytes if nothing has, null if nothing is left. */
  compacted(record: Uint8Array): Uint8Array | null {
    const ageing = new Ageing();
    const young = this.#changed(record, this.states, (table, cell) => {
      const { ttl, kind } = table;
      return ttl === null || ttl.compaction === null ? cell : ageing.age(kind, cell, this.scope.now - ttl.ttlMs);
    });
    if (ageing.dropped === 0) return record;
    this.scope.countExpired(ageing.dropped);
    return young;
  }

  /** A record without what snapshots leave out; null: that is all of it. */
  forSnapshot(record: Uint8Array): Uint8Array | null {
    if (!this.#tables.some((table) => table.ttl?.fullSnapshot === true)) return record;
    return this.#changed(record, this.states, ({ ttl, kind }, cell) =>
      ttl?.fullSnapshot === true ? youngOf(kind, cell, this.scope.now - ttl.ttlMs) : cell,
    );
  }

  /** A record that was stored with these states, as this object would write it. */
  renewed(record: Uint8Array, states: RecordStates): Uint8Array | null {
    if (states.every(({ table, migrate }, i) => migrate === null && table === this.#tables[i])) return record.slice();
    return this.#changed(record, states, (_table, cell) => cell);
  }

  #changed(
    record: Uint8Array,
    states: RecordStates,
    change: (table: Table, cell: unknown) => unknown,
  ): Uint8Array | null {
    const out = new ByteWriter();
    this.#cells(record, states, (table, namespace, cell) => {
      const changed = change(table, cell);
      if (changed === undefined) return;
      out.varint(this.#tables.indexOf(table));
      out.string(namespace);
      writeCell(out, table.kind, table.timed, changed);
    });
    return out.length === 0 ? null : out.take();
  }

  /** Bytes of a key's record behind what `out` holds; with `forSnapshot` without what snapshots leave out. */
  writeRecord(key: number, out: ByteWriter, forSnapshot = false): void {
    const { now } = this.scope;
    for (const [index, table] of this.#tables.entries()) {
      const deadline = forSnapshot && table.ttl?.fullSnapshot === true ? now - table.ttl.ttlMs : null;
      for (const [namespace, cell] of table.of(key)) {
        const written = deadline === null ? cell : youngOf(table.kind, cell, deadline);
        if (written === undefined) continue;
        out.varint(index);
        out.string(namespace);
        writeCell(out, table.kind, table.timed, written);
      }
    }
  }

  /** Loads a record; its key counts as unchanged. */
  readRecord(key: number, record: Uint8Array, states: RecordStates): void {
    this.#cells(record, states, (table, namespace, cell) => table.load(key, namespace, cell));
  }

  /** Cells of a record as the states that are declared now have them. */
  #cells(
    record: Uint8Array,
    states: RecordStates,
    each: (table: Table, namespace: string, cell: unknown) => void,
  ): void {
    const from = new ByteReader(record);
    while (!from.done) {
      const index = from.varint();
      const state = states[index];
      if (state === undefined)
        throw new WeirError('STATE_FORMAT', `A record names state ${index} of ${states.length}.`);
      const namespace = from.string();
      const cell = readCell(from, state.table.kind, state.table.timed);
      each(state.table, namespace, state.migrate === null ? cell : state.migrate(cell));
    }
  }

  /** First bytes of a key group. */
  writeHeader(out: ByteWriter): void {
    out.varint(FORMAT);
    out.varint(this.#options.maxParallelism);
    out.varint(this.#tables.length);
    for (const { name, kind, version, timed } of this.#tables) {
      out.string(name);
      out.varint(KINDS.indexOf(kind));
      out.varint(version);
      out.varint(timed ? 1 : 0);
    }
  }

  /** Finds or makes the states of a key group that was stored, or refuses them. */
  readHeader(from: ByteReader): RecordStates {
    const { operator, maxParallelism } = this.#options;
    const format = from.varint();
    if (format !== FORMAT)
      throw new WeirError('STATE_FORMAT', `${operator}: state has format ${format}, not ${FORMAT}.`);
    const stored = from.varint();
    if (stored !== maxParallelism) {
      throw new WeirError(
        'MAX_PARALLELISM',
        `${operator}: state was stored with a max parallelism of ${stored}, which cannot become ${maxParallelism}: set it as it was.`,
      );
    }
    return Array.from({ length: from.varint() }, () => {
      const name = from.string();
      const kind = KINDS[from.varint()] as StateKind;
      const version = from.varint();
      const shape: StateShape = { name, kind, version, timed: from.varint() === 1 };
      const table = this.#byName.get(name)?.table ?? this.#add(shape);
      if (table.descriptor === null && !sameShape(table, shape)) {
        throw new WeirError(
          'STATE_MIGRATION',
          `${operator}: state "${name}" was stored in two versions, ${table.version} and ${version}: declare it in open(), so that all of it is migrated at once.`,
        );
      }
      return { table, migrate: table.descriptor === null ? null : migrationOf(shape, table.descriptor, operator) };
    });
  }

  /** An estimate: what a few cells take, times how many there are. */
  get bytes(): number {
    let bytes = this.#capacity;
    for (const table of this.#tables) {
      let cells = 0;
      let sampled = 0;
      for (const cell of table.sample()) {
        cells++;
        sampled += sizeOf(cell);
      }
      bytes += this.#capacity * 8 + (cells === 0 ? 0 : (table.count * sampled) / cells);
    }
    return Math.round(bytes);
  }
}

function sameShape(a: StateShape, b: StateShape): boolean {
  return a.kind === b.kind && a.version === b.version && a.timed === b.timed;
}

function shapeOf(descriptor: StateDescriptor): StateShape {
  const { name, kind, version, ttl } = descriptor;
  return { name, kind, version, timed: ttl !== null };
}

function makeHandle(table: Table, descriptor: StateDescriptor): KeyedState {
  const { ttl } = descriptor;
  switch (descriptor.kind) {
    case 'value':
      return new ValueHandle(valueCell(table), descriptor.absent);
    case 'reducing':
      return new ReducingHandle(valueCell(table), descriptor.reduce);
    case 'aggregating':
      return new AggregatingHandle(valueCell(table), descriptor.aggregate);
    case 'list':
      return ttl === null ? new ListHandle(table) : new TimedListHandle(table, ttl);
    case 'map':
      return ttl === null ? new MapHandle(table) : new TimedMapHandle(table, ttl);
  }
}
