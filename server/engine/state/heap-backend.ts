/** Keyed state as objects in memory: everything is always there. */

import type { Cut } from './cut.ts';
import type { StateDescriptor } from './descriptors.ts';
import { addCut, blocksOf, readGroup } from './group-bytes.ts';
import { KeyRecords } from './key-records.ts';
import type { KeyedBlock, KeyedBlocks } from './keyed-blocks.ts';
import type {
  KeyedState,
  KeyedStateBackend,
  StateBackendFactory,
  StateBackendOptions,
  StateScope,
} from './keyed-state.ts';
import type { ByteWriter } from './value-codec.ts';

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

  prepare(keys: Int32Array, rows: Int32Array | null, from: number, count: number): number {
    this.#records.reserve();
    const { cuts } = this.#records.scope;
    if (cuts.any)
      for (let i = from; i < count; i++) cuts.secure(keys[rows === null ? i : (rows[i] as number)] as number);
    return count;
  }

  readonly loading = false;

  prepared(key: number): boolean {
    const { cuts } = this.#records.scope;
    if (cuts.any) cuts.secure(key);
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

  snapshot(): KeyedBlocks {
    this.#records.reserve();
    return this.#write(this.#records.cut());
  }

  *#write(cut: Cut<ByteWriter>): KeyedBlocks {
    const { keys, maxParallelism } = this.#options;
    const blocks = blocksOf(this.#records);
    try {
      yield* addCut(cut, keys, maxParallelism, blocks);
    } finally {
      this.#records.scope.cuts.end(cut);
    }
    yield* blocks.all();
  }

  restore([, bytes]: KeyedBlock): void {
    const { keys } = this.#options;
    readGroup(this.#records, bytes, (key, record, states) => {
      const id = keys.idOf(key);
      this.#records.reserve();
      this.#records.readRecord(id, record, states);
    });
  }

  hold(mark: (key: number) => void): void {
    this.#records.hold(mark);
  }

  close(): void {}
}
