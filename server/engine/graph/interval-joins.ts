/** Joins by interval, as a job writes them: `a.keyBy(k).intervalJoin(b.keyBy(k)).between(-5000, 0).process(…)`. */

import { UsageError } from '#base/errors.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import { IntervalJoinFunction, type ProcessJoinFunction } from '../operators/interval-join.ts';
import type { OutputTag } from '../operators/process.ts';
import { connectFunction, type Keyed, keyedPair } from './connected-streams.ts';
import type { DataStream, SingleOutputStream } from './data-stream.ts';

export interface IntervalBounds {
  /** The bounds themselves do not count. */
  readonly lowerExclusive?: boolean;
  readonly upperExclusive?: boolean;
}

export class IntervalJoin<A extends Fields, B extends Fields> {
  readonly #first: Keyed<A>;
  readonly #second: Keyed<B>;

  /** @internal */
  constructor(first: Keyed<A>, second: Keyed<B>) {
    this.#first = first;
    this.#second = second;
  }

  /** Rows meet whose timestamps differ by `lowerMs` to `upperMs`: `left + lower <= right <= left + upper`. */
  between(lowerMs: number, upperMs: number, bounds: IntervalBounds = {}): BoundedIntervalJoin<A, B> {
    const lower = bounds.lowerExclusive === true ? lowerMs + 1 : lowerMs;
    const upper = bounds.upperExclusive === true ? upperMs - 1 : upperMs;
    if (!Number.isInteger(lowerMs) || !Number.isInteger(upperMs) || lower > upper) {
      throw new UsageError(
        `An interval join needs bounds in whole ms with lower <= upper, exclusive ones counted in; got ${lowerMs} to ${upperMs} ms.`,
      );
    }
    return new BoundedIntervalJoin(this.#first, this.#second, lower, upper);
  }
}

export class BoundedIntervalJoin<A extends Fields, B extends Fields> {
  readonly #first: Keyed<A>;
  readonly #second: Keyed<B>;
  readonly #lowerMs: number;
  readonly #upperMs: number;
  #lateLeft: OutputTag | null = null;
  #lateRight: OutputTag | null = null;

  /** @internal */
  constructor(first: Keyed<A>, second: Keyed<B>, lowerMs: number, upperMs: number) {
    this.#first = first;
    this.#second = second;
    this.#lowerMs = lowerMs;
    this.#upperMs = upperMs;
  }

  /** Where rows of the first stream go that came behind the watermark; without it they are dropped and counted. */
  sideOutputLeftLateData(tag: OutputTag<A>): this {
    this.#lateLeft = tag as unknown as OutputTag;
    return this;
  }

  /** The same for the second stream. */
  sideOutputRightLateData(tag: OutputTag<B>): this {
    this.#lateRight = tag as unknown as OutputTag;
    return this;
  }

  /** Any number of rows for each pair. */
  process<Out extends Fields>(
    name: string,
    options: { output: Schema<Out>; sideOutputs?: readonly OutputTag[]; create: () => ProcessJoinFunction<A, B, Out> },
  ): SingleOutputStream<Out> {
    const [lateLeft, lateRight] = [this.#lateLeft, this.#lateRight];
    const late = [lateLeft, lateRight].filter((tag) => tag !== null);
    const { output, create } = options;
    const [lowerMs, upperMs] = [this.#lowerMs, this.#upperMs];
    return connectFunction(this.#first as unknown as DataStream<Fields>, this.#second, 'interval-join', {
      ...keyedPair(name, this.#first, this.#second),
      output,
      tags: [...(options.sideOutputs ?? []), ...late],
      create: () => {
        const fn = create() as unknown as ProcessJoinFunction<Fields, Fields, Fields>;
        return new IntervalJoinFunction({ name, lowerMs, upperMs, lateLeft, lateRight, fn });
      },
    });
  }

  /** One row for each pair. */
  join<Out extends Fields>(
    name: string,
    output: Schema<Out>,
    fn: (left: Row<A>, right: Row<B>) => Row<Out>,
  ): SingleOutputStream<Out> {
    return this.process(name, { output, create: () => (left, right, _ctx, out) => out.collect(fn(left, right)) });
  }
}
