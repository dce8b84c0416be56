/**
 * What a row is made of. A schema is data: kernels, cursors and ring layouts are generated from it, and TypeScript derives the row type
 * of a job from it, so that an unknown field or an aggregate over a string does not compile.
 */

import { WeirError } from '#base/errors.ts';

/**
 * Physical kinds of a column and what a cell holds:
 *
 * | kind      | storage                              | null                      |
 * | --------- | ------------------------------------ | ------------------------- |
 * | f64       | Float64Array                         | NaN (only when nullable)  |
 * | timestamp | Float64Array, integer ms since epoch | NaN (only when nullable)  |
 * | i32       | Int32Array                           | not nullable              |
 * | bool      | Uint8Array, 0 or 1                   | not nullable              |
 * | string    | Int32Array of dictionary codes       | code -1                   |
 * | bytes     | start and end into the batch's bytes | start -1                  |
 */
export type ColumnKind = 'f64' | 'timestamp' | 'i32' | 'bool' | 'string' | 'bytes';

export interface Column<K extends ColumnKind = ColumnKind, N extends boolean = boolean> {
  readonly kind: K;
  readonly nullable: N;
}

type CellOf<K extends ColumnKind> = K extends 'f64' | 'timestamp' | 'i32'
  ? number
  : K extends 'bool'
    ? boolean
    : K extends 'string'
      ? string
      : Uint8Array;

export type Fields = { readonly [name: string]: Column };

/** Row as user functions read it; fields are getters on a cursor and valid only during the call. */
export type Row<F extends Fields> = {
  readonly [N in keyof F]: F[N] extends Column<infer K, infer Null>
    ? Null extends true
      ? CellOf<K> | null
      : CellOf<K>
    : never;
};

/** Names of the fields of one of the given kinds. */
export type FieldOf<F extends Fields, K extends ColumnKind> = {
  [N in keyof F]: F[N] extends Column<infer Kind, boolean> ? (Kind extends K ? N : never) : never;
}[keyof F] &
  string;

/** Fields that hold numbers: what min, max, sum and avg accept. */
export type NumericField<F extends Fields> = FieldOf<F, 'f64' | 'timestamp' | 'i32'>;

export interface ColumnSpec {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly nullable: boolean;
}

/** Column names end up in generated source, so they are identifiers and nothing else. */
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** An ordered set of named, typed columns. Immutable; compare by `equals`. */
export class Schema<F extends Fields = Fields> {
  readonly columns: readonly ColumnSpec[];
  readonly fields: F;

  constructor(fields: F) {
    this.fields = fields;
    this.columns = Object.entries(fields).map(([name, column]) => ({ name, ...column }));
    if (this.columns.length === 0) throw new WeirError('SCHEMA_EMPTY', 'A schema needs at least one column.');
    for (const { name, kind, nullable } of this.columns) {
      if (!IDENTIFIER.test(name) || name === 'constructor' || name.startsWith('__')) {
        throw new WeirError(
          'SCHEMA_NAME',
          `Column name ${JSON.stringify(name)} is not usable: use letters, digits and _, at most 63 characters, not starting with a digit or __.`,
        );
      }
      if (nullable && (kind === 'i32' || kind === 'bool')) {
        throw new WeirError('SCHEMA_NULLABLE', `Column ${name}: ${kind} columns cannot be nullable; use f64.`);
      }
    }
  }

  get width(): number {
    return this.columns.length;
  }

  /** Position of a column, or -1. */
  indexOf(name: string): number {
    return this.columns.findIndex((c) => c.name === name);
  }

  /** Position of a column; an unknown name is an error that lists the known ones. */
  require(name: string, where: string): number {
    const i = this.indexOf(name);
    if (i < 0) {
      throw new WeirError(
        'UNKNOWN_FIELD',
        `${where}: unknown field "${name}"; the stream has ${this.columns.map((c) => c.name).join(', ')}.`,
      );
    }
    return i;
  }

  equals(other: Schema): boolean {
    return (
      this.width === other.width &&
      this.columns.every((c, i) => {
        const o = other.columns[i];
        return o !== undefined && o.name === c.name && o.kind === c.kind && o.nullable === c.nullable;
      })
    );
  }

  toString(): string {
    return `{${this.columns.map((c) => `${c.name}: ${c.kind}${c.nullable ? '?' : ''}`).join(', ')}}`;
  }
}

/** `schema({ device_id: string(), temperature: f64() })` */
export function schema<F extends Fields>(fields: F): Schema<F> {
  return new Schema(fields);
}

const column = <K extends ColumnKind>(kind: K): Column<K, false> => ({ kind, nullable: false });

export const f64 = (): Column<'f64', false> => column('f64');
export const timestamp = (): Column<'timestamp', false> => column('timestamp');
export const i32 = (): Column<'i32', false> => column('i32');
export const bool = (): Column<'bool', false> => column('bool');
export const string = (): Column<'string', false> => column('string');
export const bytes = (): Column<'bytes', false> => column('bytes');

/** A column that may hold null; see the table of `ColumnKind` for how. */
export function nullable<K extends 'f64' | 'timestamp' | 'string' | 'bytes'>(of: Column<K, false>): Column<K, true> {
  return { kind: of.kind, nullable: true };
}
