/** A record store in memory, for tests of state that exceeds memory: answers at once, or when it is told to, in any order the seed says. */

import type { Random } from '#base/random.ts';
import type { RecordList } from '#engine/state/record-list.ts';
import type { RecordStore, StoreEntry, StoreView } from '#engine/state/record-store.ts';

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

export class MemoryStore implements RecordStore {
  readonly records = new Map<string, Uint8Array>();
  bytes = 0;
  /** Reads with more than one key, and how many keys there were in all. */
  reads = 0;
  keysRead = 0;
  /** Of all writes. */
  keysWritten = 0;
  readonly #random: Random | null;
  readonly #waiting: { readonly answer: () => void; readonly writes: boolean }[] = [];

  /** `random`: answers wait for `answer`; null: they come at once. */
  constructor(random: Random | null = null) {
    this.#random = random;
  }

  /** Gives one of the answers that wait; false: none does. Writes keep their order among themselves. */
  answer(): boolean {
    const waiting = this.#waiting;
    if (waiting.length === 0) return false;
    const drawn = (this.#random as Random).below(waiting.length);
    const at = waiting[drawn]?.writes === true ? waiting.findIndex((w) => w.writes) : drawn;
    waiting.splice(at, 1)[0]?.answer();
    return true;
  }

  getMany(keys: RecordList, done: (records: readonly (Uint8Array | undefined)[]) => void): void {
    this.reads++;
    this.keysRead += keys.count;
    // Read now, told later: what is written meanwhile must not be needed.
    const records = Array.from({ length: keys.count }, (_, i) => this.records.get(nameOf(keys.keyOf(i))));
    this.#soon(() => done(records));
  }

  write(changes: RecordList, entries: Int32Array | null, done: () => void): void {
    const written = Array.from(
      entries ?? changes.entries(),
      (entry) => [nameOf(changes.keyOf(entry)), changes.recordOf(entry)?.slice() ?? null] as const,
    );
    this.keysWritten += written.length;
    this.#soon(() => {
      for (const [key, record] of written) {
        const size = (bytes: Uint8Array | null | undefined): number => (bytes == null ? 0 : key.length + bytes.length);
        this.bytes += size(record) - size(this.records.get(key));
        if (record === null) this.records.delete(key);
        else this.records.set(key, record);
      }
      done();
    }, true);
  }

  scan(after: Uint8Array | null, limit: number, done: (entries: readonly StoreEntry[]) => void): void {
    const from = after === null ? null : nameOf(after);
    const entries = [...this.records.entries()]
      .filter(([key]) => from === null || key > from)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, record]): StoreEntry => [Buffer.from(key, 'latin1'), record]);
    this.#soon(() => done(entries));
  }

  view(): StoreView {
    const entries = [...this.records].sort(([a], [b]) => (a < b ? -1 : 1));
    let at = 0;
    return {
      next: async (limit) => {
        const next = entries.slice(at, at + limit);
        at += next.length;
        return next.map(([key, record]): StoreEntry => [Buffer.from(key, 'latin1'), record]);
      },
      close: () => {},
    };
  }

  close(): void {
    this.#waiting.length = 0;
  }

  #soon(answer: () => void, writes = false): void {
    if (this.#random === null) answer();
    else this.#waiting.push({ answer, writes });
  }
}
