/** The flags of results that go to PostgreSQL. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { messageOf, UsageError } from '#base/errors.ts';
import { type PostgresMode, PostgresSink } from '#connectors/postgres/postgres-sink.ts';
import { placeOf, withoutPassword } from '#connectors/postgres/session.ts';
import { parseTable } from '#connectors/postgres/table.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { PostgresParams } from '#jobs/iot.ts';

export interface PostgresFlags {
  postgres?: { readonly url: string; readonly password: string | null };
  postgresTable?: string;
  postgresMode?: PostgresMode;
}

export function addPostgresFlags(command: Command): Command {
  return command
    .option(
      '--postgres <url>',
      'write windows to a table: postgres://user@host:5432/database (password there, in PGPASSWORD or ~/.pgpass)',
      read(withoutPassword),
    )
    .option(
      '--postgres-table <name>',
      'table or schema.table, made if it is not there (default: windows)',
      read((text) => {
        parseTable(text);
        return text;
      }),
    )
    .addOption(
      new Option(
        '--postgres-mode <mode>',
        'exactly-once: a prepared transaction per checkpoint; upsert: the last row of a device and window, at once (default: exactly-once)',
      ).choices(['exactly-once', 'upsert']),
    );
}

/**
 * Null: none. The password goes where PostgreSQL's own programs look for it, and where the threads of this process do: into PGPASSWORD. So it
 * is in no parameter, and nothing that shows or keeps parameters has it.
 */
export function postgresOf({ postgres, postgresTable, postgresMode }: PostgresFlags): PostgresParams | null {
  if (postgres === undefined) {
    for (const [value, flag] of [
      [postgresTable, '--postgres-table'],
      [postgresMode, '--postgres-mode'],
    ])
      if (value !== undefined) throw new UsageError(`${flag} makes sense only with --postgres.`);
    return null;
  }
  if (postgres.password !== null) process.env.PGPASSWORD = postgres.password;
  return { url: postgres.url, table: postgresTable ?? 'windows', mode: postgresMode ?? 'exactly-once' };
}

/** For people: where the results are. */
export function describePostgres({ table, url }: PostgresParams): string {
  return `table ${table} of PostgreSQL at ${placeOf(url)}`;
}

/** Before a job starts: makes tables and refuses what can never work. */
export async function preparePostgres(graph: JobGraph): Promise<void> {
  for (const { sink } of graph.vertices.flatMap(({ operators }) => operators))
    if (sink instanceof PostgresSink) await sink.prepare();
}

function read<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(`It ${messageOf(error)}.`);
    }
  };
}
