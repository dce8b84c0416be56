import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { OPERATOR_CELLS } from '../metrics/cells.ts';
import { CachedBackend } from './cached-backend.ts';
import { valueState } from './descriptors.ts';
import { atOnce } from './keyed-blocks.ts';
import type { ValueState } from './keyed-state.ts';
import { EMPTY_SNAPSHOT } from './snapshot.ts';
import { StateKeys } from './state-keys.ts';
import { timeToLive } from './ttl.ts';

type Value = ValueState<string>;

/** A backend with a key of its own, and nothing that stays in the cache. */
function backendOn(store: MemoryStore, keys = new StateKeys('string'), bufferBytes = 0, wake = (): unknown => null) {
  const backend = new CachedBackend({
    operator: 'test',
    operatorId: 'test',
    subtask: 0,
    maxParallelism: 128,
    keys,
    cells: new Float64Array(OPERATOR_CELLS),
    store,
    cacheBytes: 0,
    bufferBytes,
    wake,
    fail: (error) => {
      throw error;
    },
  });
  const id = Int32Array.of(keys.idOf('k'));
  const prepare = (): boolean => backend.prepare(id, null, 0, 1) === 1;
  const step = (act: () => void): void => {
    expect(prepare()).toBe(true);
    Object.assign(backend.scope, { key: id[0], namespace: '', now: 0 });
    act();
    backend.release();
  };
  return { backend, prepare, step };
}

async function handOver(from: CachedBackend, to: CachedBackend): Promise<void> {
  const { keyed } = await atOnce({ ...EMPTY_SNAPSHOT, keyed: from.snapshot() });
  for (const block of keyed) await to.restore(block);
}

