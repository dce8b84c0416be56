/**
 * Rows of two streams in the same windows, as a job writes them:
 *
 *   a.coGroup(b).where('k').equalTo('k').window(EventTimeSessionWindows.withGap(3000)).apply('both', Out, (lefts, rights, ctx, out) => …)
 *   a.join(b).where('k').equalTo('k').window(TumblingEventTimeWindows.of(5000)).apply('pairs', Out, (left, right) => …)
 *
 * All windows and triggers that one stream can have: the rows of both go to one general window operator, which knows of each whose it is.
 */

import { UsageError } from '#base/errors.ts';
import type { Fields, Row, Schema } from '../batch/schema.ts';
import type { OutputTag } from '../operators/process.ts';
import type { Windows } from '../window/assign.ts';
import {
  type CoGroupFunction,
  collectSides,
  type EitherRow,
  type GroupContext,
  groupBoth,
} from '../window/co-group.ts';
import { GeneralWindowOperator } from '../window/general-operator.ts';
import { commonKeyKind, type Keyed } from './connected-streams.ts';
import type { DataStream, KeyField, SingleOutputStream } from './data-stream.ts';
import { type Late, lateSettings } from './window-results.ts';
import { WindowSettings } from './window-settings.ts';

/** Two streams that are to be matched by a key and window: `where(key).equalTo(key).window(…)`. */
export class PairedStreams<A extends Fields, B extends Fields, W> {
  readonly #first: DataStream<A>;
  readonly #second: DataStream<B>;
  readonly #make: (pair: WindowedPair<A, B>) => W;

  /** @internal */
  constructor(first: DataStream<A>, second: DataStream<B>, make: (pair: WindowedPair<A, B>) => W) {
    if (first.env !== second.env) throw new UsageError('join and coGroup: both streams must be of the same job.');
    this.#first = first;
    this.#second = second;
    this.#make = make;
  }

  /** Key of the first stream. */
  where<K extends KeyField<A>>(field: K): { equalTo<L extends KeyField<B>>(field: L): PairedByKey<A, B, W> } {
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

interface PairedByKey<A extends Fields, B extends Fields, W> {
  /** Of time, or `GlobalWindows`, which give results only when a trigger says so. */
  window(windows: Windows<EitherRow<A, B>>): W;
}

interface WindowedPair<A extends Fields, B extends Fields> {
  readonly first: Keyed<A>;
  readonly second: Keyed<B>;
  readonly windows: Windows<EitherRow<A, B>>;
}

/** Rows of both streams with a key and window in common. */
class WindowedPairStream<A extends Fields, B extends Fields> extends WindowSettings<EitherRow<A, B>> {
  readonly #pair: WindowedPair<A, B>;
  #lateLeft: OutputTag<Late<A>> | null = null;
  #lateRight: OutputTag<Late<B>> | null = null;

  /** @internal */
  constructor(pair: WindowedPair<A, B>) {
    super(pair.windows);
    this.#pair = pair;
  }

  /** Where rows of the first stream go that came too late; without it they are dropped and counted. Read it with `sideOutput(tag)`. */
  sideOutputLeftLateData(tag: OutputTag<Late<A>>): this {
    this.#lateLeft = tag;
    return this;
  }

  /** The same for the second stream. */
  sideOutputRightLateData(tag: OutputTag<Late<B>>): this {
    this.#lateRight = tag;
    return this;
  }

  protected grouped<Out extends Fields>(
    kind: string,
    name: string,
    output: Schema<Out>,
    fn: CoGroupFunction<A, B, Out>,
  ): SingleOutputStream<Out> {
    const { first, second } = this.#pair;
    const lateLeft = lateSettings(this.#lateLeft);
    const lateRight = lateSettings(this.#lateRight);
    const late = [lateLeft, lateRight].filter((one) => one !== null);
    if (lateLeft !== null && lateLeft.tag === lateRight?.tag) {
      throw new UsageError(
        `${name}: late rows of the two streams need tags of their own, not "${lateLeft.tag}" for both.`,
      );
    }
    const grouping = groupBoth(fn as unknown as CoGroupFunction<Fields, Fields, Fields>);
    const settings = {
      ...this.general,
      name,
      inputs: [
        { key: first.key, late: lateLeft, elementOf: (left: Row<Fields>) => ({ left, right: null }) },
        { key: second.key, late: lateRight, elementOf: (right: Row<Fields>) => ({ left: null, right }) },
      ],
      keyKind: commonKeyKind(name, first, second),
      results: output as unknown as Schema,
      tags: [],
      create: () => grouping,
      collected: collectSides(),
    };
    return first.transform(output, {
      kind,
      name,
      inputs: [...first.edges, ...second.edges.map((edge) => ({ ...edge, input: 1 }))],
      sideOutputs: new Map(late.map(({ tag, schema }) => [tag, schema])),
      create: () => new GeneralWindowOperator(settings),
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
