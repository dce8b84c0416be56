/** Keyed rows in windows, as a job writes them: lateness, then what becomes of the rows of a window. */

import { UsageError, WeirError } from '#base/errors.ts';
import { type Column, type Fields, f64, nullable, Schema, timestamp } from '../batch/schema.ts';
import { OutputTag } from '../operators/process.ts';
import { type Aggregate, type AggregatesOf, planAggregates } from '../window/aggregates.ts';
import type { AlignedWindows } from '../window/assigners.ts';
import {
  AggregateContents,
  ListContents,
  type ProcessWindowFunction,
  ReduceContents,
  type ReduceFunction,
  type WindowContents,
} from '../window/contents.ts';
import { SessionOperator } from '../window/session-operator.ts';
import type { SessionWindows } from '../window/session-windows.ts';
import { WindowOperator } from '../window/window-operator.ts';
import type { KeyedStream, SingleOutputStream } from './data-stream.ts';

/** Late rows: the input's columns, the watermark when they came, and how far they were behind it. */
export type Late<F extends Fields> = F & { watermark: Column<'timestamp', false>; late_by_ms: Column<'f64', false> };

/** Tag of a late side output. */
export function lateTag<F extends Fields>(id: string, input: Schema<F>): OutputTag<Late<F>> {
  for (const name of ['watermark', 'late_by_ms']) {
    if (input.indexOf(name) >= 0) {
      throw new WeirError(
        'LATE_NAME',
        `Late rows get a column "${name}", but the stream has one already: rename it before the window.`,
      );
    }
  }
  return new OutputTag(id, new Schema<Late<F>>({ ...input.fields, watermark: timestamp(), late_by_ms: f64() }));
}

/** Whether an aggregate over this field may be null: over a nullable one, in a window of nulls only. */
type NullableResult<F extends Fields, Field> = [Field] extends [never]
  ? false
  : Field extends keyof F
    ? F[Field]['nullable']
    : boolean;

/** The key, the window, the aggregates. */
type ResultOf<F extends Fields, K extends keyof F, A extends Record<string, Aggregate>> = Pick<F, K> & {
  window_start: Column<'timestamp', false>;
  window_end: Column<'timestamp', false>;
} & { [N in keyof A]: Column<'f64', A[N] extends Aggregate<infer Field> ? NullableResult<F, Field> : boolean> };

export class WindowedStream<F extends Fields, K extends keyof F> {
  readonly #stream: KeyedStream<F, K>;
  readonly #key: number;
  readonly #windows: AlignedWindows | SessionWindows;
  #allowedLatenessMs = 0;
  #late: OutputTag<Late<F>> | null = null;

  /** @internal */
  constructor(stream: KeyedStream<F, K>, key: number, windows: AlignedWindows | SessionWindows) {
    this.#stream = stream;
    this.#key = key;
    this.#windows = windows;
  }

  /** How long after its end a window still takes rows, ms; each makes it fire again. Does nothing in processing time. */
  allowedLateness(ms: number): this {
    if (!(ms >= 0)) throw new UsageError(`The allowed lateness must be 0 or more, not ${ms} ms.`);
    this.#allowedLatenessMs = ms;
    return this;
  }

  /** Where rows go that came too late; without it they are dropped and counted. Read it with `sideOutput(tag)`. */
  sideOutputLateData(tag: OutputTag<Late<F>>): this {
    this.#late = tag;
    return this;
  }

  /** One row per key and window: the key, `window_start`, `window_end`, then the aggregates in the order given. */
  aggregate<A extends AggregatesOf<F>>(aggregates: A, name = 'Window'): SingleOutputStream<ResultOf<F, K, A>> {
    const input = this.#stream.schema;
    const key = input.columns[this.#key] as Schema['columns'][number];
    const plan = planAggregates(input, aggregates, name);
    const fields: Record<string, Column> = {
      [key.name]: { kind: key.kind, nullable: false },
      window_start: timestamp(),
      window_end: timestamp(),
    };
    for (const result of plan.results) {
      if (fields[result.name] !== undefined)
        throw new WeirError(
          'AGGREGATE_NAME',
          `${name}: the aggregate "${result.name}" has the name of another result column.`,
        );
      fields[result.name] = result.nullable ? nullable(f64()) : f64();
    }
    const results = new Schema(fields as ResultOf<F, K, A>);
    return this.#window(name, results, true, () => new AggregateContents(plan));
  }

  /** One row of the input's schema per key and window. */
  reduce(fn: ReduceFunction<F>, name = 'Window'): SingleOutputStream<F> {
    const { schema } = this.#stream;
    return this.#window(name, schema, false, () => new ReduceContents(schema, fn as unknown as ReduceFunction<Fields>));
  }

  /** All rows of a key and window at once; memory grows with the input. */
  process<Out extends Fields>(
    output: Schema<Out>,
    fn: ProcessWindowFunction<F, Out>,
    name = 'Window',
  ): SingleOutputStream<Out> {
    const { schema } = this.#stream;
    return this.#window(
      name,
      output,
      false,
      (keyName) => new ListContents(schema, output, fn as unknown as ProcessWindowFunction<Fields, Fields>, keyName),
    );
  }

  #window<Out extends Fields>(
    name: string,
    results: Schema<Out>,
    keyed: boolean,
    contents: (keyName: (code: number) => string) => WindowContents,
  ): SingleOutputStream<Out> {
    const late = this.#late === null ? null : { tag: this.#late.id, schema: this.#late.schema };
    const key = this.#stream.schema.columns[this.#key] as Schema['columns'][number];
    const keyKind = key.kind === 'string' ? 'string' : 'i32';
    const windows = this.#windows;
    const settings = {
      allowedLatenessMs: this.#allowedLatenessMs,
      key: this.#key,
      results,
      keyed,
      late,
      contents,
    };
    return this.#stream.transform(results, {
      kind: 'window',
      name,
      sideOutputs: new Map(late === null ? [] : [[late.tag, late.schema]]),
      create: () =>
        windows.kind === 'session'
          ? new SessionOperator({ ...settings, windows }, keyKind)
          : new WindowOperator({ ...settings, windows }, keyKind),
    });
  }
}
