/**
 * What a share of the rows of a split has wrong with it: hot keys, clocks that are off, events that come late, lines that are broken.
 * Each draws from a generator of its own, so that one share does not change what another hits.
 */

import type { Random, RandomState } from '#base/random.ts';
import type { Dictionary } from '#engine/batch/dictionary.ts';
import { MALFORMED_KINDS, type MalformedKind } from '#shared/injections.ts';
import { Gap, type GapState } from './gap.ts';
import { breakRow, kindInTurn } from './malformed.ts';
import type { SimulatorOptions } from './options.ts';
import type { ReadingRows } from './rows.ts';

/** Late events are behind by `behindMs` and up to this much more. */
const LATE_SPREAD_MS = 50_000;
/** `hot` events come from about this many devices in all. */
const HOT_DEVICES = 4;

export interface BlemishRandoms {
  readonly hot: Random;
  readonly skew: Random;
  readonly late: Random;
  readonly malformed: Random;
}

/** Which clocks are off follows from the options. */
export interface BlemishesState {
  readonly hot: GapState;
  readonly late: GapState;
  readonly malformed: GapState;
  readonly malformedCount: number;
  readonly randoms: readonly [hot: RandomState, late: RandomState, malformed: RandomState];
}

export class Blemishes {
  readonly #randoms: BlemishRandoms;
  readonly #dictionary: Dictionary;
  readonly #behindMs: number;
  readonly #hot: Gap;
  readonly #hotRandom: Random;
  readonly #hotDevices: number;
  readonly #late: Gap;
  readonly #lateRandom: Random;
  readonly #malformed: Gap;
  #malformedCount: number;
  /** Per device: by how many ms its clock is ahead (or, negative, behind); null: all clocks are right. */
  readonly #skew: Int32Array | null;

  constructor(
    options: SimulatorOptions,
    split: number,
    devices: number,
    dictionary: Dictionary,
    random: BlemishRandoms,
  ) {
    this.#randoms = random;
    this.#dictionary = dictionary;
    this.#behindMs = options.behindMs;
    this.#hot = new Gap(random.hot, options.hot);
    this.#hotRandom = random.hot;
    this.#hotDevices = Math.min(devices, Math.ceil(HOT_DEVICES / options.splits));
    this.#late = new Gap(random.late, options.late);
    this.#lateRandom = random.late;
    this.#malformed = new Gap(random.malformed, options.malformed);
    // Splits start the round of kinds at different places.
    this.#malformedCount = split * 4;
    const skew = options.skew;
    this.#skew =
      skew === null
        ? null
        : Int32Array.from({ length: devices }, () =>
            random.skew.next() < skew.share ? Math.round((random.skew.next() * 2 - 1) * skew.maxMs) : 0,
          );
  }

  snapshot(): BlemishesState {
    const { hot, late, malformed } = this.#randoms;
    return {
      hot: this.#hot.snapshot(),
      late: this.#late.snapshot(),
      malformed: this.#malformed.snapshot(),
      malformedCount: this.#malformedCount,
      randoms: [hot.state(), late.state(), malformed.state()],
    };
  }

  restore({ hot, late, malformed, malformedCount, randoms }: BlemishesState): void {
    this.#hot.restore(hot);
    this.#late.restore(late);
    this.#malformed.restore(malformed);
    this.#malformedCount = malformedCount;
    this.#randoms.hot.restore(randoms[0]);
    this.#randoms.late.restore(randoms[1]);
    this.#randoms.malformed.restore(randoms[2]);
  }

  /** Whether rows need nothing but `break`. */
  get onlyBreaks(): boolean {
    return this.#skew === null && this.#hot.share === 0 && this.#late.share === 0;
  }

  setMalformed(share: number): void {
    this.#malformed.setShare(share);
  }

  setLate(share: number): void {
    this.#late.setShare(share);
  }

  /** Hands some rows to the hot devices. Devices are indexes. */
  heat(rows: ReadingRows, from: number, to: number): void {
    const gap = this.#hot;
    for (let k = gap.first(from); k < to; k = gap.next(k)) rows.device[k] = this.#hotRandom.below(this.#hotDevices);
    gap.close(to);
  }

  /** Devices with a wrong clock stamp their events wrongly. Devices are indexes. */
  skew(rows: ReadingRows, from: number, to: number): void {
    const skew = this.#skew;
    if (skew === null) return;
    const { device, eventTime } = rows;
    for (let k = from; k < to; k++) {
      eventTime[k] = Math.max(0, (eventTime[k] as number) + (skew[device[k] as number] as number));
    }
  }

  /** Some rows were under way for far too long. */
  delay(rows: ReadingRows, from: number, to: number): void {
    const gap = this.#late;
    for (let k = gap.first(from); k < to; k = gap.next(k)) {
      const behind = this.#behindMs + this.#lateRandom.below(LATE_SPREAD_MS);
      rows.eventTime[k] = Math.max(0, (rows.eventTime[k] as number) - behind);
    }
    gap.close(to);
  }

  /** Breaks some rows, which are complete otherwise. */
  break(rows: ReadingRows, from: number, to: number): void {
    const gap = this.#malformed;
    for (let k = gap.first(from); k < to; k = gap.next(k)) this.breakOne(rows, k, this.#malformedCount++, null);
    gap.close(to);
  }

  /** Breaks one complete row: the n-th, in the given way or (null) in the one whose turn it is. */
  breakOne(rows: ReadingRows, row: number, n: number, kind: MalformedKind | null): void {
    const id = this.#dictionary.get(rows.device[row] as number) ?? '';
    // Variants move on with every event of a kind.
    const variant = kind === null ? Math.floor(n / MALFORMED_KINDS.length) : n;
    breakRow(rows, row, kind ?? kindInTurn(n), variant, id);
  }
}
