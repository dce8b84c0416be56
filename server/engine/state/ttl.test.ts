import { describe, expect, it } from 'vitest';
import { BACKENDS } from '#testing/backends.ts';
import { OPERATOR_CELLS, OperatorCell } from '../metrics/cells.ts';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  type StateDescriptor,
  type StateOptions,
  valueState,
} from './descriptors.ts';
import type { KeyedState, KeyedStateBackend, StateBackendFactory } from './keyed-state.ts';
import { StateKeys } from './state-keys.ts';
import { type StateTtl, timeToLive } from './ttl.ts';

/** One state of an operator: steps at instants, for keys and namespaces; may be snapshot and restored between any two. */
class Stepped<S extends KeyedState> {
  readonly cells = new Float64Array(OPERATOR_CELLS);
  readonly #factory: StateBackendFactory;
  readonly #descriptor: StateDescriptor<S>;
  readonly #restores: boolean;
  #keys = new StateKeys('string');
  #backend: KeyedStateBackend;
  #state: S;

  constructor(factory: StateBackendFactory, descriptor: StateDescriptor<S>, restores: boolean) {
    this.#factory = factory;
    this.#descriptor = descriptor;
    this.#restores = restores;
    this.#backend = this.#make();
    this.#state = this.#backend.state(descriptor);
  }

  /** What `step` gives at this instant. */
  at<T>(now: number, step: (state: S, backend: KeyedStateBackend) => T, key = 'k', namespace = ''): T {
    if (this.#restores) this.restore(this.snapshot(now));
    this.#enter(now, key, namespace);
    const result = step(this.#state, this.#backend);
    this.#backend.release();
    return result;
  }

  snapshot(now: number): Map<number, Uint8Array> {
    this.#backend.scope.now = now;
    return this.#backend.snapshot();
  }

  restore(snapshot: Map<number, Uint8Array>): void {
    this.#keys = new StateKeys('string');
    this.#backend = this.#make();
    this.#backend.restore(snapshot);
    this.#state = this.#backend.state(this.#descriptor);
  }

  /** Nothing lies there any more, not even something expired. */
  cleared(now: number): boolean {
    return this.snapshot(now).size === 0;
  }

  #enter(now: number, key: string, namespace: string): void {
    const id = this.#keys.idOf(key);
    if (!this.#backend.prepare(Int32Array.of(id), null, 1)) throw new Error('Records are loaded at once here.');
    Object.assign(this.#backend.scope, { key: id, namespace, now });
  }

  #make(): KeyedStateBackend {
    return this.#factory({
      operator: 'alerts',
      operatorId: 'alerts',
      subtask: 0,
      maxParallelism: 128,
      keys: this.#keys,
      cells: this.cells,
      wake: () => {},
    });
  }
}

const never = (settings: Partial<StateTtl> = {}): { ttl: StateTtl } => ({
  ttl: timeToLive(100, { incremental: null, ...settings }),
});
const sum = (name: string, options: StateOptions<number>) => reducingState<number>(name, (a, b) => a + b, options);

