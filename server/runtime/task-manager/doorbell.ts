/**
 * How one thread wakes another: a counter in shared memory and a flag that says whether anybody sleeps on it, so that ringing costs a
 * notify only when it must.
 *
 * A sleeper reads the counter before it looks for work and sleeps only if the counter still has that value, so a ring in between is never
 * lost.
 */

const COUNT = 0;
const SLEEPING = 1;

export class Doorbell {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(8);
  }

  ring(): void {
    Atomics.add(this.#words, COUNT, 1);
    if (Atomics.load(this.#words, SLEEPING) === 1) Atomics.notify(this.#words, COUNT);
  }

  /** To be read before looking for work. */
  get count(): number {
    return Atomics.load(this.#words, COUNT);
  }

  /** Sleeps until it rings after `seen` was read, at most so many ms. The event loop goes on meanwhile. */
  async sleep(seen: number, timeoutMs: number): Promise<void> {
    Atomics.store(this.#words, SLEEPING, 1);
    const result = Atomics.waitAsync(this.#words, COUNT, seen, timeoutMs);
    if (result.async) await result.value;
    Atomics.store(this.#words, SLEEPING, 0);
  }
}
