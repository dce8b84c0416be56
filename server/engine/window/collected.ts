/**
 * What a window keeps of its rows as keyed state, for the general operator: the same results as `contents.ts`, bit by bit, one row at a time and
 * on any backend.
 */

import type { Fields, Row, Schema } from '../batch/schema.ts';
import { type AggregateFunction, aggregatingState, reducingState, type StateDescriptor } from '../state/descriptors.ts';
import type { AggregatingState, KeyedState, ReducingState } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import type { AggregatePlan } from './aggregates.ts';
import { GLOBAL_WINDOW } from './assign.ts';
import type { ReduceFunction, TimeWindow } from './contents.ts';

type PlainRow = Record<string, unknown>;

/** A row to add: readable during the call, and as an object that stays. */
export interface IncomingRow {
  readonly row: Row<Fields>;
  /** What windows and triggers of one's own are shown of it. */
  readonly element: unknown;
  /** Which stream it is of: 0, or 1 where there are two. */
  readonly input: number;
  copy(): PlainRow;
  /** Counts rows of the operator in order of arrival. */
  readonly arrival: number;
}

export interface Collected {
  /** Mergeable: list, reducing or aggregating. */
  readonly descriptor: StateDescriptor;
  add(state: KeyedState, incoming: IncomingRow): void;
  /** What a function gets, or what comes out where there is none; null: nothing is there. */
  elements(state: KeyedState, key: Key, window: TimeWindow): readonly unknown[] | null;
  /** Result values for a look from outside (`WindowContents.peek`); empty where they cannot be had without consequences. */
  peek(state: KeyedState): number[];
}

/** Of the state, whatever it consists of. */
export const CONTENTS = 'window-contents';

/** Accumulator cells as `planAggregates` lays them out. */
function accumulate(plan: AggregatePlan, columns: readonly string[]): AggregateFunction<PlainRow, number[], number[]> {
  const cells = plan.cells.map(({ op, column }) => ({ op, name: column < 0 ? null : (columns[column] as string) }));
  return {
    create: () => [...plan.initial],
    add(acc, row) {
      for (let i = 0; i < cells.length; i++) {
        const { op, name } = cells[i] as (typeof cells)[number];
        const value = name === null ? 0 : (row[name] as number | null);
        if (value !== null) acc[i] = combine(op, acc[i] as number, op === 'count' ? 1 : value);
      }
      return acc;
    },
    result: (acc) => acc,
    merge(a, b) {
      for (const [i, { op }] of plan.cells.entries()) a[i] = combine(op, a[i] as number, b[i] as number);
      return a;
    },
  };
}

/** As the generated loops of `aggregates.ts` do it: a NaN is never smaller nor larger. */
function combine(op: AggregatePlan['cells'][number]['op'], soFar: number, next: number): number {
  if (op === 'count' || op === 'sum') return soFar + next;
  const replaces = op === 'min' ? next < soFar : next > soFar;
  return replaces ? next : soFar;
}

/** Null: nothing was aggregated. */
function resultOf(
  { cell, divisor, emptyIfZero }: AggregatePlan['results'][number],
  acc: readonly number[],
): number | null {
  if (emptyIfZero >= 0 && acc[emptyIfZero] === 0) return null;
  return divisor >= 0 ? (acc[cell] as number) / (acc[divisor] as number) : (acc[cell] as number);
}

/** Declared aggregates: one row of key, window (but for the global one) and results. */
export function collectAggregates(input: Schema, key: string, plan: AggregatePlan): Collected {
  const columns = input.columns.map((c) => c.name);
  const descriptor = aggregatingState(CONTENTS, accumulate(plan, columns));
  return {
    descriptor,
    add: (state, { row }) => (state as AggregatingState<PlainRow, number[]>).add(row as PlainRow),
    elements(state, keyValue, window) {
      const acc = (state as AggregatingState<PlainRow, number[]>).get();
      if (acc === null) return null;
      const result: PlainRow = { [key]: keyValue };
      if (window !== GLOBAL_WINDOW) {
        result.window_start = window.start;
        result.window_end = window.end;
      }
      for (const planned of plan.results) result[planned.name] = resultOf(planned, acc);
      return [result];
    },
    peek(state) {
      const acc = (state as AggregatingState<PlainRow, number[]>).get();
      return acc === null ? [] : plan.results.map((planned) => resultOf(planned, acc) ?? Number.NaN);
    },
  };
}

/** A function of the user's own; its result is the one element. */
export function collectWith<Acc, Out>(fn: AggregateFunction<Row<Fields>, Acc, Out>): Collected {
  const descriptor = aggregatingState(CONTENTS, fn);
  return {
    descriptor,
    add: (state, { row }) => (state as AggregatingState<Row<Fields>, Out>).add(row),
    elements(state) {
      const result = (state as AggregatingState<Row<Fields>, Out>).get();
      return result === null ? null : [result];
    },
    peek: () => [],
  };
}

/** One row of the input's schema. */
export function collectReduced(fn: ReduceFunction<Fields>): Collected {
  const descriptor = reducingState<PlainRow>(
    CONTENTS,
    (soFar, next) => fn(soFar as Row<Fields>, next as Row<Fields>) as PlainRow,
  );
  return {
    descriptor,
    add: (state, incoming) => (state as ReducingState<PlainRow>).add(incoming.copy()),
    elements(state) {
      const row = (state as ReducingState<PlainRow>).get();
      return row === null ? null : [row];
    },
    peek: () => [],
  };
}

type Arrived = readonly [arrival: number, row: PlainRow];

/** Everything that came, in order of arrival also where windows have merged. */
export function inOrder<T extends readonly [arrival: number, ...unknown[]]>(): AggregateFunction<T, T[], readonly T[]> {
  return {
    create: () => [],
    add(list, one) {
      list.push(one);
      return list;
    },
    result: (list) => list,
    merge: (a, b) => [...a, ...b].sort((x, y) => x[0] - y[0]),
  };
}

/** All rows. */
export function collectRows(): Collected {
  return {
    descriptor: aggregatingState(CONTENTS, inOrder<Arrived>()),
    add: (state, incoming) =>
      (state as AggregatingState<Arrived, readonly Arrived[]>).add([incoming.arrival, incoming.copy()]),
    elements: (state) => (state as AggregatingState<Arrived, readonly Arrived[]>).get()?.map(([, row]) => row) ?? null,
    peek: () => [],
  };
}
