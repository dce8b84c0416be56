/**
 * Profile `noise`: uniform noise as fast as it can be made, the stream that Weir is measured with. Values of a row come from one step of a
 * linear congruential generator; with the profile's own disorder (`uniform:1024ms`) so does its delay.
 */

import type { Round } from './devices.ts';
import type { Disorder } from './disorder.ts';
import type { Timeline } from './pace.ts';
import type { Profile } from './profile.ts';
import type { ReadingRows } from './rows.ts';

/** Delays below this take ten bits of the same step. */
const OWN_DELAY_MS = 1024;

export class NoiseProfile implements Profile {
  #state: number;
  /** Bits that make the delay. */
  #mask = 0;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  get state(): number {
    return this.#state;
  }

  set state(state: number) {
    this.#state = state;
  }

  setDisorder(disorder: Disorder): boolean {
    const own = disorder.kind === 'uniform' && disorder.maxMs === OWN_DELAY_MS;
    this.#mask = own ? OWN_DELAY_MS - 1 : 0;
    return own;
  }

  values(rows: ReadingRows, from: number, to: number, timeline: Timeline, n: number): void {
    const { eventTime, temperature, humidity, pressure } = rows;
    const { origin, step } = timeline;
    const mask = this.#mask;
    let state = this.#state;
    let i = n - timeline.index;
    for (let k = from; k < to; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const u = (state >>> 1) * (1 / 2147483648);
      eventTime[k] = Math.floor(origin + i * step) - ((state >>> 22) & mask);
      i += 1;
      temperature[k] = 20 + u * 5;
      humidity[k] = 50 + u * 10;
      pressure[k] = 1000 + u * 50;
    }
    this.#state = state;
  }

  whole(
    rows: ReadingRows,
    round: Round,
    from: number,
    to: number,
    timeline: Timeline,
    n: number,
    code: number,
    offset: number,
  ): boolean {
    const { device, eventTime, temperature, humidity, pressure } = rows;
    const offsets = rows.offset;
    const { origin, step } = timeline;
    const { count, stride } = round;
    const mask = this.#mask;
    let state = this.#state;
    let at = round.at;
    let i = n - timeline.index;
    let sequence = offset;
    for (let k = from; k < to; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const u = (state >>> 1) * (1 / 2147483648);
      at += stride;
      if (at >= count) at -= count;
      device[k] = at + code;
      eventTime[k] = Math.floor(origin + i * step) - ((state >>> 22) & mask);
      i += 1;
      temperature[k] = 20 + u * 5;
      humidity[k] = 50 + u * 10;
      pressure[k] = 1000 + u * 50;
      offsets[k] = sequence;
      sequence += 1;
    }
    round.at = at;
    this.#state = state;
    return true;
  }
}
