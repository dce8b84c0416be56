import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKENDS } from '#testing/backends.ts';
import { SteppedState } from '#testing/stepped-state.ts';
import { OperatorCell } from '../metrics/cells.ts';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  type StateDescriptor,
  type StateKind,
  valueState,
} from './descriptors.ts';
import type {
  AggregatingState,
  KeyedState,
  KeyedStateBackend,
  ListState,
  MapState,
  ReducingState,
  StateBackendFactory,
  ValueState,
} from './keyed-state.ts';
import { type StateTtl, timeToLive } from './ttl.ts';

const KEYS = ['a', 'süd'];
const NAMESPACES = ['', 'w1', 'w2'];

interface Step {
  readonly op: 'read' | 'write' | 'replace' | 'remove' | 'clear' | 'merge' | 'clear namespace' | 'restore';
  readonly key: string;
  readonly namespace: string;
  readonly v: number;
  /** How far the clock moves before it, ms. */
  readonly by: number;
}

interface Program {
  readonly kind: StateKind;
  readonly ttl: StateTtl;
  readonly steps: readonly Step[];
}

function descriptorOf(kind: StateKind, ttl: StateTtl): StateDescriptor {
  switch (kind) {
    case 'value':
      return valueState<number>('s', { ttl }) as StateDescriptor;
    case 'list':
      return listState<number>('s', { ttl }) as StateDescriptor;
    case 'map':
      return mapState<number, number>('s', { ttl }) as StateDescriptor;
    case 'reducing':
      return reducingState<number>('s', (a, b) => a * 2 + b, { ttl }) as StateDescriptor;
    case 'aggregating':
      return aggregatingState<number, readonly number[], string>(
        's',
        {
          create: () => [],
          add: (acc, v) => [...acc, v],
          result: (acc) => acc.join('+'),
          merge: (a, b) => [...a, ...b],
        },
        { ttl },
      ) as StateDescriptor;
  }
}

/** What the step finds, as text. */
function act(kind: StateKind, state: KeyedState, backend: KeyedStateBackend, step: Step, ttl: StateTtl): string {
  const { op, v, namespace } = step;
  if (op === 'clear') state.clear();
  else if (op === 'clear namespace') backend.clearNamespace();
  else if (op === 'merge' && kind !== 'value' && kind !== 'map') {
    const sources = NAMESPACES.filter((other) => other !== namespace);
    backend.mergeNamespaces(descriptorOf(kind, ttl), namespace, sources);
  } else if (kind === 'value') {
    const value = state as ValueState<number>;
    if (op === 'read') return String(value.value());
    if (op === 'write' || op === 'replace') value.update(v);
    if (op === 'remove') value.update(null);
  } else if (kind === 'list') {
    const list = state as ListState<number>;
    if (op === 'read') return list.get().join();
    if (op === 'write') list.add(v);
    if (op === 'replace') list.update([v, v + 1]);
    if (op === 'remove') list.update([]);
  } else if (kind === 'map') {
    const map = state as MapState<number, number>;
    if (op === 'read') return v % 2 === 0 ? JSON.stringify([...map.entries()]) : `${map.get(v % 4)}`;
    if (op === 'write') map.put(v % 4, v);
    if (op === 'replace') return String(map.contains(v % 4));
    if (op === 'remove') map.remove(v % 4);
  } else {
    const adding = state as ReducingState<number> | AggregatingState<number, string>;
    if (op === 'read') return String(adding.get());
    if (op === 'write' || op === 'replace') adding.add(v);
  }
  return '';
}

interface Entry {
  readonly key: number;
  value: unknown;
  at: number;
}

/** Entries per key and namespace, each with its time; everything else by looking at all of them. */
class Model {
  expired = 0;
  readonly #kind: StateKind;
  readonly #ttl: StateTtl;
  readonly #cells = new Map<string, Entry[]>();

  constructor(kind: StateKind, ttl: StateTtl) {
    this.#kind = kind;
    this.#ttl = ttl;
  }

