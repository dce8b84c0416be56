/** What a function wants done to the state of all keys at once: one key after the other, as far as their records are in memory. */

import type { KeyedStateBackend } from '../state/keyed-state.ts';
import type { StateKeys } from '../state/state-keys.ts';
import type { KeyTask } from './function-call.ts';

/** Keys whose records are asked for together. */
const CHUNK = 512;

export class KeyTasks {
  readonly #backend: KeyedStateBackend;
  readonly #keys: StateKeys;
  readonly #wake: () => void;
  readonly #tasks: KeyTask[] = [];
  /** Keys of the first task; null: not known yet. */
  #all: readonly string[] | null = null;
  #next = 0;
  /** Ids of the chunk whose records are being loaded. */
  #chunk: Int32Array | null = null;
  #failure: unknown = null;
  /** The keys are being looked up. */
  waiting = false;

  constructor(backend: KeyedStateBackend, keys: StateKeys, wake: () => void) {
    this.#backend = backend;
    this.#keys = keys;
    this.#wake = wake;
  }

  push(task: KeyTask): void {
    this.#tasks.push(task);
  }

  /** Does what is to be done; false: keys or their records are being loaded, and `wake` will be called. */
  run(): boolean {
    while (this.#tasks.length > 0) {
      if (!this.#find() || !this.#apply(this.#tasks[0] as KeyTask)) return false;
      this.#tasks.shift();
      this.#all = null;
    }
    return true;
  }

  #find(): boolean {
    if (this.#failure !== null) throw this.#failure;
    if (this.#all !== null) return true;
    if (this.waiting) return false;
    const keys = this.#backend.allKeys();
    if (!(keys instanceof Promise)) {
      this.#begin(keys);
      return true;
    }
    this.waiting = true;
    keys
      .then(
        (found) => this.#begin(found),
        (error: unknown) => {
          this.#failure = error;
        },
      )
      .finally(() => {
        this.waiting = false;
        this.#wake();
      });
    return false;
  }

  #begin(keys: readonly string[]): void {
    // Backends know them in different orders.
    this.#all = [...keys].sort();
    this.#next = 0;
  }

  #apply({ descriptor, apply }: KeyTask): boolean {
    const all = this.#all as readonly string[];
    const { scope } = this.#backend;
    while (this.#next < all.length) {
      this.#chunk ??= Int32Array.from(all.slice(this.#next, this.#next + CHUNK), (key) => this.#keys.idOf(key));
      const ids = this.#chunk;
      if (this.#backend.prepare(ids, null, 0, ids.length) < ids.length) return false;
      for (const id of ids) {
        scope.key = id;
        if (this.#backend.stored(descriptor)) apply(this.#keys.keyOf(id), this.#backend.state(descriptor));
      }
      this.#backend.release();
      this.#chunk = null;
      this.#next += CHUNK;
    }
    return true;
  }
}
