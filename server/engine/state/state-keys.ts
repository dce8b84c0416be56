/**
 * Keys of keyed state as dense ids of the operator's own, whatever columns they come in. Columns of strings bring codes of somebody else's
 * dictionary, another one for each input; whole numbers bring none; restored keys come before any batch does. All of them meet here.
 *
 *   column of a batch ── table per input: code -> id ──> ids
 *   id ──> key as users see it, and its key group
 *
 * Ids nobody holds (no state, no timer) are swept and given to other keys (`hold`).
 */

import { WeirError } from '#base/errors.ts';
import { Dictionary, type Holder } from '../batch/dictionary.ts';
import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import { javaHash, keyGroupOf } from '../exchange/key-groups.ts';

export type Key = string | number;

export class StateKeys {
  readonly kind: 'string' | 'i32';
  /** Keys as text by id; swept by the task, as the operator `own`s it. */
  readonly dictionary: Dictionary;
  readonly #inputs: KeyInput[] = [];

  constructor(kind: 'string' | 'i32', dictionary = new Dictionary()) {
    this.kind = kind;
    this.dictionary = dictionary;
    // An id may be another key's from now on: look every code up again.
    dictionary.onSwept(() => {
      for (const input of this.#inputs) input.forget();
    });
  }

  /** Ids in use are below this. */
  get capacity(): number {
    return this.dictionary.capacity;
  }

  /** Keys in a column of an input. */
  input(column: number): KeyInput {
    const input =
      this.kind === 'string' ? new StringKeys(this.dictionary, column) : new NumberKeys(this.dictionary, column);
    this.#inputs.push(input);
    return input;
  }

  /** Keeps ids alive across sweeps. */
  hold(holder: Holder): void {
    this.dictionary.hold(holder);
  }

  idOf(key: Key): number {
    return this.dictionary.codeOf(String(key));
  }

  /** -1: it has none. */
  find(text: string): number {
    return this.dictionary.find(text);
  }

  textOf(id: number): string {
    return this.dictionary.get(id) ?? '';
  }

  keyOf(id: number): Key {
    const text = this.textOf(id);
    return this.kind === 'string' ? text : Number(text);
  }

  groupOf(id: number, maxParallelism: number): number {
    const text = this.textOf(id);
    return keyGroupOf(this.kind === 'string' ? javaHash(text) : Number(text), maxParallelism);
  }
}

export interface KeyInput {
  /** Id of the key of every row that counts, at the row's position. Valid until the next call. */
  of(batch: RecordBatch): Int32Array;
  /** Ids given so far mean nothing any more. */
  forget(): void;
}

class StringKeys implements KeyInput {
  readonly #own: Dictionary;
  readonly #column: number;
  readonly #ids = new Int32Array(BATCH_ROWS);
  #theirs: Dictionary | null = null;
  /** Our id by their code; -1: not known. */
  #idOf = new Int32Array(0);

  constructor(own: Dictionary, column: number) {
    this.#own = own;
    this.#column = column;
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

  forget(): void {
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
    const id = this.#own.codeOf(text);
    this.#idOf[code] = id;
    return id;
  }

  #adopt(dictionary: Dictionary): void {
    this.#theirs = dictionary;
    this.forget();
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
  readonly #own: Dictionary;
  readonly #column: number;
  readonly #ids = new Int32Array(BATCH_ROWS);
  readonly #idOf = new Map<number, number>();

  constructor(own: Dictionary, column: number) {
    this.#own = own;
    this.#column = column;
  }

  of(batch: RecordBatch): Int32Array {
    const column = batch.columns[this.#column] as Int32Array;
    const ids = this.#ids;
    const count = batch.count;
    for (let i = 0; i < count; i++) {
      const k = batch.row(i);
      const key = column[k] as number;
      let id = this.#idOf.get(key);
      if (id === undefined) {
        id = this.#own.codeOf(String(key));
        this.#idOf.set(key, id);
      }
      ids[k] = id;
    }
    return ids;
  }

  forget(): void {
    this.#idOf.clear();
  }
}