  act({ op, key, namespace, v }: Step, now: number): string {
    const kind = this.#kind;
    const name = `${key}/${namespace}`;
    const entries = this.#cells.get(name) ?? [];
    const fresh = (value: unknown, id = 0): Entry => ({ key: id, value, at: now });
    const put = (left: Entry[]): void =>
      void (left.length > 0 ? this.#cells.set(name, left) : this.#cells.delete(name));
    if (op === 'clear' || op === 'clear namespace') put([]);
    else if (op === 'merge') {
      if (kind === 'value' || kind === 'map') return '';
      let merged: Entry[] = [];
      for (const other of NAMESPACES.filter((n) => n !== namespace)) {
        merged = this.#merge(merged, this.#cells.get(`${key}/${other}`) ?? [], now);
        this.#cells.delete(`${key}/${other}`);
      }
      put(this.#merge(entries, merged, now));
    } else if (op === 'read') {
      if (kind === 'map' && v % 2 === 1) return String(this.#look(name, now, (e) => e.key === v % 4)[0]?.value ?? null);
      const found = this.#look(name, now, () => true);
      if (kind === 'map') return JSON.stringify(found.map((e) => [e.key, e.value]));
      if (kind === 'list') return found.map((e) => e.value).join();
      const value = found[0]?.value ?? null;
      return kind === 'aggregating' && value !== null ? (value as number[]).join('+') : String(value);
    } else if (kind === 'map' && op === 'replace') {
      return String(this.#look(name, now, (e) => e.key === v % 4).length > 0);
    } else if (kind === 'map' && op === 'write') {
      const there = entries.find((e) => e.key === v % 4);
      const alive = there !== undefined && there.at + this.#ttl.ttlMs > now;
      if (alive) Object.assign(there, fresh(v, v % 4));
      // One that has expired is as good as none, and the new one comes behind the others.
      else put([...entries.filter((e) => e !== there), fresh(v, v % 4)]);
    } else if (kind === 'map' && op === 'remove') put(entries.filter((e) => e.key !== v % 4));
    else if (kind === 'list' && op === 'write') put([...entries, fresh(v)]);
    else if (kind === 'list') put(op === 'replace' ? [fresh(v), fresh(v + 1)] : []);
    else if (kind === 'value') put(op === 'remove' ? [] : [fresh(v)]);
    else if (op !== 'remove') {
      const [soFar] = this.#alive(entries, now);
      if (kind === 'reducing') put([fresh(soFar === undefined ? v : (soFar.value as number) * 2 + v)]);
      else put([fresh([...((soFar?.value as number[]) ?? []), v])]);
    }
    return '';
  }

  #alive(entries: readonly Entry[], now: number): Entry[] {
    const alive = entries.filter((e) => e.at + this.#ttl.ttlMs > now);
    this.expired += entries.length - alive.length;
    return alive;
  }

  /** What a read of these entries returns; it drops what has expired of them. */
  #look(name: string, now: number, which: (entry: Entry) => boolean): Entry[] {
    const entries = this.#cells.get(name) ?? [];
    const asked = entries.filter(which);
    const alive = this.#alive(asked, now);
    this.#cells.set(
      name,
      entries.filter((e) => !asked.includes(e) || alive.includes(e)),
    );
    if (this.#ttl.updateType === 'OnReadAndWrite') for (const e of alive) e.at = now;
    return this.#ttl.visibility === 'ReturnExpiredIfNotCleanedUp' ? asked : alive;
  }

  #merge(a: Entry[], b: Entry[], now: number): Entry[] {
    if (this.#kind === 'list') return [...a, ...b];
    if (a.length === 0 || b.length === 0) return [...a, ...b];
    const [first, second] = this.#alive([...a, ...b], now);
    if (first === undefined) return [];
    if (second === undefined) return [first];
    const value =
      this.#kind === 'reducing'
        ? (first.value as number) * 2 + (second.value as number)
        : [...(first.value as number[]), ...(second.value as number[])];
    return [{ key: 0, value, at: now }];
  }
}

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('read' as const, 'write' as const) },
    { weight: 4, arbitrary: fc.constantFrom('replace' as const, 'remove' as const, 'merge' as const) },
    { weight: 1, arbitrary: fc.constantFrom('clear' as const, 'clear namespace' as const, 'restore' as const) },
  ),
  key: fc.constantFrom(...KEYS),
  namespace: fc.constantFrom(...NAMESPACES),
  v: fc.integer({ min: 0, max: 9 }),
  by: fc.integer({ min: 0, max: 12 }),
});

const kind = fc.constantFrom<StateKind>('value', 'list', 'map', 'reducing', 'aggregating');
const updateType = fc.constantFrom<StateTtl['updateType']>('OnCreateAndWrite', 'OnReadAndWrite');
const ttlMs = fc.constantFrom(1, 10, 25, Number.POSITIVE_INFINITY);
const steps = fc.array(step, { maxLength: 60, size: 'max' });

const cleaned: fc.Arbitrary<Program> = fc.record({
  kind,
  ttl: fc
    .record({
      ttlMs,
      updateType,
      fullSnapshot: fc.boolean(),
      incremental: fc.option(fc.record({ entries: fc.integer({ min: 1, max: 3 }), everyRecord: fc.boolean() })),
      compaction: fc.option(fc.constant({ entriesPerTime: 1000 })),
    })
    .map(({ ttlMs: ms, ...settings }) => timeToLive(ms, settings)),
  steps,
});

/** Nothing goes but what is read. */
const left: fc.Arbitrary<Program> = fc.record({
  kind,
  ttl: fc
    .record({
      ttlMs,
      updateType,
      visibility: fc.constantFrom<StateTtl['visibility']>('NeverReturnExpired', 'ReturnExpiredIfNotCleanedUp'),
    })
    .map(({ ttlMs: ms, ...settings }) => timeToLive(ms, { ...settings, incremental: null, compaction: null })),
  steps,
});

async function compare(backend: StateBackendFactory, { kind, ttl, steps }: Program, counted: boolean): Promise<void> {
  const state = new SteppedState(backend, descriptorOf(kind, ttl), false);
  const model = new Model(kind, ttl);
  let now = 1000;
  for (const [i, step] of steps.entries()) {
    now += step.by;
    if (step.op === 'restore') {
      state.restore(await state.snapshot(now));
      continue;
    }
    const found = await state.at(
      now,
      (handle, of) => {
        const text = act(kind, handle, of, step, ttl);
        if (of.cleansEveryRecord) of.afterRecord();
        return text;
      },
      step.key,
      step.namespace,
    );
    expect(`${i}: ${found}`).toBe(`${i}: ${model.act(step, now)}`);
  }
  if (counted) expect(state.cells[OperatorCell.EXPIRED]).toBe(model.expired);
}

describe.each(BACKENDS)('random programs of state with a time to live on %s', (_name, backend) => {
  it('T15 find what a plain model finds, of any kind, in any namespaces, however it is cleaned up', async () => {
    await fc.assert(
      fc.asyncProperty(cleaned, (program) => compare(backend, program, false)),
      { numRuns: 1500 },
    );
  });

  it('T15 so where expired entries may be returned once, and each is counted once', async () => {
    await fc.assert(
      fc.asyncProperty(left, (program) => compare(backend, program, true)),
      { numRuns: 1500 },
    );
  });
});
