/** Four 32-bit integers. */
export type RandomState = readonly [a: number, b: number, c: number, counter: number];

/**
 * Seeded random numbers (sfc32, a small fast generator by Chris Doty-Humphrey that passes PractRand): same seed, same sequence, on every
 * machine. Not for secrets.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** Streams of the same seed with different `stream` numbers are independent: one per split, so that results do not depend on parallelism. */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 4294967296) | 0;
    this.#c = stream | 0;
    this.#counter = 1;
    for (let i = 0; i < 15; i++) this.int32();
  }

  /** One that nobody can repeat. */
  static drawn(): Random {
    return new Random(Math.floor(Math.random() * 2 ** 32));
  }

  /** Uniform over all 32-bit integers. */
  int32(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t;
  }

  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number {
    return (this.int32() >>> 0) / 4294967296;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Standard normal (Box-Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Exponential with mean 1. */
  exponential(): number {
    return -Math.log(1 - this.next());
  }

  /** For checkpoints. */
  state(): RandomState {
    return [this.#a, this.#b, this.#c, this.#counter];
  }

  /** Goes on from a saved state, whatever the seed was. */
  restore(state: RandomState): this {
    [this.#a, this.#b, this.#c, this.#counter] = state;
    return this;
  }
}
