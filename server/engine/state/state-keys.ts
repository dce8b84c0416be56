/**
 * Keys of keyed state as dense ids of the operator's own, whatever columns they come in. Columns of strings bring codes of somebody else's
 * dictionary, another one for each input; whole numbers bring none; restored keys come before any batch does. All of them meet here.
 *
 *   column of strings ── table per input: code -> id ──> ids
 *   column of numbers ── `key-table.ts` ──> ids
 *   id ──> key as users see it, and its key group
 *
 * Ids nobody holds (no state, no timer) are swept and given to other keys (`hold`).
 */

import { WeirError } from '#base/errors.ts';
import type { Dictionary, Holder } from '../batch/dictionary.ts';
import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import { type KeyTable, NumberTable, TextTable } from './key-table.ts';
import type { ByteWriter } from './value-codec.ts';

export type Key = string | number;

export class StateKeys {
  readonly kind: 'string' | 'i32';
  /** Swept by the task, as the operator `own`s it. */
  readonly table: KeyTable;
  readonly #numbers: NumberTable | null;

  constructor(kind: 'string' | 'i32', sweepEntries?: number) {
    this.kind = kind;
    this.#numbers = kind === 'i32' ? new NumberTable(sweepEntries) : null;
    this.table = this.#numbers ?? new TextTable(sweepEntries);
  }

  /** Ids in use are below this. */
  get capacity(): number {
    return this.table.capacity;
  }

  /** Keys in a column of an input. */
  input(column: number): KeyInput {
    return this.#numbers === null ? new StringKeys(this.table, column) : new NumberKeys(this.#numbers, column);
  }

  /** Keeps ids alive across sweeps. */
  hold(holder: Holder): void {
    this.table.hold(holder);
  }

  idOf(key: Key): number {
    return this.table.idOf(String(key));
  }

  /** -1: it has none. */
  find(text: string): number {
    return this.table.find(text);
  }

  textOf(id: number): string {
    return this.table.textOf(id);
  }

  keyOf(id: number): Key {
    return this.#numbers === null ? this.table.textOf(id) : this.#numbers.numberOf(id);
  }

  /** As `ByteWriter.string` writes the key as text. */
  writeText(id: number, to: ByteWriter): void {
    this.table.writeText(id, to);
  }

  groupOf(id: number, maxParallelism: number): number {
    return this.table.groupOf(id, maxParallelism);
  }

  /** The key of a store (`store-key.ts`). */
  writeStoreKey(id: number, maxParallelism: number, to: ByteWriter): void {
    const group = this.table.groupOf(id, maxParallelism);
    to.byte(group >> 8);
    to.byte(group & 255);
    this.table.writeKey(id, to);
  }
}

export interface KeyInput {
  /** Id of the key of every row that counts, at the row's position. Valid until the next call. */
  of(batch: RecordBatch): Int32Array;
}

class StringKeys implements KeyInput {
  readonly #own: KeyTable;
  readonly #column: number;
  readonly #ids = new Int32Array(BATCH_ROWS);
  #theirs: Dictionary | null = null;
  /** Our id by their code; -1: not known. */
  #idOf = new Int32Array(0);

  constructor(own: KeyTable, column: number) {
    this.#own = own;
    this.#column = column;
    // An id may be another key's from now on: look every code up again.
    own.onSwept(() => this.#forget());
  }

  of(batch: RecordBatch): Int32Array {
    const dictionary = batch.dictionaries[this.#column] as Dictionary;
    if (dictionary !== this.#theirs) this.#adopt(dictionary);
    if (dictionary.capacity > this.#idOf.length) this.#grow(dictionary.capacity);
    const codes = batch.columns[this.#column] as Int32Array;
    const ids = this.#ids;
    const table = this.#idOf;
    const count = batch.count;
    const rows = batch.selection;
    for (let i = 0; i < count; i++) {
      const k = rows === null ? i : (rows[i] as number);
      const code = codes[k] as number;
      const id = table[code] as number;
      ids[k] = id >= 0 ? id : this.#learn(code);
    }
    return ids;
  }

  #forget(): void {
    this.#idOf.fill(-1);
  }

  #learn(code: number): number {
    const text = (this.#theirs as Dictionary).get(code);
    if (text === null) {
      throw new WeirError(
        'NULL_KEY',
        'A row with a null key reached a keyed operator: give it a key, or filter it out before.',
      );
    }
    const id = this.#own.idOf(text);
    this.#idOf[code] = id;
    return id;
  }

  #adopt(dictionary: Dictionary): void {
    this.#theirs = dictionary;
    this.#forget();
    dictionary.onFree((code) => {
      if (dictionary === this.#theirs && code < this.#idOf.length) this.#idOf[code] = -1;
    });
  }

  #grow(capacity: number): void {
    const grown = new Int32Array(Math.max(1024, capacity, this.#idOf.length * 2)).fill(-1);
    grown.set(this.#idOf);
    this.#idOf = grown;
  }
}

class NumberKeys implements KeyInput {
  readonly #own: NumberTable;
  readonly #column: number;
  readonly #ids = new Int32Array(BATCH_ROWS);

  constructor(own: NumberTable, column: number) {
    this.#own = own;
    this.#column = column;
  }

  of(batch: RecordBatch): Int32Array {
    const own = this.#own;
    const column = batch.columns[this.#column] as Int32Array;
    const ids = this.#ids;
    const count = batch.count;
    for (let i = 0; i < count; i++) {
      const k = batch.row(i);
      ids[k] = own.idOfNumber(column[k] as number);
    }
    return ids;
  }
}
