/**
 * Where the records of keys lie that do not fit into memory: bytes by bytes, in the order of the keys' bytes. A store is one subtask's own.
 * Calls answer at once or later, always in the thread of the task.
 */

import type { RecordList } from './record-list.ts';

export type StoreEntry = readonly [key: Uint8Array, record: Uint8Array];

export interface RecordStore {
  /**
   * Records of the list's keys (its records do not count) in the order of the list; undefined where there is none. What `write` was given
   * before counts only once it has been done. The list may change once the call is back.
   */
  getMany(keys: RecordList, done: (records: readonly (Uint8Array | undefined)[]) => void): void;
  /**
   * These entries of the list, in this order (null: all there are): all of them or none, behind what it was given before. One without record
   * deletes. The list keeps them as they are until it is done.
   */
  write(changes: RecordList, entries: Int32Array | null, done: () => void): void;
  /** Up to `limit` entries behind `after` (null: from the first one). Fewer than `limit`: there are no more. */
  scan(after: Uint8Array | null, limit: number, done: (entries: readonly StoreEntry[]) => void): void;
  /** Everything that has been written, as it is now, whatever is written from now on. */
  view(): StoreView;
  /** Bytes that everything written takes, as the store keeps it; an estimate, which may lag behind. */
  readonly bytes: number;
  close(): void;
}

export interface StoreView {
  /** Up to `limit` entries behind the last ones that were given, in the order of the keys; none: that was all, and the view is closed. */
  next(limit: number): Promise<readonly StoreEntry[]>;
  /** It is not read to its end. */
  close(): void;
}
