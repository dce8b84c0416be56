/** Joins, as a job writes them: by interval (`a.keyBy(k).intervalJoin(b.keyBy(k))`) or by window (`a.join(b)`, `a.coGroup(b)`). */

import { UsageError } from '#base/errors.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import { type CoGroupFunction, type GroupContext, WindowedCoGroupFunction } from '../operators/co-group.ts';
import { IntervalJoinFunction, type ProcessJoinFunction } from '../operators/interval-join.ts';
import type { OutputTag } from '../operators/process.ts';
import type { AlignedWindows } from '../window/assigners.ts';
import { commonKeyKind, connectFunction, type Keyed } from './connected-streams.ts';
import type { DataStream, KeyField, SingleOutputStream } from './data-stream.ts';

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

/** Inputs of a function that is keyed on both sides. */
function keyedPair<A extends Fields, B extends Fields>(name: string, first: Keyed<A>, second: Keyed<B>) {
  return {
    name,
    keyKind: commonKeyKind(name, first, second),
    inputs: [
      { key: first.key, method: 'processElement1' as const },
      { key: second.key, method: 'processElement2' as const },
    ],
    broadcast: [],
  };
}

/** Two streams that are to be matched by a key and window: `where(key).equalTo(key).window(…)`. */
export class PairedStreams<A extends Fields, B extends Fields, W> {
  readonly #first: DataStream<A>;
  readonly #second: DataStream<B>;
  readonly #make: (pair: WindowedPair<A, B>) => W;

  /** @internal */
  constructor(first: DataStream<A>, second: DataStream<B>, make: (pair: WindowedPair<A, B>) => W) {
    this.#first = first;
    this.#second = second;
    this.#make = make;
  }

  /** Key of the first stream. */
  where<K extends KeyField<A>>(field: K): { equalTo<L extends KeyField<B>>(field: L): PairedByKey<W> } {
    const first = this.#first.keyBy(field);
    return {
      /** Key of the second stream. */
      equalTo: (other) => {
        const second = this.#second.keyBy(other);
        commonKeyKind('where/equalTo', first, second);
        return {
          window: (windows) => this.#make({ first, second, windows }),
        };
      },
    };
  }
}

interface PairedByKey<W> {
  window(windows: AlignedWindows): W;
}

interface WindowedPair<A extends Fields, B extends Fields> {
  readonly first: Keyed<A>;
  readonly second: Keyed<B>;
  readonly windows: AlignedWindows;
}

/** Rows of both streams with a key and window in common. */
class WindowedPairStream<A extends Fields, B extends Fields> {
  readonly #pair: WindowedPair<A, B>;
  #allowedLatenessMs = 0;

  /** @internal */
  constructor(pair: WindowedPair<A, B>) {
    this.#pair = pair;
  }

  /** How long after its end a window still takes rows, ms; each makes it fire again with all its rows. Does nothing in processing time. */
  allowedLateness(ms: number): this {
    if (!(ms >= 0)) throw new UsageError(`The allowed lateness must be 0 or more, not ${ms} ms.`);
    this.#allowedLatenessMs = ms;
    return this;
  }

  protected grouped<Out extends Fields>(
    kind: string,
    name: string,
    output: Schema<Out>,
    fn: CoGroupFunction<A, B, Out>,
  ): SingleOutputStream<Out> {
    const { first, second, windows } = this.#pair;
    const settings = {
      name,
      windows,
      allowedLatenessMs: this.#allowedLatenessMs,
      fn: fn as unknown as CoGroupFunction<Fields, Fields, Fields>,
    };
    return connectFunction(first as unknown as DataStream<Fields>, second, kind, {
      ...keyedPair(name, first, second),
      output,
      tags: [],
      create: () => new WindowedCoGroupFunction(settings),
    });
  }
}

export class JoinedWindows<A extends Fields, B extends Fields> extends WindowedPairStream<A, B> {
  /** One row for each pair of rows in a window; rows without a partner make none. */
  apply<Out extends Fields>(
    name: string,
    output: Schema<Out>,
    fn: (left: Row<A>, right: Row<B>, ctx: GroupContext) => Row<Out>,
  ): SingleOutputStream<Out> {
    return this.grouped('window-join', name, output, (lefts, rights, ctx, out) => {
      for (const left of lefts) for (const right of rights) out.collect(fn(left, right, ctx));
    });
  }
}

export class CoGroupedWindows<A extends Fields, B extends Fields> extends WindowedPairStream<A, B> {
  /** Called for each key and window that has rows of at least one stream. */
  apply<Out extends Fields>(
    name: string,
    output: Schema<Out>,
    fn: CoGroupFunction<A, B, Out>,
  ): SingleOutputStream<Out> {
    return this.grouped('co-group', name, output, fn);
  }
}
