/**
 * How a split's rows follow the clock: which are due (`Pace`), and at which event time they arrive (`Timeline`). Three ways:
 *
 *   live       a rate, without end: event time is wall time (or runs from `start` at `speed`), so that watermark lag means something
 *   by rate    a rate and a number of events: event time moves on by the rate, the same every time, whatever the clock does
 *   by tick    rate=max: `tick` events per ms of event time
 *
 * Which one it is stays so when the rate is changed.
 */

import type { SimulatorSplit } from './messages.ts';
import type { SimulatorOptions } from './options.ts';
import { Pace, Timeline } from './pace.ts';

export interface TempoState {
  readonly rate: number | null;
  readonly factor: number;
  /** Wall time at which the next row is due. */
  readonly next: number;
  readonly timeline: { readonly origin: number; readonly index: number; readonly step: number };
}

export class Tempo {
  /** Event time of rows; row numbers count all rows made. */
  readonly timeline: Timeline;
  readonly #options: SimulatorOptions;
  readonly #startedAt: number;
  readonly #pace: Pace;
  readonly #live: boolean;
  /** Events per second over all splits; null: max. */
  #rate: number | null;
  /** What bursts multiply it by. */
  #factor = 1;

  constructor(options: SimulatorOptions, split: SimulatorSplit) {
    const { rate, splits, events, tick, speed } = options;
    this.#options = options;
    this.#startedAt = split.startedAt;
    this.#rate = rate;
    this.#live = rate !== null && events === null;
    // Splits take turns within the time between two rows, so that small rates tick evenly.
    const phase = rate === null ? 0 : (split.index * 1000) / rate;
    this.#pace = new Pace(rate === null ? null : rate / splits, split.startedAt + phase);
    const first = rate === null ? split.index / tick : phase * speed;
    this.timeline = new Timeline(this.start + first, this.#stepMs());
  }

  snapshot(): TempoState {
    const { origin, index, step } = this.timeline;
    return { rate: this.#rate, factor: this.#factor, next: this.#pace.next, timeline: { origin, index, step } };
  }

  /** Rows that were due while nobody asked are made up for as after any other pause. */
  restore({ rate, factor, next, timeline }: TempoState): void {
    this.#rate = rate;
    this.#factor = factor;
    this.#pace.restore(this.#perSecond(), next);
    this.timeline.rebase(timeline.index, timeline.origin, timeline.step);
  }

  /** Event time at which the stream starts. */
  get start(): number {
    return this.#options.start ?? this.#startedAt;
  }

  /** Wall time at which the next row is due. */
  next(now: number): number {
    return this.#pace.nextAt(now);
  }

  /** Whether there is a rate at all. */
  get limited(): boolean {
    return this.#rate !== null;
  }

  /** Rows due now. */
  due(now: number): number {
    return this.#pace.due(now);
  }

  /** `count` rows were made. */
  take(count: number): void {
    this.#pace.take(count);
  }

  /** Row n, the next one, arrives when it is due; to be called before it is made. */
  follow(n: number): void {
    if (!this.#live) return;
    const { perMs, next } = this.#pace;
    this.timeline.rebase(
      n,
      this.#eventTimeAt(next),
      perMs === Number.POSITIVE_INFINITY ? 0 : this.#options.speed / perMs,
    );
  }

  /** Event time of the present, row n being the next. */
  present(n: number, now: number): number {
    return this.#live ? this.#eventTimeAt(now) : this.timeline.at(n);
  }

  setRate(rate: number | null, n: number, now: number): void {
    this.#rate = rate;
    this.#apply(n, now);
  }

  setFactor(factor: number, n: number, now: number): void {
    if (factor === this.#factor) return;
    this.#factor = factor;
    this.#apply(n, now);
  }

  #apply(n: number, now: number): void {
    this.#pace.setRate(this.#perSecond(), now);
    this.timeline.setStep(n, this.#stepMs());
  }

  /** Rows of this split per second; null: max. */
  #perSecond(): number | null {
    return this.#rate === null ? null : (this.#rate * this.#factor) / this.#options.splits;
  }

  /** ms of event time per row while event time goes by rows. */
  #stepMs(): number {
    const { splits, tick, speed, rate } = this.#options;
    if (rate === null) return splits / tick;
    return (speed * splits * 1000) / ((this.#rate ?? rate) * this.#factor);
  }

  #eventTimeAt(wall: number): number {
    return this.start + (wall - this.#startedAt) * this.#options.speed;
  }
}
