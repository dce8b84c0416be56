/**
 * Where the records of keys lie that do not fit into memory: bytes by bytes, in the order of the keys' bytes. A store is one subtask's own.
 * Calls answer at once or later, always in the thread of the task.
 */

export type StoreEntry = readonly [key: Uint8Array, record: Uint8Array];

export interface RecordStore {
  /** Records in the order of the keys; undefined where there is none. What `write` was given before counts only once it has been done. */
  getMany(keys: readonly Uint8Array[], done: (records: readonly (Uint8Array | undefined)[]) => void): void;
  /** All of it or nothing; a null record deletes. */
  write(changes: readonly (readonly [key: Uint8Array, record: Uint8Array | null])[], done: () => void): void;
  /** Up to `limit` entries behind `after` (null: from the first one). Fewer than `limit`: there are no more. */
  scan(after: Uint8Array | null, limit: number, done: (entries: readonly StoreEntry[]) => void): void;
  /** Everything that has been written, as it is now, whatever is written from now on. */
  view(): StoreView;
  close(): void;
}

export interface StoreView {
  /** Once. */
  readAll(each: (entry: StoreEntry) => void): Promise<void>;
}
