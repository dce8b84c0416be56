/** The table that results go to: made where there is none, else checked column by column before anything is written. */

import { UsageError } from '#base/errors.ts';
import type { ColumnKind, ColumnSpec, Schema } from '#engine/batch/schema.ts';
import type { Instants } from './copy-rows.ts';
import type { Session } from './session.ts';

/** Types that take what a column holds, as PostgreSQL calls them; the first is that of a table we make. */
const TYPES: Readonly<Record<ColumnKind, readonly string[]>> = {
  string: ['text', 'character varying', 'citext'],
  f64: ['double precision', 'numeric'],
  i32: ['integer', 'bigint', 'numeric', 'double precision'],
  bool: ['boolean'],
  timestamp: ['timestamp with time zone', 'timestamp without time zone', 'bigint'],
  bytes: ['bytea'],
};

export interface TableName {
  /** Null: that of the search path. */
  readonly schema: string | null;
  readonly table: string;
}

/** `table` or `schema.table`, as it is written: upper and lower case count. Throws a `TypeError`. */
export function parseTable(text: string): TableName {
  const parts = text.split('.');
  if (parts.length > 2 || parts.some((part) => part === '' || Buffer.byteLength(part) > 63 || part.includes('\0')))
    throw new TypeError('must be a table or schema.table, each of at most 63 bytes');
  return parts.length === 1
    ? { schema: null, table: parts[0] as string }
    : { schema: parts[0] as string, table: parts[1] as string };
}

/** In SQL; another table of the same schema, if named. */
export function sqlName({ schema, table }: TableName, other: string = table): string {
  return schema === null ? quoted(other) : `${quoted(schema)}.${quoted(other)}`;
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const columnList = (schema: Schema): string => schema.columns.map(({ name }) => quoted(name)).join(', ');

interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly filled: boolean;
}

/** Makes the table if there is none. */
export async function makeTable(
  session: Session,
  name: TableName,
  schema: Schema,
  keys: readonly string[],
): Promise<void> {
  await session.query(`table ${sqlName(name)} cannot be created`, createTable(name, schema, keys));
}

function createTable(name: TableName, schema: Schema, keys: readonly string[]): string {
  const columns = schema.columns.map(
    ({ name: column, kind, nullable }) => `${quoted(column)} ${TYPES[kind][0]}${nullable ? '' : ' NOT NULL'}`,
  );
  if (keys.length > 0) columns.push(`PRIMARY KEY (${keys.map(quoted).join(', ')})`);
  return `CREATE TABLE IF NOT EXISTS ${sqlName(name)} (${columns.join(', ')})`;
}

/** Refuses a table that rows do not fit into, saying all that is wrong. Gives how its columns want instants. */
export async function checkTable(
  session: Session,
  name: TableName,
  schema: Schema,
  keys: readonly string[],
): Promise<Instants[]> {
  const there = await columnsOf(session, name);
  const byName = new Map(there.map((column) => [column.name, column]));
  const wrong = [
    ...schema.columns.flatMap((column) => misfit(column, byName.get(column.name))),
    ...there
      .filter(({ name: other, required, filled }) => required && !filled && schema.indexOf(other) < 0)
      .map(({ name: other }) => `column ${quoted(other)} is NOT NULL without a default, and nothing is written to it`),
  ];
  if (keys.length > 0 && !(await hasUniqueIndex(session, name, keys))) {
    const columns = keys.map(quoted).join(', ');
    wrong.push(`it has no unique index on (${columns}): CREATE UNIQUE INDEX ON ${sqlName(name)} (${columns})`);
  }
  if (wrong.length > 0) {
    throw new UsageError(
      `PostgreSQL at ${session.where}: table ${sqlName(name)} does not fit the results: ${wrong.join('; ')}. Change it, or name another table, which is made: ${createTable(name, schema, keys)}.`,
    );
  }
  return schema.columns.map(({ name: column }) => (byName.get(column)?.type === 'bigint' ? 'number' : 'timestamp'));
}

function misfit({ name, kind, nullable }: ColumnSpec, column: TableColumn | undefined): string[] {
  if (column === undefined) return [`column ${quoted(name)} (${TYPES[kind][0]}) is missing`];
  if (!TYPES[kind].includes(column.type))
    return [`column ${quoted(name)} is ${column.type}, and must be ${TYPES[kind].join(' or ')}`];
  return nullable && column.required ? [`column ${quoted(name)} is NOT NULL, and results may be null`] : [];
}

async function columnsOf(session: Session, name: TableName): Promise<TableColumn[]> {
  const { rows } = await session.query<TableColumn>(
    `columns of ${sqlName(name)} cannot be read`,
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
            atthasdef OR attidentity <> '' AS filled
       FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [sqlName(name)],
  );
  return rows;
}

/** Over exactly these columns, in any order, for all rows. */
async function hasUniqueIndex(session: Session, name: TableName, keys: readonly string[]): Promise<boolean> {
  const { rows } = await session.query<{ columns: string[] }>(
    `indexes of ${sqlName(name)} cannot be read`,
    `SELECT array_agg(attname::text) AS columns
       FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])
      WHERE indrelid = to_regclass($1) AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
      GROUP BY indexrelid`,
    [sqlName(name)],
  );
  const wanted = [...keys].sort().join('\0');
  return rows.some(({ columns }) => [...columns].sort().join('\0') === wanted);
}
