/**
 * The devices of one split: which names they have, under which codes the reader's dictionary knows them, and in which order they report.
 *
 * Split s of S owns the devices s, s + S, s + 2 S, … and calls them 0, 1, 2, … (index). With churn, an index is handed to a device with a
 * new number every now and then; names already used never come back. Memory: two numbers per index, whatever the churn.
 */

import type { Dictionary } from '#engine/batch/dictionary.ts';
import type { Backlog } from './backlog.ts';
import type { ReadingRows } from './rows.ts';

/** Names given to the dictionary in one step; some hundred microseconds. */
const REGISTER_AT_ONCE = 4096;

/** Which names are in use, as far as they do not follow from how many devices were replaced. */
export interface DevicesState {
  readonly replaced: number;
  /** Index and number, in turns, of those that missed their turn. */
  readonly odd: readonly number[];
}

export class Devices {
  readonly count: number;
  readonly #dictionary: Dictionary;
  readonly #devices: number;
  readonly #split: number;
  readonly #splits: number;
  /** Number in the name of each index. */
  readonly #number: Float64Array;
  /** Code of each index, -1 where not known yet. */
  readonly #codes: Int32Array;
  /** Indexes below this are registered (without churn). */
  #registered = 0;
  /** Code minus index where that is the same for all, which saves the look-up; else -1. */
  #base = -1;
  /** With churn there is no point in names ahead of their use. */
  readonly #lazy: boolean;
  #replaced = 0;

  constructor(dictionary: Dictionary, devices: number, split: number, splits: number, churning: boolean) {
    this.#dictionary = dictionary;
    this.#devices = devices;
    this.#split = split;
    this.#splits = splits;
    this.count = Math.ceil((devices - split) / splits);
    this.#number = Float64Array.from({ length: this.count }, (_, i) => split + i * splits);
    this.#codes = new Int32Array(this.count).fill(-1);
    this.#lazy = churning;
  }

  snapshot(): DevicesState {
    const odd: number[] = [];
    if (this.#replaced > 0) {
      for (let i = 0; i < this.count; i++) {
        const number = this.#number[i] as number;
        if (number !== this.#numberInTurn(i)) odd.push(i, number);
      }
    }
    return { replaced: this.#replaced, odd };
  }

  /** Before the first row. */
  restore({ replaced, odd }: DevicesState): void {
    this.#replaced = replaced;
    for (let i = 0; i < this.count; i++) this.#number[i] = this.#numberInTurn(i);
    for (let at = 0; at < odd.length; at += 2) this.#number[odd[at] as number] = odd[at + 1] as number;
  }

  /** Number of an index that was replaced whenever its turn came. */
  #numberInTurn(index: number): number {
    const times = Math.floor((this.#replaced - 1 - index) / this.count);
    return times < 0 ? this.#split + index * this.#splits : this.#numberOf(index + times * this.count);
  }

  /** Number of the device that came with the n-th replacement. */
  #numberOf(n: number): number {
    return this.#devices + this.#split + this.#splits * n;
  }

  /** Code of index 0 when codes are consecutive in the order of indexes, else -1. */
  get base(): number {
    return this.#base;
  }

  /** Whether rows can be made; if not, `register` goes on. */
  get ready(): boolean {
    return this.#lazy || this.#registered === this.count;
  }

  /** Gives the dictionary the next names. */
  register(): void {
    const to = Math.min(this.count, this.#registered + REGISTER_AT_ONCE);
    for (let i = this.#registered; i < to; i++) this.code(i);
    this.#registered = to;
    if (to < this.count) return;
    const base = this.#codes[0] as number;
    this.#base = this.#codes.every((code, i) => code === base + i) ? base : -1;
  }

  /** Names every code in use to the dictionary: devices stay known however often it is swept, those gone for good do not. */
  hold(mark: (code: number) => void): void {
    for (const code of this.#codes) if (code >= 0) mark(code);
  }

  name(index: number): string {
    return `device-${this.#number[index]}`;
  }

  code(index: number): number {
    const known = this.#codes[index] as number;
    if (known >= 0) return known;
    const code = this.#dictionary.codeOf(this.name(index));
    this.#codes[index] = code;
    return code;
  }

  /** Rows from..to-1: indexes become codes. */
  encode(device: Int32Array, from: number, to: number): void {
    const base = this.#base;
    if (base === 0) return;
    if (base > 0) {
      for (let k = from; k < to; k++) device[k] = (device[k] as number) + base;
      return;
    }
    const codes = this.#codes;
    for (let k = from; k < to; k++) {
      const index = device[k] as number;
      const code = codes[index] as number;
      device[k] = code >= 0 ? code : this.code(index);
    }
  }

  /**
   * `times` devices go for good, and ones that never were before take their places; a device that is silent stays until its backlog is out.
   * Bounded work: one pass over the devices at most.
   */
  replace(times: number, backlog: Backlog): void {
    const skip = Math.max(0, times - this.count);
    this.#replaced += skip;
    for (let i = skip; i < times; i++) {
      const index = this.#replaced % this.count;
      const number = this.#numberOf(this.#replaced);
      this.#replaced++;
      if (backlog.isSilent(index)) continue;
      this.#number[index] = number;
      this.#codes[index] = -1;
    }
  }
}

/**
 * The order in which devices report: all of them in turn, by a stride, so that neighbours in time are not neighbours in number.
 */
export class Round {
  readonly count: number;
  readonly stride: number;
  /** Index of the device that reported last. */
  at = 0;

  constructor(count: number) {
    this.count = count;
    let stride = 7919 % count;
    // Only a stride without a common divisor visits every device.
    while (gcd(stride, count) !== 1) stride++;
    this.stride = stride;
  }

  fill(rows: ReadingRows, from: number, to: number): void {
    const { count, stride } = this;
    const device = rows.device;
    let at = this.at;
    for (let k = from; k < to; k++) {
      at += stride;
      if (at >= count) at -= count;
      device[k] = at;
    }
    this.at = at;
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
