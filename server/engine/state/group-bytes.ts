/** The bytes of key groups: which keys are in one, and the record of each. The same whatever backend wrote them. */

import type { Cut } from './cut.ts';
import type { KeyRecords, RecordStates } from './key-records.ts';
import type { KeyedBlock, KeyedBlocks } from './keyed-blocks.ts';
import { PORTION } from './portions.ts';
import type { StateKeys } from './state-keys.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

/** A group of which so much has been gathered is a block. */
const BLOCK_BYTES = 1 << 20;
/** When so much has been gathered of all groups, each is a block. */
const GATHERED_BYTES = 16 << 20;

/** Ids looked at that make a portion, where they have no entry. */
const LOOKED_AT = 64 * PORTION;

/** Entries of key groups in any order, gathered until there is enough of them for blocks. */
export class GroupBlocks {
  readonly #header: Uint8Array;
  #writers: (ByteWriter | undefined)[] = [];
  #gathered = 0;

  /** `header`: first bytes of every block. */
  constructor(header: Uint8Array) {
    this.#header = header;
  }

  /** Where the next entry of a group goes. */
  of(group: number): ByteWriter {
    const known = this.#writers[group];
    if (known !== undefined) return known;
    const out = new ByteWriter();
    out.raw(this.#header);
    this.#writers[group] = out;
    return out;
  }

  /** An entry of so many bytes was added. True: `full` has to be taken before the next one. */
  added(group: number, bytes: number): boolean {
    this.#gathered += bytes;
    return this.#gathered >= GATHERED_BYTES || (this.#writers[group] as ByteWriter).length >= BLOCK_BYTES;
  }

  /** Blocks to which an entry of this group was the last one. */
  *full(group: number): Iterable<KeyedBlock> {
    if (this.#gathered >= GATHERED_BYTES) {
      yield* this.all();
      return;
    }
    const bytes = this.take(group);
    if (bytes !== null) yield [group, bytes];
  }

  /** All that was gathered, the lowest group first. */
  *all(): Iterable<KeyedBlock> {
    const writers = this.#writers;
    this.#writers = [];
    this.#gathered = 0;
    for (const [group, out] of writers.entries()) {
      if (out !== undefined && out.length > this.#header.length) yield [group, out.written()];
      // Its memory may go once the block is written.
      writers[group] = undefined;
    }
  }

  /** What was gathered of one group; null: nothing. */
  take(group: number): Uint8Array | null {
    const out = this.#writers[group];
    if (out === undefined || out.length === this.#header.length) return null;
    this.#writers[group] = undefined;
    this.#gathered -= out.length - this.#header.length;
    return out.written();
  }
}

/** Begins blocks of these records, as their states are declared now. */
export function blocksOf(records: KeyRecords): GroupBlocks {
  const header = new ByteWriter();
  records.writeHeader(header);
  return new GroupBlocks(header.take());
}

/** Adds the entries of a cut. A key without record is left out. */
export function* addCut(
  cut: Cut<ByteWriter>,
  keys: StateKeys,
  maxParallelism: number,
  blocks: GroupBlocks,
): KeyedBlocks {
  let portion = 0;
  for (let id = 0; id < cut.entries; id++) {
    if (id % LOOKED_AT === LOOKED_AT - 1) yield;
    if (!cut.includes(id)) continue;
    const group = keys.groupOf(id, maxParallelism);
    const out = blocks.of(group);
    const before = out.length;
    keys.writeText(id, out);
    const record = out.begin();
    cut.take(id, out);
    if (out.length === record) {
      out.length = before;
      continue;
    }
    out.end(record);
    if (blocks.added(group, out.length - before)) yield* blocks.full(group);
    if (++portion % PORTION === 0) yield;
  }
}

/** A key and its record. */
export function writeEntry(out: ByteWriter, key: string, record: Uint8Array): void {
  out.string(key);
  out.bytes(record);
}

/** Calls `read` for each key of a block; the record is valid only during the call. */
export function readGroup(
  records: KeyRecords,
  bytes: Uint8Array,
  read: (key: string, record: Uint8Array, states: RecordStates) => void,
): void {
  const from = new ByteReader(bytes);
  const states = records.readHeader(from);
  while (!from.done) {
    const key = from.string();
    read(key, from.bytes(), states);
  }
}
