/**
 * How one thread wakes another: a counter in shared memory and a flag that says whether anybody sleeps on it, so that ringing costs a
 * notify only when it must.
 *
 * A sleeper reads the counter before it looks for work and sleeps only if the counter still has that value, so a ring in between is never
 * lost. The same memory holds the signs of life of the thread that sleeps on it.
 */

const COUNT = 0;
const SLEEPING = 1;
const BEATS = 2;
/** Beats of a thread that is known to be busy. */
const EXCUSED = -1;

export class Doorbell {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(12);
  }

  /** How often the thread behind this memory has run its loop, wraps; null: it has excused itself. */
  static beatsOf(memory: SharedArrayBuffer): number | null {
    const beats = Atomics.load(new Int32Array(memory), BEATS);
    return beats === EXCUSED ? null : beats;
  }

  /** A sign of life of the thread that sleeps on this bell. */
  beat(): void {
    this.#words[BEATS] = ((this.#words[BEATS] as number) + 1) & 0x7fffffff;
  }

  /** There will be none for a while. */
  excuse(): void {
    this.#words[BEATS] = EXCUSED;
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
