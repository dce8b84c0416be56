/** Two batches of results in turns: one is filled while the consumer of the other may still be reading it. */

import { Dictionary } from '../batch/dictionary.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { Output } from '../operators/output.ts';

export class ResultBatches {
  /** Strings of results; of the key column only if no other dictionary is set. */
  readonly dictionary = new Dictionary();
  #filling: RecordBatch;
  #other: RecordBatch;

  constructor(schema: Schema) {
    this.#filling = RecordBatch.allocate(schema, this.dictionary);
    this.#other = RecordBatch.allocate(schema, this.dictionary);
  }

  /** The key column's codes are those of this dictionary from now on; nothing may wait to be flushed. */
  set keyDictionary(dictionary: Dictionary) {
    this.#filling.dictionaries[0] = dictionary;
    this.#other.dictionaries[0] = dictionary;
  }

  /** A batch with room for at least one row; null: it is full and there are no credits. */
  room(output: Output): RecordBatch | null {
    return this.#filling.size < this.#filling.capacity || this.flush(output) ? this.#filling : null;
  }

  /** Emits what has come together; false: no credits. */
  flush(output: Output): boolean {
    const batch = this.#filling;
    if (batch.size === 0) return true;
    if (!output.ready()) return false;
    output.emit(batch);
    // The consumer may still be reading it, but has done with the one before.
    this.#filling = this.#other;
    this.#other = batch;
    this.#filling.size = 0;
    for (const column of this.#filling.columns) if ('reset' in column) column.reset();
    return true;
  }
}
