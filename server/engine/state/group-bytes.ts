/** The bytes of key groups: which keys are in one, and the record of each. The same whatever backend wrote them. */

import type { KeyRecords, RecordStates } from './key-records.ts';
import type { StateKeys } from './state-keys.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

/** Bytes per key group of the given keys; `write` puts the record of one behind what the writer holds. A key without record is left out. */
export function writeGroups(
  records: KeyRecords,
  keys: StateKeys,
  maxParallelism: number,
  ids: Iterable<number>,
  write: (id: number, out: ByteWriter) => void,
): Map<number, Uint8Array> {
  const writers = new Map<number, ByteWriter>();
  const record = new ByteWriter();
  for (const id of ids) {
    record.length = 0;
    write(id, record);
    if (record.length === 0) continue;
    const group = keys.groupOf(id, maxParallelism);
    let out = writers.get(group);
    if (out === undefined) {
      out = new ByteWriter();
      records.writeHeader(out);
      writers.set(group, out);
    }
    writeEntry(out, keys.textOf(id), record.written());
  }
  return new Map([...writers].map(([group, out]) => [group, out.take()]));
}

/** A key and its record. */
export function writeEntry(out: ByteWriter, key: string, record: Uint8Array): void {
  out.string(key);
  out.bytes(record);
}

/** Calls `read` for each key of a group; the record is valid only during the call. */
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
