/**
 * Picks a share of all rows by drawing how many to skip until the next one, so that rows that are not picked cost nothing, and the picks
 * do not depend on how rows are cut into batches.
 *
 *   for (let k = gap.first(from); k < to; k = gap.next(k)) touch(k);
 *   gap.close(to);
 */

import type { Random } from '#base/random.ts';

/** The generator's state is kept by whoever owns it. */
export interface GapState {
  readonly share: number;
  readonly left: number;
}

export class Gap {
  readonly #random: Random;
  #logMiss = 0;
  #share = 0;
  /** Rows to skip before the next pick. */
  #left = Number.POSITIVE_INFINITY;
  #at = 0;

  constructor(random: Random, share: number) {
    this.#random = random;
    this.setShare(share);
  }

  get share(): number {
    return this.#share;
  }

  /** From the next row on. */
  setShare(share: number): void {
    this.#share = share;
    this.#logMiss = Math.log1p(-share);
    this.#left = this.#draw();
  }

  snapshot(): GapState {
    return { share: this.#share, left: this.#left };
  }

  /** Draws nothing. */
  restore({ share, left }: GapState): void {
    this.#share = share;
    this.#logMiss = Math.log1p(-share);
    this.#left = left;
  }

  /** First pick at or after row `from`. */
  first(from: number): number {
    this.#at = from + this.#left;
    return this.#at;
  }

  /** The pick after row `k`. */
  next(k: number): number {
    this.#at = k + 1 + this.#draw();
    return this.#at;
  }

  /** Rows before `to` are done; the next pick is remembered. */
  close(to: number): void {
    this.#left = this.#at - to;
  }

  #draw(): number {
    if (this.#share <= 0) return Number.POSITIVE_INFINITY;
    if (this.#share >= 1) return 0;
    return Math.floor(Math.log(1 - this.#random.next()) / this.#logMiss);
  }
}
