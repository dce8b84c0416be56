/**
 * Declared aggregates: data, so that they can be compiled into one loop, explained, and translated to SQL.
 *
 * Accumulators of a (key, window) lie side by side in one Float64Array (an array of structs): one or two cache lines per row, where an array
 * per aggregate would touch ten. Slot 0 is nobody's: rows that do not count are added there, so that the loop needs no branch for them.
 */

import { WeirError } from '#base/errors.ts';
import type { Fields, NumericField, Schema } from '../batch/schema.ts';

export interface Aggregate<Field extends string = string> {
  readonly fn: 'count' | 'min' | 'max' | 'sum' | 'avg';
  /** Null for `count`. */
  readonly field: Field | null;
}

export type AggregatesOf<F extends Fields> = { readonly [name: string]: Aggregate<NumericField<F>> };

export const count = (): Aggregate<never> => ({ fn: 'count', field: null });
export const min = <N extends string>(field: N): Aggregate<N> => ({ fn: 'min', field });
export const max = <N extends string>(field: N): Aggregate<N> => ({ fn: 'max', field });
export const sum = <N extends string>(field: N): Aggregate<N> => ({ fn: 'sum', field });
/** Plain sum in order of arrival, divided by the count: to the last bit what a loop over the rows gives. */
export const avg = <N extends string>(field: N): Aggregate<N> => ({ fn: 'avg', field });

interface Cell {
  readonly op: 'count' | 'min' | 'max' | 'sum';
  readonly column: number;
  readonly nullable: boolean;
}

/** What a set of aggregates compiles to. */
export interface AggregatePlan {
  /** Accumulator cells per slot. */
  readonly width: number;
  /** Starting value of each cell. */
  readonly initial: Float64Array;
  /** Per result: which cells give it; `nullable` where a window of nulls has no value. */
  readonly results: readonly {
    readonly name: string;
    readonly cell: number;
    readonly divisor: number;
    readonly emptyIfZero: number;
    readonly nullable: boolean;
  }[];
  readonly cells: readonly Cell[];
}

/** Aggregates that share a cell (the count behind several averages) use it together. Unknown or non-numeric fields are named. */
export function planAggregates(
  schema: Schema,
  aggregates: Readonly<Record<string, Aggregate>>,
  where: string,
): AggregatePlan {
  const cells: Cell[] = [];
  const cell = (op: Cell['op'], column: number, nullable: boolean): number => {
    const known = cells.findIndex((c) => c.op === op && c.column === column);
    return known >= 0 ? known : cells.push({ op, column, nullable }) - 1;
  };
  const results = Object.entries(aggregates).map(([name, { fn, field }]) => {
    if (fn === 'count') return { name, cell: cell('count', -1, false), divisor: -1, emptyIfZero: -1, nullable: false };
    const column = schema.require(field ?? '', `${where}, aggregate "${name}"`);
    const spec = schema.columns[column];
    if (spec === undefined || (spec.kind !== 'f64' && spec.kind !== 'i32' && spec.kind !== 'timestamp')) {
      throw new WeirError(
        'AGGREGATE_TYPE',
        `${where}: ${fn}("${field}") needs numbers, but "${field}" is ${spec?.kind}.`,
      );
    }
    // Over a nullable column nulls do not count, and a window of nulls only has no result.
    const values = spec.nullable ? cell('count', column, true) : cell('count', -1, false);
    const main = cell(fn === 'avg' ? 'sum' : fn, column, spec.nullable);
    return {
      name,
      cell: main,
      divisor: fn === 'avg' ? values : -1,
      emptyIfZero: spec.nullable ? values : -1,
      nullable: spec.nullable,
    };
  });
  const initial = Float64Array.from(cells, (c) =>
    c.op === 'min' ? Number.POSITIVE_INFINITY : c.op === 'max' ? Number.NEGATIVE_INFINITY : 0,
  );
  return { width: cells.length, initial, results, cells };
}

