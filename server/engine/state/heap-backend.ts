/** Keyed state as objects in memory: everything is always there. */

import type { StateDescriptor } from './descriptors.ts';
import { readGroup, writeGroups } from './group-bytes.ts';
import { KeyRecords } from './key-records.ts';
import type {
  KeyedState,
  KeyedStateBackend,
  StateBackendFactory,
  StateBackendOptions,
  StateScope,
} from './keyed-state.ts';

export const heapBackend: StateBackendFactory = (options) => new HeapBackend(options);

class HeapBackend implements KeyedStateBackend {
  readonly #options: StateBackendOptions;
  readonly #records: KeyRecords;

  constructor(options: StateBackendOptions) {
    this.#options = options;
    this.#records = new KeyRecords(options);
    options.keys.hold((mark) => this.hold(mark));
  }

  get scope(): StateScope {
    return this.#records.scope;
  }

  get cleansEveryRecord(): boolean {
    return this.#records.cleansEveryRecord;
  }

  get bytes(): number {
    return this.#records.bytes;
  }

  state<S extends KeyedState>(descriptor: StateDescriptor<S>): S {
    return this.#records.state(descriptor);
  }

  prepare(): boolean {
    this.#records.reserve();
    return true;
  }

  readonly loading = false;

  prepared(): boolean {
    return true;
  }

  release(): void {}

  afterRecord(): void {
    this.#records.visit();
  }

  mergeNamespaces(descriptor: StateDescriptor, target: string, sources: readonly string[]): void {
    this.#records.mergeNamespaces(descriptor, target, sources);
  }

  clearNamespace(): void {
    this.#records.clearNamespace();
  }

  allKeys(): readonly string[] {
    return this.#ids().map((id) => this.#options.keys.textOf(id));
  }

  stored(descriptor: StateDescriptor): boolean {
    return this.#records.stored(descriptor);
  }

  /** Those that have state. */
  #ids(): number[] {
    const ids: number[] = [];
    for (let id = 0; id < this.#options.keys.capacity; id++) if (this.#records.has(id)) ids.push(id);
    return ids;
  }

  snapshot(): Map<number, Uint8Array> {
    const { keys, maxParallelism } = this.#options;
    return writeGroups(this.#records, keys, maxParallelism, this.#ids(), (id, out) =>
      this.#records.writeRecord(id, out, true),
    );
  }

  restore(groups: Iterable<readonly [group: number, bytes: Uint8Array]>): void {
    const { keys } = this.#options;
    for (const [, bytes] of groups) {
      readGroup(this.#records, bytes, (key, record, states) => {
        const id = keys.idOf(key);
        this.#records.reserve();
        this.#records.readRecord(id, record, states);
      });
    }
  }

  hold(mark: (key: number) => void): void {
    this.#records.hold(mark);
  }

  close(): void {}
}
