/**
 * Records of the keys whose timers are due: asked for many at a time, because a store that answers later would make a million timers wait a
 * million times; and let go after some thousands, so that they need not all be in memory at once.
 */

import type { KeyedStateBackend } from './keyed-state.ts';
import type { TimerQueue } from './timer-queue.ts';

/** Keys asked for together. */
const CHUNK = 4096;
/** Keys that may be in memory for their timers beside those of a batch, before more are asked for. */
const KEPT = 4096;

export class TimerRecords {
  readonly #backend: KeyedStateBackend;
  readonly #released: () => void;
  readonly #ids = new Int32Array(CHUNK);
  #count = 0;
  /** The first of them that may not have come. */
  #next = 0;
  #asked = 0;

  /** `released`: nothing that was prepared need be in memory any more, the rows of a batch have to be prepared again. */
  constructor(backend: KeyedStateBackend, released: () => void) {
    this.#backend = backend;
    this.#released = released;
  }

  /** Whether the record of the first timer's key is in memory; false: it is being loaded, with those of others that are due at `time`. */
  ready(timers: TimerQueue, time: number): boolean {
    const first = timers.peek();
    if (first === null || this.#backend.prepared(first.key)) return true;
    do {
      if (this.#next === this.#count) {
        if (this.#asked >= KEPT) {
          this.release();
          this.#released();
        }
        this.#count = timers.dueKeys(time, this.#ids);
        this.#asked += this.#count;
        this.#next = 0;
      }
      this.#next = this.#backend.prepare(this.#ids, null, this.#next, this.#count);
      if (this.#backend.prepared(first.key)) return true;
      // All that were asked for are there, but a timer was registered meanwhile that comes before theirs.
    } while (this.#next === this.#count);
    return false;
  }

  /** Nothing that was prepared, of timers or rows, has to stay in memory. */
  release(): void {
    this.#asked = 0;
    this.#count = 0;
    this.#next = 0;
    this.#backend.release();
  }
}
