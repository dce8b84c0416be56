/** What comes out of a window: rows of aggregates, and late rows. */

import { WeirError } from '#base/errors.ts';
import { type Column, type ColumnSpec, type Fields, f64, nullable, Schema, timestamp } from '../batch/schema.ts';
import { OutputTag } from '../operators/process.ts';
import type { Aggregate, AggregatePlan } from '../window/aggregates.ts';
import type { LateSettings } from '../window/late-rows.ts';

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

/** The same as an operator knows it. */
export function lateSettings<F extends Fields>(tag: OutputTag<Late<F>> | null): LateSettings | null {
  return tag === null ? null : sideOf(tag as unknown as OutputTag);
}

export function sideOf({ id, schema }: OutputTag): { readonly tag: string; readonly schema: Schema } {
  return { tag: id, schema };
}

/** Whether an aggregate over this field may be null: over a nullable one, in a window of nulls only. */
type NullableResult<F extends Fields, Field> = [Field] extends [never]
  ? false
  : Field extends keyof F
    ? F[Field]['nullable']
    : boolean;

type WindowBorders = {
  readonly window_start: Column<'timestamp', false>;
  readonly window_end: Column<'timestamp', false>;
};

/** The key, the window (`timed`: it has borders), the aggregates. */
export type ResultOf<
  F extends Fields,
  K extends keyof F,
  A extends Record<string, Aggregate>,
  Timed extends boolean,
> = Pick<F, K> &
  (Timed extends true ? WindowBorders : unknown) & {
    [N in keyof A]: Column<'f64', A[N] extends Aggregate<infer Field> ? NullableResult<F, Field> : boolean>;
  };

/** Schema of the rows that aggregates make. */
export function resultFields(key: ColumnSpec, timed: boolean, plan: AggregatePlan, name: string): Fields {
  const fields: Record<string, Column> = { [key.name]: { kind: key.kind, nullable: false } };
  if (timed) Object.assign(fields, { window_start: timestamp(), window_end: timestamp() });
  for (const result of plan.results) {
    if (fields[result.name] !== undefined)
      throw new WeirError(
        'AGGREGATE_NAME',
        `${name}: the aggregate "${result.name}" has the name of another result column.`,
      );
    fields[result.name] = result.nullable ? nullable(f64()) : f64();
  }
  return fields;
}