describe.each(BACKENDS)('time to live on %s', (_name, backend) => {
  describe.each([
    ['as it is', false],
    ['with a restore before every step', true],
  ])('%s', (_how, restores) => {
    const value = (options: StateOptions<string>) => new Stepped(backend, valueState<string>('v', options), restores);

    it('T1 written and created, never returned when expired', () => {
      const s = value(never());
      s.at(0, (v) => v.update('a'));
      expect(s.at(20, (v) => v.value())).toBe('a');
      s.at(50, (v) => v.update('b'));
      expect(s.at(120, (v) => v.value())).toBe('b');
      s.at(170, (v) => v.update('c'));
      expect(s.at(220, (v) => v.value())).toBe('c');
      expect(s.at(300, (v) => v.value())).toBeNull();
      expect(s.cleared(300)).toBe(true);
      expect(s.cells[OperatorCell.EXPIRED]).toBe(1);
    });

    it('T1 a value written at 0 can be read at 99 and is gone at 100', () => {
      const s = value(never());
      s.at(0, (v) => v.update('a'));
      expect(s.at(99, (v) => v.value())).toBe('a');
      expect(s.at(100, (v) => v.value())).toBeNull();
    });

    it('T2 what expired is returned once by the read that removes it, where that is wanted', () => {
      const s = value(never({ visibility: 'ReturnExpiredIfNotCleanedUp' }));
      s.at(0, (v) => v.update('a'));
      expect(s.at(120, (v) => v.value())).toBe('a');
      expect(s.cleared(120)).toBe(true);
      expect(s.at(120, (v) => v.value())).toBeNull();
    });

    it('T3 reads refresh, with OnReadAndWrite', () => {
      const s = value(never({ updateType: 'OnReadAndWrite' }));
      s.at(0, (v) => v.update('a'));
      expect(s.at(50, (v) => v.value())).toBe('a');
      expect(s.at(120, (v) => v.value())).toBe('a');
      expect(s.at(250, (v) => v.value())).toBeNull();
      expect(s.cleared(250)).toBe(true);
    });

    it('T4 a read of what expired does not refresh it', () => {
      const s = value(never({ updateType: 'OnReadAndWrite', visibility: 'ReturnExpiredIfNotCleanedUp' }));
      s.at(0, (v) => v.update('a'));
      expect(s.at(50, (v) => v.value())).toBe('a');
      expect(s.at(170, (v) => v.value())).toBe('a');
      expect(s.at(170, (v) => v.value())).toBeNull();
    });

    it('T5 a time to live without end', () => {
      const s = value({ ttl: timeToLive(Number.POSITIVE_INFINITY) });
      s.at(10, (v) => v.update('a'));
      expect(s.at(50, (v) => v.value())).toBe('a');
      expect(s.at(8.64e15, (v) => v.value())).toBe('a');
    });

    it('T6 every key has its own time', () => {
      const s = value(never());
      s.at(0, (v) => v.update('a'), 'id2');
      s.at(50, (v) => v.update('a'), 'id1');
      s.at(50, (v) => v.update('b'), 'id2');
      expect([s.at(120, (v) => v.value(), 'id1'), s.at(120, (v) => v.value(), 'id2')]).toEqual(['a', 'b']);
      s.at(170, (v) => v.update('c'), 'id2');
      expect([s.at(230, (v) => v.value(), 'id1'), s.at(230, (v) => v.value(), 'id2')]).toEqual([null, 'c']);
      expect([s.at(300, (v) => v.value(), 'id1'), s.at(300, (v) => v.value(), 'id2')]).toEqual([null, null]);
    });

    it('T7 a sum lives and expires as a whole', () => {
      const s = new Stepped(backend, sum('sum', never()), restores);
      s.at(0, (v) => v.add(5));
      expect(s.at(20, (v) => v.get())).toBe(5);
      s.at(50, (v) => v.add(7));
      expect(s.at(120, (v) => v.get())).toBe(12);
      s.at(170, (v) => v.add(6));
      expect(s.at(220, (v) => v.get())).toBe(6);
      expect(s.at(300, (v) => v.get())).toBeNull();
    });

    it('T7 namespaces that merge bring what has not expired', () => {
      const s = new Stepped(backend, sum('sum', never()), restores);
      for (const namespace of ['target', 'a', 'b']) s.at(0, (v) => v.add(1000), 'k', namespace);
      for (const [namespace, n] of [
        ['target', 1],
        ['a', 2],
        ['b', 4],
      ] as const)
        s.at(120, (v) => v.add(n), 'k', namespace);
      for (const [namespace, n] of [
        ['target', 10],
        ['a', 20],
        ['b', 40],
      ] as const)
        s.at(150, (v) => v.add(n), 'k', namespace);
      s.at(230, (_v, b) => b.mergeNamespaces(sum('sum', never()), 'target', ['a', 'b']));
      expect(s.at(230, (v) => v.get(), 'k', 'target')).toBe(77);
      expect(s.at(230, (v) => v.get(), 'k', 'a')).toBeNull();
    });

    it('T11 elements of a list and entries of a map expire one by one', () => {
      const list = new Stepped(backend, listState<string>('l', never()), restores);
      list.at(0, (l) => l.add('a'));
      list.at(50, (l) => l.addAll(['b', 'c']));
      expect(list.at(99, (l) => l.get())).toEqual(['a', 'b', 'c']);
      expect(list.at(100, (l) => l.get())).toEqual(['b', 'c']);
      expect(list.at(150, (l) => l.get())).toEqual([]);
      const map = new Stepped(backend, mapState<string, number>('m', never()), restores);
      map.at(0, (m) => m.put('x', 1));
      map.at(50, (m) => m.put('y', 2));
      expect(map.at(100, (m) => [m.get('x'), m.contains('x'), m.get('y'), [...m.keys()]])).toEqual([
        null,
        false,
        2,
        ['y'],
      ]);
      expect(map.at(150, (m) => [...m.entries()])).toEqual([]);
    });

    it('T12 downtime counts: times are kept by a snapshot', () => {
      const s = new Stepped(
        backend,
        aggregatingState<number, number, string>(
          'agg',
          { create: () => 0, add: (acc, v) => acc + v, result: (acc) => `=${acc}` },
          never(),
        ),
        restores,
      );
      s.at(0, (v) => v.add(1));
      const taken = s.snapshot(50);
      s.restore(taken);
      expect(s.at(99, (v) => v.get())).toBe('=1');
      s.restore(taken);
      expect(s.at(100, (v) => v.get())).toBeNull();
    });
  });

  it('T8 what was written behind a snapshot is not in it', () => {
    const s = new Stepped(backend, valueState<string>('v', never()), false);
    s.at(0, (v) => v.update('a'), 'k1');
    s.at(50, (v) => v.update('b'), 'k1');
    s.at(100, (v) => v.update('c'), 'k2');
    const taken = s.snapshot(100);
    s.at(170, (v) => v.update('lost'), 'k1');
    s.at(170, (v) => v.update('lost'), 'k2');
    s.restore(taken);
    expect([s.at(180, (v) => v.value(), 'k1'), s.at(180, (v) => v.value(), 'k2')]).toEqual([null, 'c']);
  });

  it('T9 incremental cleanup removes what nobody reads', () => {
    const s = new Stepped(
      backend,
      valueState<string>('v', { ttl: timeToLive(100, { incremental: { entries: 5, everyRecord: true } }) }),
      false,
    );
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    for (const key of keys) s.at(0, (v) => v.update('a'), key);
    for (const key of keys) s.at(120, (v) => v.value(), key);
    expect(s.cleared(120)).toBe(true);
    expect(s.cells[OperatorCell.EXPIRED]).toBe(50);
  });

  it('T10 state with a time to live does not become state without, nor the other way round', () => {
    for (const [from, to] of [
      [never(), {}],
      [{}, never()],
    ]) {
      const s = new Stepped(backend, valueState<string>('v', from), false);
      s.at(0, (v) => v.update('a'));
      const other = new Stepped(backend, valueState<string>('v', to), false);
      expect(() => other.restore(s.snapshot(0))).toThrow(/alerts.*"v"/);
    }
  });

  it('T13 a full snapshot leaves out what has expired, where that is wanted, and changes nothing', () => {
    const s = new Stepped(
      backend,
      valueState<string>('v', never({ fullSnapshot: true, visibility: 'ReturnExpiredIfNotCleanedUp' })),
      false,
    );
    s.at(0, (v) => v.update('a'));
    expect(s.snapshot(99).size).toBe(1);
    expect(s.snapshot(100).size).toBe(0);
    expect(s.at(100, (v) => v.value())).toBe('a');
  });

  it('T14 times to live that cannot be are refused', () => {
    expect(() => timeToLive(0)).toThrow('more than 0 ms');
    expect(() => timeToLive(-1)).toThrow('more than 0 ms');
    expect(() => timeToLive(Number.NaN)).toThrow('more than 0 ms');
    expect(() => timeToLive(1, { incremental: { entries: 0, everyRecord: false } })).toThrow('1 or more');
  });
});
