/**
 * Keyed rows in windows, as a job writes them: trigger and lateness, then what becomes of the rows of a window.
 *
 *   keyed.window(TumblingEventTimeWindows.of(5000)).aggregate({ n: count() })
 *   keyed.window(EventTimeSessionWindows.withGap(3000)).trigger(PurgingTrigger.of(CountTrigger.of(4))).reduce(fn)
 *   keyed.countWindow(100).aggregate({ mean: avg('value') }, { output: Verdict, create: () => ({ process: … }) })
 *
 * Tumbling, sliding, cumulating windows and sessions with their own trigger and plain functions run in operators made for them; everything else
 * runs in the general one, row by row. The results are the same.
 */

import { UsageError } from '#base/errors.ts';
import { type ColumnSpec, type Fields, type Row, Schema } from '../batch/schema.ts';
import type { Operator } from '../operators/operator.ts';
import type { OutputTag } from '../operators/process.ts';
import type { AggregateFunction } from '../state/descriptors.ts';
import { type Aggregate, type AggregatesOf, planAggregates } from '../window/aggregates.ts';
import { isMerging, type Windows } from '../window/assign.ts';
import { type Collected, collectAggregates, collectReduced, collectRows, collectWith } from '../window/collected.ts';
import {
  AggregateContents,
  ListContents,
  type ProcessWindowFunction,
  ReduceContents,
  type ReduceFunction,
  type WindowContents,
} from '../window/contents.ts';
import { GeneralWindowOperator } from '../window/general-operator.ts';
import type { LateSettings } from '../window/late-rows.ts';
import { SessionOperator } from '../window/session-operator.ts';
import type { WindowFunction, WindowProcess } from '../window/window-function.ts';
import { WindowOperator } from '../window/window-operator.ts';
import type { KeyedStream, SingleOutputStream } from './data-stream.ts';
import { type Late, lateSettings, type ResultOf, resultFields, sideOf } from './window-results.ts';
import { WindowSettings } from './window-settings.ts';

/** How the rows of a window become its results. */
interface Plan {
  readonly name: string;
  readonly results: Schema;
  /** For the operators made for usual windows; null: only the general one can do it. */
  readonly contents: ((keyName: (code: number) => string) => WindowContents) | null;
  /** Results start with a column of key codes. */
  readonly keyed: boolean;
  readonly collected: Collected;
  readonly process: WindowProcess<never, Fields> | null;
}

/** `Timed`: windows have a beginning and an end; the global one has not. */
export class WindowedStream<F extends Fields, K extends keyof F, Timed extends boolean = true> extends WindowSettings<
  Row<F>