/** Adds rows `from .. to` of those that count to the accumulators at `slots[i]`. */
export type Accumulate = (
  acc: Float64Array,
  slots: Int32Array,
  columns: readonly unknown[],
  rows: Int32Array | null,
  from: number,
  to: number,
) => void;

/** One loop for all cells: ten kernels of one cell each are three times slower. */
export function makeAccumulate(plan: AggregatePlan): Accumulate {
  const used = [...new Set(plan.cells.map((c) => c.column).filter((c) => c >= 0))];
  const nullableColumns = new Set(plan.cells.filter((c) => c.nullable).map((c) => c.column));
  const update = (c: Cell, i: number): string => {
    const at = i === 0 ? 'o' : `o + ${i}`;
    const v = `v${c.column}`;
    switch (c.op) {
      case 'count':
        return `acc[${at}]++;`;
      case 'min':
        return `if (${v} < acc[${at}]) acc[${at}] = ${v};`;
      case 'max':
        return `if (${v} > acc[${at}]) acc[${at}] = ${v};`;
      case 'sum':
        return `acc[${at}] += ${v};`;
    }
  };
  const plain = plan.cells.map((c, i) => (c.column < 0 ? update(c, i) : '')).join(' ');
  const perColumn = used
    .map((column) => {
      const body = plan.cells.map((c, i) => (c.column === column ? update(c, i) : '')).join(' ');
      const load = `const v${column} = c${column}[k];`;
      return nullableColumns.has(column) ? `${load} if (v${column} === v${column}) { ${body} }` : `${load} ${body}`;
    })
    .join('\n');
  const loop = (k: string): string =>
    `for (let i = from; i < to; i++) { const k = ${k}; const o = slots[i] * ${plan.width}; ${plain} ${perColumn} }`;
  return new Function(`return function accumulate(acc, slots, columns, rows, from, to) {
    ${used.map((c) => `const c${c} = columns[${c}];`).join(' ')}
    if (rows === null) ${loop('i')} else ${loop('rows[i]')}
  }`)() as Accumulate;
}

/** Writes the results of slots `first .. last` into columns `at …` of a result batch, starting at column `offset`. */
export type WriteResults = (
  acc: Float64Array,
  first: number,
  last: number,
  columns: readonly unknown[],
  at: number,
) => void;

export function makeWriteResults(plan: AggregatePlan, offset: number): WriteResults {
  const value = (r: AggregatePlan['results'][number]): string => {
    const cell = `acc[o + ${r.cell}]`;
    const result = r.divisor >= 0 ? `${cell} / acc[o + ${r.divisor}]` : cell;
    return r.emptyIfZero >= 0 ? `acc[o + ${r.emptyIfZero}] === 0 ? NaN : ${result}` : result;
  };
  return new Function(`return function writeResults(acc, first, last, columns, at) {
    ${plan.results.map((_, i) => `const r${i} = columns[${offset + i}];`).join(' ')}
    for (let s = first, j = at; s < last; s++, j++) { const o = s * ${plan.width}; ${plan.results.map((r, i) => `r${i}[j] = ${value(r)};`).join(' ')} }
  }`)() as WriteResults;
}

/** Adds the accumulators of slots `sources[i]` to those of `targets[i]`, for `i < pairs`. */
export type MergeAccumulators = (acc: Float64Array, targets: Int32Array, sources: Int32Array, pairs: number) => void;

export function makeMerge(plan: AggregatePlan): MergeAccumulators {
  const update = (c: Cell, i: number): string => {
    const [to, from] = [`acc[t + ${i}]`, `acc[s + ${i}]`];
    switch (c.op) {
      case 'count':
      case 'sum':
        return `${to} += ${from};`;
      case 'min':
        return `if (${from} < ${to}) ${to} = ${from};`;
      case 'max':
        return `if (${from} > ${to}) ${to} = ${from};`;
    }
  };
  return new Function(`return function merge(acc, targets, sources, pairs) {
    for (let i = 0; i < pairs; i++) {
      const t = targets[i] * ${plan.width}, s = sources[i] * ${plan.width};
      ${plan.cells.map(update).join(' ')}
    }
  }`)() as MergeAccumulators;
}
