/** Results on their way out: written in batches as credits allow, from where they stopped for want of them. */

import type { Output } from '../operators/output.ts';
import type { TimeWindow, WindowContents } from './contents.ts';
import type { KeyCodes } from './key-codes.ts';
import type { Pane, Panes } from './panes.ts';
import type { ResultBatches } from './result-batches.ts';

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
  readonly #batches: ResultBatches;
  readonly #contents: WindowContents;
  readonly #panes: Panes;
  readonly #keys: KeyCodes;
  readonly #keyed: boolean;

  /** `keyed`: results start with a key column of codes. */
  constructor(
    output: Output,
    batches: ResultBatches,
    keyed: boolean,
    contents: WindowContents,
    panes: Panes,
    keys: KeyCodes,
  ) {
    this.#output = output;
    this.#batches = batches;
    this.#contents = contents;
    this.#panes = panes;
    this.#keys = keys;
    this.#keyed = keyed;
  }

  /** Codes are those of the dictionary that keys come with now; nothing may wait to be flushed. */
  adoptKeys(): void {
    const { dictionary } = this.#keys;
    if (this.#keyed && dictionary !== null) this.#batches.keyDictionary = dictionary;
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
    return this.#batches.flush(this.#output);
  }

  #writeRange(at: Emission): boolean {
    while (at.slot < at.last || this.#contents.leftover) {
      const results = this.#batches.room(this.#output);
      if (results === null) return false;
      const from = results.size;
      at.slot = this.#contents.results(at.slot, at.last, this.#panes.keyOf, at.window, results);
      results.time.fill(at.window.end - 1, from, results.size);
      if (this.#keyed) this.#keys.restore(results.columns[0] as Int32Array, from, results.size);
    }
    return true;
  }
}
