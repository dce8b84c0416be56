/**
 * Keys as dense integers, whatever the key column is made of: string columns bring codes along, integers are given some here. A dense code
 * makes finding a window's slot an array index, three times cheaper than any hash table.
 *
 * The operator holds the codes of its open windows (`hold`), so that a sweep of the dictionary leaves them alone.
 */

import { Dictionary, type Holder } from '../batch/dictionary.ts';
import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import type { ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import type { ColumnKind } from '../batch/schema.ts';
import { javaHash } from '../exchange/key-groups.ts';
import { KeyBytes, type KeyOfCode } from './key-bytes.ts';

/** Keys by the codes that they had at some moment. */
export interface KeptKeys {
  /** As they are saved. */
  readonly bytes: KeyBytes;
  /** Writes the key. */
  save(code: number, to: ByteWriter): void;
  group(code: number, maxParallelism: number): number;
  release(): void;
}

export class KeyCodes {
  readonly #column: number;
  readonly #integers: boolean;
  readonly #hold: Holder;
  readonly #recode: (codeOf: (code: number) => number) => void;
  readonly #byInteger = new Map<number, number>();
  /** By code. */
  #integerOf = new Int32Array(0);
  readonly #scratch: Int32Array;
  readonly #kept = new Set<{ readonly dictionary: Dictionary | null; readonly codes: Int32Array }>();
  /** Dictionary that the codes belong to. */
  dictionary: Dictionary | null = null;
  /** Of that dictionary. */
  #bytes: KeyBytes;

  /** `recode`: keys get other codes, because rows come with another dictionary from now on. */
  constructor(column: number, kind: ColumnKind, hold: Holder, recode: (codeOf: (code: number) => number) => void) {
    this.#column = column;
    this.#integers = kind !== 'string';
    this.#hold = hold;
    this.#recode = recode;
    this.#scratch = new Int32Array(this.#integers ? BATCH_ROWS : 0);
    this.#bytes = new KeyBytes(this.#keysOf(null));
    if (this.#integers) this.#adopt(new Dictionary());
  }

  /** Code of the key of every row of the batch. */
  of(batch: RecordBatch): Int32Array {
    const column = batch.columns[this.#column] as Int32Array;
    if (!this.#integers) {
      const dictionary = batch.dictionaries[this.#column] as Dictionary;
      if (dictionary !== this.dictionary) this.#adopt(dictionary);
      return column;
    }
    const count = batch.count;
    for (let i = 0; i < count; i++) {
      const k = batch.row(i);
      this.#scratch[k] = this.#codeOfInteger(column[k] as number);
    }
    return this.#scratch;
  }

  /** These codes go on meaning what they mean, to whoever asks here, until they are released: whatever is swept, and whatever dictionary comes. */
  keep(codes: Int32Array): KeptKeys {
    const { dictionary } = this;
    const bytes = this.#bytes;
    const kept = { dictionary, codes };
    this.#kept.add(kept);
    bytes.pin();
    return {
      bytes,
      save: (code, to) => bytes.save(code, to),
      group: (code, maxParallelism) => bytes.group(code, maxParallelism),
      release: () => {
        if (this.#kept.delete(kept)) bytes.unpin();
      },
    };
  }

  /** Memory held beside the dictionary, bytes. */
  get size(): number {
    return this.#bytes.size;
  }

  /** Code of a key that `KeptKeys.save` wrote. */
  load(from: ByteReader): number {
    if (this.#integers) return this.#codeOfInteger(from.i32());
    // No row has come yet that brings a dictionary: when one does, keys get the codes they have there.
    if (this.dictionary === null) this.#adopt(new Dictionary());
    return (this.dictionary as Dictionary).codeOf(from.text());
  }

  /** Key group of the key of a code. */
  group(code: number, maxParallelism: number): number {
    return this.#bytes.group(code, maxParallelism);
  }

  /** Turns the codes at `from .. to` of a result column into what such a column holds: codes of strings as they are, whole numbers. */
  restore(column: Int32Array, from: number, to: number): void {
    if (!this.#integers) return;
    for (let k = from; k < to; k++) column[k] = this.#integerOf[column[k] as number] as number;
  }

  /** Key of a code, as text. */
  name(code: number): string {
    return this.dictionary?.get(code) ?? '';
  }

  #codeOfInteger(value: number): number {
    let code = this.#byInteger.get(value);
    if (code === undefined) {
      code = (this.dictionary as Dictionary).codeOf(String(value));
      this.#byInteger.set(value, code);
      if (code >= this.#integerOf.length) {
        const grown = new Int32Array(Math.max(1024, this.#integerOf.length * 2, code + 1));
        grown.set(this.#integerOf);
        this.#integerOf = grown;
      }
      this.#integerOf[code] = value;
    }
    return code;
  }

  #adopt(dictionary: Dictionary): void {
    const before = this.dictionary;
    this.dictionary = dictionary;
    const bytes = new KeyBytes(this.#keysOf(dictionary));
    this.#bytes = bytes;
    if (before !== null) this.#recode((code) => dictionary.codeOf(before.get(code) ?? ''));
    dictionary.hold((mark) => {
      if (this.dictionary === dictionary) this.#hold(mark);
      for (const kept of this.#kept) if (kept.dictionary === dictionary) for (const code of kept.codes) mark(code);
    });
    dictionary.onFree((code, text) => {
      bytes.forget(code);
      if (this.#integers) this.#byInteger.delete(Number(text));
    });
  }

  #keysOf(dictionary: Dictionary | null): KeyOfCode {
    if (this.#integers) {
      const integer = (code: number): number => this.#integerOf[code] as number;
      return { hash: integer, save: (code, to) => to.i32(integer(code)) };
    }
    const textOf = (code: number): string => dictionary?.get(code) ?? '';
    return { hash: (code) => javaHash(textOf(code)), save: (code, to) => to.text(textOf(code)) };
  }
}
