/**
 * Everything an operator knows of its keys, a record per key: the states of a backend as tables, and their bytes.
 *
 *   record of a key   ( state, namespace, cell )*
 *   key group         format, max parallelism, states by name ─ ( key, record )*
 *   in a store        number of migrations made ─ record of a key
 *
 * The heap backend is these tables; a backend on disk uses them as its cache and moves records in and out.
 */

import { WeirError } from '#base/errors.ts';
import { Ageing, readCell, writeCell, youngOf } from './cells.ts';
import type { Cut, CutOptions } from './cut.ts';
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
  /** States that were migrated here, first to last: records lying elsewhere are when they come back. Their number stands in those records. */
  readonly #migrated: { readonly table: Table; readonly migrate: (cell: unknown) => unknown }[] = [];
  /** Of records that are as new as they can be; null: not known. */
  #states: RecordStates | null = null;

  constructor(options: StateBackendOptions) {
    this.#options = options;
    this.scope = new TableScope(options.cells);
    this.#tables = this.scope.tables;
  }

  get tables(): readonly Table[] {
    return this.#tables;
  }

  /** The states of records that were written when `version` of the migrations had been made. */
  #statesOf(version: number): RecordStates {
    if (version === this.#migrated.length && this.#states !== null) return this.#states;
    const since = new Map(this.#migrated.slice(version).map(({ table, migrate }) => [table, migrate]));
    const states = this.#tables.map((table) => ({ table, migrate: since.get(table) ?? null }));
    if (version === this.#migrated.length) this.#states = states;
    return states;
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
      if (migrate !== null) {
        table.rewrite(migrate);
        this.#migrated.push({ table, migrate });
        this.#states = null;
      }
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
    this.#states = null;
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
    this.scope.cuts.hold(mark);
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

  /** A record of a store without what has expired: the same bytes if nothing has, null if nothing is left. */
  compacted(stored: Uint8Array): Uint8Array | null {
    const ageing = new Ageing();
    const { record, states } = this.#open(stored);
    const young = this.#changed(record, states, (table, cell) => {
      const { ttl, kind } = table;
      return ttl === null || ttl.compaction === null ? cell : ageing.age(kind, cell, this.scope.now - ttl.ttlMs);
    });
    if (ageing.dropped === 0) return stored;
    this.scope.countExpired(ageing.dropped);
    if (young === null) return null;
    const out = new ByteWriter(young.length + 5);
    out.varint(this.#migrated.length);
    out.raw(young);
    return out.take();
  }

  /** Rises whenever blocks have to begin anew: their first bytes tell of other states. */
  get revision(): number {
    return this.#tables.length + this.#migrated.length;
  }

  /** What a snapshot of that instant has of a record of a store; null: nothing. */
  forSnapshot(stored: Uint8Array, snapshotAt: number): Uint8Array | null {
    const { record, states, current } = this.#open(stored);
    if (current && !this.#tables.some((table) => table.ttl?.fullSnapshot === true)) return record;
    return this.#changed(record, states, ({ ttl, kind }, cell) =>
      ttl?.fullSnapshot === true ? youngOf(kind, cell, snapshotAt - ttl.ttlMs) : cell,
    );
  }

  /** Puts a record of a snapshot with these states behind what `out` holds, as a store has it. */
  store(record: Uint8Array, states: RecordStates, out: ByteWriter): void {
    const asIs = states.every(({ table, migrate }, i) => migrate === null && table === this.#tables[i]);
    const renewed = asIs ? record : this.#changed(record, states, (_table, cell) => cell);
    if (renewed === null) return;
    out.varint(this.#migrated.length);
    out.raw(renewed);
  }

  #open(stored: Uint8Array): { record: Uint8Array; states: RecordStates; current: boolean } {
    const from = new ByteReader(stored);
    const version = from.varint();
    const current = version === this.#migrated.length;
    return { record: stored.subarray(from.at), states: this.#statesOf(version), current };
  }

  #changed(
    record: Uint8Array,
    states: RecordStates,
    change: (table: Table, cell: unknown) => unknown,
  ): Uint8Array | null {
    const out = new ByteWriter();
    this.#cells(new ByteReader(record), states, (table, namespace, cell) => {
      const changed = change(table, cell);
      if (changed === undefined) return;
      out.varint(this.#tables.indexOf(table));
      out.string(namespace);
      writeCell(out, table.kind, table.timed, changed);
    });
    return out.length === 0 ? null : out.take();
  }

  /** Bytes of a key's record behind what `out` holds; `snapshotAt`: without what a snapshot of that instant leaves out. */
  writeRecord(key: number, out: ByteWriter, snapshotAt: number | null = null): void {
    for (let index = 0; index < this.#tables.length; index++) {
      const table = this.#tables[index] as Table;
      const deadline = snapshotAt !== null && table.ttl?.fullSnapshot === true ? snapshotAt - table.ttl.ttlMs : null;
      const cell = table.cellOf(key);
      if (cell !== undefined) writeState(out, table, index, '', cell, deadline);
      const spaces = table.spacesOf(key);
      if (spaces === undefined) continue;
      for (const [namespace, spaced] of spaces) writeState(out, table, index, namespace, spaced, deadline);
    }
  }

  /** Records as of now, by key; `scope.cuts` has to `end` it. Before a key changes, or goes, it has to be secured there. */
  cut(of: Pick<CutOptions<ByteWriter>, 'ranges' | 'holdsAll'> = {}): Cut<ByteWriter> {
    const { now, cuts } = this.scope;
    const write = (key: number, to: ByteWriter): void => this.writeRecord(key, to, now);
    return cuts.begin({ ...of, entries: this.#capacity, write, scratch: new ByteWriter() });
  }

  /** Puts a key's record behind what `out` holds, as a store has it; nothing, if the key has none. */
  writeStored(key: number, out: ByteWriter): void {
    const before = out.length;
    out.varint(this.#migrated.length);
    const empty = out.length;
    this.writeRecord(key, out);
    if (out.length === empty) out.length = before;
  }

  /** Loads a record of a store; its key counts as unchanged. */
  readStored(key: number, stored: Uint8Array): void {
    const from = new ByteReader(stored);
    const states = this.#statesOf(from.varint());
    this.#cells(from, states, (table, namespace, cell) => table.load(key, namespace, cell));
  }

  /** Loads a record; its key counts as unchanged. */
  readRecord(key: number, record: Uint8Array, states: RecordStates): void {
    this.#cells(new ByteReader(record), states, (table, namespace, cell) => table.load(key, namespace, cell));
  }

  /** Cells of a record as the states that are declared now have them. */
  #cells(from: ByteReader, states: RecordStates, each: (table: Table, namespace: string, cell: unknown) => void): void {
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

/** A part of a record: nothing where nothing is younger than the deadline. */
function writeState(
  out: ByteWriter,
  { kind, timed }: Table,
  index: number,
  namespace: string,
  cell: unknown,
  deadline: number | null,
): void {
  const written = deadline === null ? cell : youngOf(kind, cell, deadline);
  if (written === undefined) return;
  out.varint(index);
  out.string(namespace);
  writeCell(out, kind, timed, written);
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
