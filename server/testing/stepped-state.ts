/** One keyed state by itself, on any backend: what tests of its semantics step through. */

import { OPERATOR_CELLS } from '#engine/metrics/cells.ts';
import type { StateDescriptor } from '#engine/state/descriptors.ts';
import { atOnce, type KeyedBlock } from '#engine/state/keyed-blocks.ts';
import type { KeyedState, KeyedStateBackend, StateBackendFactory } from '#engine/state/keyed-state.ts';
import { EMPTY_SNAPSHOT } from '#engine/state/snapshot.ts';
import { StateKeys } from '#engine/state/state-keys.ts';

/** One state of an operator: steps at instants, for keys and namespaces; may be snapshot and restored between any two. */
export class SteppedState<S extends KeyedState> {
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
  async at<T>(now: number, step: (state: S, backend: KeyedStateBackend) => T, key = 'k', namespace = ''): Promise<T> {
    if (this.#restores) this.restore(await this.snapshot(now));
    this.#enter(now, key, namespace);
    const result = step(this.#state, this.#backend);
    this.#backend.release();
    return result;
  }

  async snapshot(now: number): Promise<readonly KeyedBlock[]> {
    this.#backend.scope.now = now;
    return (await atOnce({ ...EMPTY_SNAPSHOT, keyed: this.#backend.snapshot() })).keyed;
  }

  restore(snapshot: readonly KeyedBlock[]): void {
    this.#keys = new StateKeys('string');
    this.#backend = this.#make();
    for (const block of snapshot) void this.#backend.restore(block);
    this.#state = this.#backend.state(this.#descriptor);
  }

  /** Nothing lies there any more, not even something expired. */
  async cleared(now: number): Promise<boolean> {
    return (await this.snapshot(now)).length === 0;
  }

  #enter(now: number, key: string, namespace: string): void {
    const id = this.#keys.idOf(key);
    if (this.#backend.prepare(Int32Array.of(id), null, 0, 1) === 0) throw new Error('Records are loaded at once here.');
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
      cacheBytes: 0,
      wake: () => {},
      fail: (error) => {
        throw error;
      },
    });
  }
}
