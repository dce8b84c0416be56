import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { OPERATOR_CELLS } from '../metrics/cells.ts';
import { CachedBackend } from './cached-backend.ts';
import { valueState } from './descriptors.ts';
import { StateKeys } from './state-keys.ts';

describe('the cache in front of a store', () => {
  it('ST2 a record that went, came and went again is not read before all of that is in the store', () => {
    const store = new MemoryStore(new Random(1));
    const keys = new StateKeys('string');
    const backend = new CachedBackend({
      operator: 'test',
      operatorId: 'test',
      subtask: 0,
      maxParallelism: 128,
      keys,
      cells: new Float64Array(OPERATOR_CELLS),
      store,
      // Nothing stays in the cache.
      cacheBytes: 0,
      wake: () => {},
      fail: (error) => {
        throw error;
      },
    });
    const value = backend.state(valueState<string>('v'));
    const id = Int32Array.of(keys.idOf('k'));
    const step = (act: () => void): void => {
      expect(backend.prepare(id, null, 1)).toBe(true);
      Object.assign(backend.scope, { key: id[0], namespace: '', now: 0 });
      act();
      backend.release();
    };
    expect(backend.prepare(id, null, 1)).toBe(false);
    store.answer();
    step(() => value.update('a'));
    step(() => value.clear());
    step(() => value.update('b'));
    step(() => value.clear());
    // The first two have been written, the others are still on their way.
    store.answer();
    store.answer();
    const { reads } = store;
    step(() => expect(value.value()).toBeNull());
    expect(store.reads).toBe(reads);
  });
});