describe('the cache in front of a store', () => {
  it('ST2 a record that went, came and went again is not read before all of that is in the store', () => {
    const store = new MemoryStore(new Random(1));
    const { backend, prepare, step } = backendOn(store, undefined, 1000);
    const value = backend.state(valueState<string>('v'));
    expect(prepare()).toBe(false);
    store.answer();
    step(() => value.update('a'));
    step(() => value.clear());
    step(() => value.update('b'));
    step(() => value.clear());
    const { reads } = store;
    step(() => expect(value.value()).toBeNull());
    expect(store.reads).toBe(reads);
  });

  it('ST12 what is on its way to the store is not read, and goes there once, as it was last', () => {
    const store = new MemoryStore();
    const keys = new StateKeys('string');
    const { backend, step } = backendOn(store, keys, 2000);
    const value = backend.state(valueState<string>('v'));
    for (let n = 0; n < 10; n++)
      step(() => {
        expect(value.value()).toBe(n === 0 ? null : `value ${n - 1}`);
        value.update(`value ${n}`);
      });
    expect([store.keysRead, store.keysWritten]).toEqual([0, 0]);
    const others = Array.from({ length: 50 }, (_, n) => Int32Array.of(keys.idOf(`other ${n}`)));
    for (const id of others) {
      backend.prepare(id, null, 0, 1);
      backend.scope.key = id[0] as number;
      value.update('x');
      backend.release();
    }
    expect(store.keysWritten).toBe(store.records.size);
    const stored = [...store.records].filter(([key]) => key.endsWith('k'));
    expect(stored.map(([, record]) => Buffer.from(record).toString())).toEqual([expect.stringContaining('value 9')]);
  });

  it('ST12 what has been written is found without reading, as long as there is room for it', () => {
    const store = new MemoryStore();
    const keys = new StateKeys('string');
    const { backend } = backendOn(store, keys, 2000);
    const value = backend.state(valueState<string>('v'));
    const at = (key: string, act: () => void): void => {
      const id = Int32Array.of(keys.idOf(key));
      expect(backend.prepare(id, null, 0, 1)).toBe(1);
      backend.scope.key = id[0] as number;
      act();
      backend.release();
    };
    const names = Array.from({ length: 200 }, (_, n) => `key ${n}`);
    for (const name of names) at(name, () => value.update(`of ${name}`));
    const written = names.filter((name) => [...store.records.keys()].some((key) => key.endsWith(name)));
    expect([written.length > 100, store.keysRead]).toEqual([true, 0]);
    for (const name of written) at(name, () => expect(value.value()).toBe(`of ${name}`));
    // An entry takes some 40 bytes: 25 are half of the room.
    const found = written.length - store.keysRead;
    expect([found > 5, found < 30]).toEqual([true, true]);
  });

  it('ST13 rows go on as far as their records have come, in their order, and nothing is asked for twice', () => {
    const store = new MemoryStore(new Random(5));
    const keys = new StateKeys('string');
    let woken = 0;
    const { backend } = backendOn(store, keys, 0, () => woken++);
    const value = backend.state(valueState<string>('v'));
    const ids = Int32Array.from({ length: 500 }, (_, n) => keys.idOf(`key ${n}`));
    while (store.answer());
    expect(backend.prepare(ids, null, 0, 500)).toBe(500);
    for (const id of ids) {
      backend.scope.key = id;
      value.update(`of ${keys.keyOf(id)}`);
    }
    backend.release();
    while (store.answer());
    // Others take the buffer's place.
    for (let n = 0; n < 3; n++) {
      expect(backend.prepare(Int32Array.of(keys.idOf(`other ${n}`)), null, 0, 1)).toBe(1);
      backend.scope.key = keys.idOf(`other ${n}`);
      value.update('x');
      backend.release();
      while (store.answer());
    }
    woken = 0;
    const stops: number[] = [];
    let next = 0;
    for (;;) {
      const ready = backend.prepare(ids, null, next, 500);
      for (; next < ready; next++) {
        backend.scope.key = ids[next] as number;
        expect(value.value()).toBe(`of key ${next}`);
      }
      if (next === 500) break;
      if (stops.at(-1) !== next) stops.push(next);
      expect(store.answer()).toBe(true);
    }
    backend.release();
    expect([stops[0], stops.length > 1, woken, store.keysRead]).toEqual([0, true, store.reads, 500]);
  });

  it('ST12 where the store does not keep up, nothing is prepared, and memory is bounded', () => {
    const store = new MemoryStore(new Random(1));
    const keys = new StateKeys('string');
    const bufferBytes = 10_000;
    const { backend, prepare } = backendOn(store, keys, bufferBytes);
    const value = backend.state(valueState<string>('v'));
    expect(prepare()).toBe(false);
    store.answer();
    let rows = 0;
    for (; rows < 1000; rows++) {
      const id = Int32Array.of(keys.idOf(`key ${rows}`));
      if (backend.prepare(id, null, 0, 1) === 0) break;
      backend.scope.key = id[0] as number;
      value.update('x'.repeat(100));
      backend.release();
    }
    expect([backend.loading, backend.bytes > bufferBytes / 2, backend.bytes < bufferBytes * 1.1]).toEqual([
      true,
      true,
      true,
    ]);
    expect(rows).toBeGreaterThan(50);
    while (store.answer());
    expect([backend.loading, prepare()]).toEqual([false, true]);
  });

  it('ST2 where numbers of batches have reached their end and begin anew, records come, stay and go as before', () => {
    const store = new MemoryStore(new Random(9));
    const keys = new StateKeys('string');
    const { backend } = backendOn(store, keys);
    const value = backend.state(valueState<string>('v'));
    const [some, others] = ['some', 'other'].map((name) =>
      Int32Array.from({ length: 50 }, (_, n) => keys.idOf(`${name} ${n}`)),
    ) as [Int32Array, Int32Array];
    const round = (ids: Int32Array, before: string | null, now: string): void => {
      // Those of the first half are there while the second one is asked for, which makes room.
      for (const count of [25, 50])
        while (backend.prepare(ids, null, 0, count) < count) expect(store.answer()).toBe(true);
      expect([...ids].every((id) => backend.prepared(id))).toBe(true);
      for (const id of ids) {
        backend.scope.key = id;
        expect(value.value()).toBe(before);
        value.update(now);
      }
      backend.release();
      while (store.answer());
    };
    while (store.answer());
    for (const ids of [some, others]) round(ids, null, '0');
    for (let n = 0; n < 2 ** 28 - 20; n++) backend.release();
    for (let n = 1; n < 50; n++) for (const ids of [some, others]) round(ids, `${n - 1}`, `${n}`);
    // Each round took all of them from the store, once, and back.
    expect([store.keysRead, store.keysWritten]).toEqual([49 * 100, 50 * 100]);
  });

  it('ST8 a key that has never been written is not read; one whose id went to another key meanwhile is', () => {
    const store = new MemoryStore();
    const keys = new StateKeys('string');
    const { backend } = backendOn(store, keys);
    const value = backend.state(valueState<string>('v'));
    const read = (key: string): string | null => {
      const id = Int32Array.of(keys.idOf(key));
      backend.prepare(id, null, 0, 1);
      expect(backend.prepare(id, null, 0, 1)).toBe(1);
      Object.assign(backend.scope, { key: id[0], namespace: '', now: 0 });
      const found = value.value();
      value.update(`of ${key}`);
      backend.release();
      return found;
    };
    const { reads } = store;
    expect(['a', 'b', 'c'].map(read)).toEqual([null, null, null]);
    expect(store.reads).toBe(reads);
    expect(read('b')).toBe('of b');
    expect(store.reads).toBe(reads + 1);
    keys.table.sweep();
    // The last one is still found by its id.
    expect(keys.table.size).toBe(1);
    expect(['c', 'd', 'a', 'b', 'd'].map(read)).toEqual(['of c', null, 'of a', 'of b', 'of d']);
  });

  it('KP10 state that is asked for only after rows have come is migrated in the store too, and in snapshots', async () => {
    const old = backendOn(new MemoryStore());
    old.prepare();
    const [v, w] = ['v', 'w'].map((name) => old.backend.state(valueState<string>(name))) as [Value, Value];
    old.step(() => {
      v.update('a');
      w.update('b');
    });
    const restored = backendOn(new MemoryStore());
    await handOver(old.backend, restored.backend);
    restored.prepare();
    // The record goes through the cache, and back to the store unmigrated.
    const before = restored.backend.state(valueState<string>('w'));
    restored.step(() => before.update('c'));
    const late = restored.backend.state(valueState<string>('v', { version: 2, migrate: (stored) => `${stored}!` }));
    const again = backendOn(new MemoryStore());
    await handOver(restored.backend, again.backend);
    for (const { backend, prepare, step } of [restored, again]) {
      prepare();
      const state = backend === restored.backend ? late : backend.state(valueState<string>('v', { version: 2 }));
      step(() => expect(state.value()).toBe('a!'));
      // Once only.
      step(() => state.update(`${state.value()}?`));
      step(() => expect(state.value()).toBe('a!?'));
    }
  });

  it('T18 a record that comes back behind a round of clean-up, older than all it has seen, expires when it should', () => {
    const keys = new StateKeys('string');
    const { backend } = backendOn(new MemoryStore(), keys);
    // Two visits are more than one round.
    const ttl = timeToLive(50, { incremental: { entries: 600, everyRecord: false } });
    const value = backend.state(valueState<string>('v', { ttl }));
    const [old, other] = [keys.idOf('old'), keys.idOf('other')];
    const at = (now: number, id: number, act: () => void): void => {
      Object.assign(backend.scope, { key: id, namespace: '', now });
      act();
    };
    expect(backend.prepare(Int32Array.of(old), null, 0, 1)).toBe(1);
    at(0, old, () => value.update('x'));
    backend.release();
    expect(backend.prepare(Int32Array.of(other), null, 0, 1)).toBe(1);
    for (let visit = 0; visit < 2; visit++) at(40, other, () => value.update('y'));
    expect(backend.prepare(Int32Array.of(old), null, 0, 1)).toBe(1);
    for (let visit = 0; visit < 2; visit++) at(40, other, () => value.update('y'));
    at(60, old, () => expect(value.value()).toBeNull());
  });

  it('ST7 the size of state is what lies in the store', () => {
    const store = new MemoryStore();
    const { backend, prepare, step } = backendOn(store);
    const value = backend.state(valueState<string>('v'));
    prepare();
    step(() => value.update('x'.repeat(5000)));
    step(() => {});
    expect(store.bytes).toBeGreaterThan(5000);
    expect(backend.bytes).toBe(store.bytes);
  });
});
