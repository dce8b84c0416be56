/** Results on their way out: written in batches as credits allow, from where they stopped for want of them. */

import { Dictionary } from '../batch/dictionary.ts';
import { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { Output } from '../operators/output.ts';
import type { TimeWindow, WindowContents } from './contents.ts';
import type { KeyCodes } from './key-codes.ts';
import type { Pane, Panes } from './panes.ts';

/** Results of a window that are being written. */
export interface Emission {
  readonly window: TimeWindow;
  readonly pane: Pane;
  readonly ranges: Generator<[first: number, last: number]>;
  slot: number;
  last: number;
}

export class Results {
  readonly #output: Output;
  readonly #contents: WindowContents;
  readonly #panes: Panes;
  readonly #keys: KeyCodes;
  readonly #keyed: boolean;
  #batch: RecordBatch;
  #other: RecordBatch;

  /** `keyed`: results start with a key column of codes. */
  constructor(
    context: OperatorContext,
    schema: Schema,
    keyed: boolean,
    contents: WindowContents,
    panes: Panes,
    keys: KeyCodes,
  ) {
    this.#output = context.output;
    this.#contents = contents;
    this.#panes = panes;
    this.#keys = keys;
    this.#keyed = keyed;
    const dictionary = new Dictionary();
    this.#batch = RecordBatch.allocate(schema, dictionary);
    this.#other = RecordBatch.allocate(schema, dictionary);
    context.own(dictionary);
  }

  /** Everything in a pane, as results of `window`. */
  of(pane: Pane, window: TimeWindow): Emission {
    return { window, pane, ranges: this.#panes.ranges(pane), slot: 0, last: 0 };
  }

  /** One slot of a pane. */
  ofSlot(pane: Pane, slot: number, window: TimeWindow): Emission {
    const ranges = (function* (): Generator<[number, number]> {
      yield [slot, slot + 1];
    })();
    return { window, pane, ranges, slot: 0, last: 0 };
  }

  /** Writes what is left; true when all is written, false when credits are missing. */
  write(emission: Emission): boolean {
    for (;;) {
      if (!this.#writeRange(emission)) return false;
      const range = emission.ranges.next();
      if (range.done === true) return true;
      [emission.slot, emission.last] = range.value;
    }
  }

  /** Emits what was written; false: no credits. */
  flush(): boolean {
    const batch = this.#batch;
    if (batch.size === 0) return true;
    if (!this.#output.ready()) return false;
    this.#output.emit(batch);
    // The consumer may still be reading it, but has done with the one before.
    this.#batch = this.#other;
    this.#other = batch;
    this.#batch.size = 0;
    for (const column of this.#batch.columns) if ('reset' in column) column.reset();
    return true;
  }

  #writeRange(at: Emission): boolean {
    while (at.slot < at.last || this.#contents.leftover) {
      if (this.#batch.size === this.#batch.capacity && !this.flush()) return false;
      const results = this.#batch;
      const dictionary = this.#keys.dictionary;
      if (this.#keyed && dictionary !== null) results.dictionaries[0] = dictionary;
      const from = results.size;
      at.slot = this.#contents.results(at.slot, at.last, this.#panes.keyOf, at.window, results);
      results.time.fill(at.window.end - 1, from, results.size);
      if (this.#keyed) this.#keys.restore(results.columns[0] as Int32Array, from, results.size);
    }
    return true;
  }
}