> {
  readonly #stream: KeyedStream<F, K>;
  readonly #key: number;
  #late: OutputTag<Late<F>> | null = null;

  /** @internal */
  constructor(stream: KeyedStream<F, K>, key: number, windows: Windows<Row<F>>) {
    super(windows);
    this.#stream = stream;
    this.#key = key;
  }

  /** Where rows go that came too late; without it they are dropped and counted. Read it with `sideOutput(tag)`. */
  sideOutputLateData(tag: OutputTag<Late<F>>): this {
    this.#late = tag;
    return this;
  }

  /** One row per key and window: the key, `window_start`, `window_end` (but for the global window), then the aggregates in the order given. */
  aggregate<A extends AggregatesOf<F>>(aggregates: A, name?: string): SingleOutputStream<ResultOf<F, K, A, Timed>>;
  /** The function gets that row. */
  aggregate<A extends AggregatesOf<F>, Out extends Fields>(
    aggregates: A,
    process: WindowProcess<Row<ResultOf<F, K, A, Timed>>, Out>,
    name?: string,
  ): SingleOutputStream<Out>;
  /** Results of an aggregate function of one's own are rows of `output`. */
  aggregate<Acc, Out extends Fields>(
    fn: AggregateFunction<Row<F>, Acc, Row<Out>>,
    output: Schema<Out>,
    name?: string,
  ): SingleOutputStream<Out>;
  /** The process function gets the result of the aggregate function. */
  aggregate<Acc, Result, Out extends Fields>(
    fn: AggregateFunction<Row<F>, Acc, Result>,
    process: WindowProcess<Result, Out>,
    name?: string,
  ): SingleOutputStream<Out>;
  aggregate(
    what: Readonly<Record<string, Aggregate>> | AggregateFunction<Row<F>, unknown, unknown>,
    then: string | Schema | WindowProcess<never, Fields> = 'Window',
    named = 'Window',
  ): unknown {
    const name = typeof then === 'string' ? then : named;
    const process = typeof then === 'string' || then instanceof Schema ? null : then;
    if (isFunction(what)) {
      if (what.merge === undefined && isMerging(this.general.windows)) {
        throw new UsageError(`${name}: windows that merge need an aggregate function with merge().`);
      }
      const fn = what as unknown as AggregateFunction<Row<Fields>, unknown, unknown>;
      const results = then instanceof Schema ? then : (process?.output as Schema);
      return this.#build({ ...GENERAL, name, results, process, collected: collectWith(fn) });
    }
    const { schema } = this.#stream;
    const key = this.#keyColumn();
    const plan = planAggregates(schema, what, name);
    const rows = new Schema(resultFields(key, this.general.windows.kind !== 'global', plan, name));
    return this.#build({
      name,
      results: process?.output ?? rows,
      keyed: true,
      process,
      contents: process === null ? () => new AggregateContents(plan) : null,
      collected: collectAggregates(schema, key.name, plan),
    });
  }

  /** One row of the input's schema per key and window; a function gets it if there is one. */
  reduce(fn: ReduceFunction<F>, name?: string): SingleOutputStream<F>;
  reduce<Out extends Fields>(
    fn: ReduceFunction<F>,
    process: WindowProcess<Row<F>, Out>,
    name?: string,
  ): SingleOutputStream<Out>;
  reduce(fn: ReduceFunction<F>, then: string | WindowProcess<Row<F>, Fields> = 'Window', named = 'Window'): unknown {
    const schema = this.#stream.schema as unknown as Schema;
    const reduce = fn as unknown as ReduceFunction<Fields>;
    const process = typeof then === 'string' ? null : (then as WindowProcess<never, Fields>);
    return this.#build({
      name: typeof then === 'string' ? then : named,
      results: process?.output ?? schema,
      keyed: false,
      process,
      contents: process === null ? () => new ReduceContents(schema, reduce) : null,
      collected: collectReduced(reduce),
    });
  }

  /** All rows of a key and window at once; memory grows with the input. */
  process<Out extends Fields>(
    output: Schema<Out>,
    fn: ProcessWindowFunction<F, Out>,
    name?: string,
  ): SingleOutputStream<Out>;
  /** The same with context, state and side outputs. */
  process<Out extends Fields>(process: WindowProcess<Row<F>, Out>, name?: string): SingleOutputStream<Out>;
  process(
    what: Schema | WindowProcess<Row<F>, Fields>,
    then: ProcessWindowFunction<F, Fields> | string = 'Window',
    named = 'Window',
  ): unknown {
    if (!(what instanceof Schema)) {
      const name = typeof then === 'string' ? then : named;
      const process = what as WindowProcess<never, Fields>;
      return this.#build({ ...GENERAL, name, results: what.output, process, collected: collectRows() });
    }
    const input = this.#stream.schema as unknown as Schema;
    const fn = then as unknown as ProcessWindowFunction<Fields, Fields>;
    const plain: WindowFunction<Row<Fields>, Fields> = {
      process: (key, ctx, rows, out) => fn(String(key), ctx.window, rows, out),
    };
    return this.#build({
      name: named,
      results: what,
      keyed: false,
      process: { output: what, create: () => plain },
      contents: (keyName) => new ListContents(input, what, fn, keyName),
      collected: collectRows(),
    });
  }

  #build(plan: Plan): unknown {
    const late = lateSettings(this.#late);
    const tags = plan.process?.sideOutputs ?? [];
    return this.#stream.transform(plan.results, {
      kind: 'window',
      name: plan.name,
      sideOutputs: new Map([...(late === null ? [] : [late]), ...tags.map(sideOf)].map((t) => [t.tag, t.schema])),
      create: this.#operator(plan, late),
    });
  }

  #operator(plan: Plan, late: LateSettings | null): () => Operator {
    const { name, results, keyed, contents, collected, process } = plan;
    const keyKind = this.#keyColumn().kind === 'string' ? 'string' : 'i32';
    const { windows, allowedLatenessMs } = this.general;
    const common = { allowedLatenessMs, key: this.#key, results, late };
    const plain = contents !== null && this.plain;
    if (plain && windows.kind === 'session') {
      return () => new SessionOperator({ ...common, keyed, contents, windows }, keyKind);
    }
    if (plain && (windows.kind === 'tumbling' || windows.kind === 'sliding' || windows.kind === 'cumulative')) {
      return () => new WindowOperator({ ...common, keyed, contents, windows }, keyKind);
    }
    const general = {
      ...this.general,
      name,
      inputs: [{ key: this.#key, late, elementOf: null }],
      keyKind,
      results,
      tags: process?.sideOutputs ?? [],
      create: process === null ? null : (process.create as (subtask: number) => WindowFunction<unknown, Fields>),
      collected,
    } as const;
    return () => new GeneralWindowOperator(general);
  }

  #keyColumn(): ColumnSpec {
    return this.#stream.schema.columns[this.#key] as ColumnSpec;
  }
}

const GENERAL = { contents: null, keyed: false } as const;

function isFunction(
  what: Readonly<Record<string, Aggregate>> | AggregateFunction<never, unknown, unknown>,
): what is AggregateFunction<never, unknown, unknown> {
  return typeof what.add === 'function';
}
