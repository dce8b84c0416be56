/** The loops over a batch's rows that make watermarks; those that call user functions are generated, so that each sees one shape. */

import { WeirError } from '#base/errors.ts';
import { type Cursor, makeCursor } from '../batch/cursor.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Fields, Schema } from '../batch/schema.ts';
import { NO_TIMESTAMP } from '../time/watermark-generators.ts';
import type { TimestampAssigner } from '../time/watermark-strategy.ts';
import type { SplitWatermark } from './split-watermark.ts';

/** Fills `column` with the watermark before each row that counts; returns the largest timestamp seen. NaN timestamps change nothing. */
export function advance(
  batch: RecordBatch,
  column: Float64Array,
  max: number,
  combined: number,
  others: number,
  bound: number,
): number {
  const rows = batch.selection;
  const time = batch.time;
  const count = batch.count;
  let largest = max;
  let current = combined;
  for (let i = 0; i < count; i++) {
    const k = rows === null ? i : (rows[i] as number);
    column[k] = current;
    const t = time[k] as number;
    if (t > largest) {
      largest = t;
      let w = t - bound - 1;
      if (w > others) w = others;
      if (w > current) current = w;
    }
  }
  return largest;
}

export function maxTimestamp(batch: RecordBatch, max: number): number {
  const rows = batch.selection;
  const time = batch.time;
  const count = batch.count;
  let largest = max;
  for (let i = 0; i < count; i++) {
    const t = time[rows === null ? i : (rows[i] as number)] as number;
    if (t > largest) largest = t;
  }
  return largest;
}

/** Writes the timestamps of a batch's rows into `time`. */
export type AssignTimestamps = (batch: RecordBatch, time: Float64Array) => void;

/** `where`: name of the operator, for errors. */
export function makeAssignTimestamps(
  schema: Schema,
  assigner: TimestampAssigner<Fields>,
  where: string,
): AssignTimestamps {
  const wrong = (value: unknown): never => {
    throw new WeirError('TIMESTAMP_TYPE', `${where}: a timestamp is a number of milliseconds, not ${String(value)}.`);
  };
  const loop = new Function(`return function assign(rows, count, cursor, assigner, given, time, wrong) {
    for (let i = 0; i < count; i++) {
      const k = rows === null ? i : rows[i];
      cursor.$k = k;
      const t = assigner(cursor, given[k]);
      if (typeof t !== 'number') wrong(t);
      time[k] = t;
    }
  }`)() as (
    rows: Int32Array | null,
    count: number,
    cursor: Cursor,
    assigner: TimestampAssigner<Fields>,
    given: Float64Array,
    time: Float64Array,
    wrong: (value: unknown) => never,
  ) => void;
  const cursor = makeCursor(schema);
  return (batch, time) => {
    cursor.$bind(batch);
    loop(batch.selection, batch.count, cursor, assigner, batch.time, time, wrong);
  };
}

/**
 * Shows a batch's rows to the generator of their split and fills `column` as `advance` does; `others` is what the other splits allow. Returns
 * the watermark behind the last row.
 */
export type Generate = (
  batch: RecordBatch,
  split: SplitWatermark,
  column: Float64Array,
  combined: number,
  others: number,
) => number;

/**
 * `everyRow`: the generator is asked for a watermark after every row as well. `raisedBy`: told, behind the batch, the last row that raised the
 * split's watermark.
 */
export function makeGenerate(
  schema: Schema,
  everyRow: boolean,
  raisedBy: ((batch: RecordBatch, split: SplitWatermark, row: number) => void) | null = null,
): Generate {
  const loop =
    new Function(`return function generate(rows, count, cursor, time, split, column, combined, others, none, raised) {
    const generator = split.generator;
    let current = combined;
    let raisedBy = -1;
    for (let i = 0; i < count; i++) {
      const k = rows === null ? i : rows[i];
      column[k] = current;
      cursor.$k = k;
      const t = time[k];
      split.idle = false;
      if (t > split.maxTimestamp) split.maxTimestamp = t;
      ${raisedBy === null ? '' : 'const before = split.watermark;'}
      generator.onEvent(cursor, t === t ? t : none, split);
      ${everyRow ? 'generator.onPeriodicEmit(split);' : ''}
      ${raisedBy === null ? '' : 'if (split.watermark > before) raisedBy = k;'}
      let w = split.idle ? others : split.watermark;
      if (w > others) w = others;
      if (w > current && w !== Infinity) current = w;
    }
    if (raisedBy >= 0) raised(raisedBy);
    return current;
  }`)() as (
      rows: Int32Array | null,
      count: number,
      cursor: Cursor,
      time: Float64Array,
      split: SplitWatermark,
      column: Float64Array,
      combined: number,
      others: number,
      none: number,
      raised: (row: number) => void,
    ) => number;
  const cursor = makeCursor(schema);
  return (batch, split, column, combined, others) => {
    cursor.$bind(batch);
    const raised = (row: number): void => raisedBy?.(batch, split, row);
    return loop(
      batch.selection,
      batch.count,
      cursor,
      batch.time,
      split,
      column,
      combined,
      others,
      NO_TIMESTAMP,
      raised,
    );
  };
}
