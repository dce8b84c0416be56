/**
 * Writes rows by key, over and over if need be: for servers that prepare no transactions. Rows are shown as they come, before their checkpoint
 * is complete. What holds: before a checkpoint completes its rows are in the table, and of all rows of a key the one written last is there.
 * After a failure rows come again and overwrite themselves; until then older ones may be seen for a moment, and a row that does not come
 * again stays.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { SinkWriter, WriterContext } from '#engine/io/sink.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import { CopyRows } from './copy-rows.ts';
import { applicationOf, Ledger } from './ledger.ts';
import type { PostgresTarget } from './postgres-sink.ts';
import { RowSender } from './row-sender.ts';
import { Session } from './session.ts';
import { checkTable, columnList, quoted, sqlName } from './table.ts';

const STAGING = 'pg_temp.weir_staging';

export class UpsertWriter implements SinkWriter<never, never> {
  readonly #sender: RowSender;

  constructor(target: PostgresTarget, context: WriterContext<never>) {
    const { table, schema, keys } = target;
    const columns = columnList(schema);
    const what = `rows cannot be written to ${sqlName(table)}`;
    const copy = `COPY ${STAGING} (${columns}) FROM STDIN`;
    const upsert = upsertFrom(target);
    this.#sender = new RowSender(
      context,
      async () => {
        const session = await Session.open(target.url, applicationOf(target.sink, context.subtask), (error) =>
          context.fail(error),
        );
        await new Ledger(session, target.sink, table).epochOf(target.owner);
        const instants = await checkTable(session, table, schema, keys);
        await session.query(
          what,
          `CREATE TEMP TABLE weir_staging AS SELECT ${columns} FROM ${sqlName(table)} WITH NO DATA`,
        );
        await session.query(what, `ALTER TABLE ${STAGING} ADD weir_row bigint GENERATED ALWAYS AS IDENTITY`);
        return { session, encoder: new CopyRows(schema, instants) };
      },
      (session, rows) =>
        session.transaction(what, async () => {
          await session.copy(what, copy, rows);
          await session.query(what, upsert);
          await session.query(what, `TRUNCATE ${STAGING}`);
        }),
    );
  }

  ready(): boolean {
    return this.#sender.ready;
  }

  write(batch: RecordBatch): void {
    this.#sender.write(batch);
  }

  /** What is held back goes out when nothing else is on its way. */
  idle(): void {
    if (this.#sender.idle) this.#sender.send();
  }

  prepareCommit(): Eventually<never[]> {
    this.#sender.send();
    return this.#sender.idle ? [] : this.#sender.inTurn(async () => []);
  }

  close(): void {
    this.#sender.close();
  }
}

/** Of the rows of a key that came together the last one counts: one command may not change a row twice. */
function upsertFrom({ table, schema, keys }: PostgresTarget): string {
  const columns = columnList(schema);
  const by = keys.map(quoted).join(', ');
  const others = schema.columns.filter(({ name }) => !keys.includes(name));
  const change =
    others.length === 0
      ? 'NOTHING'
      : `UPDATE SET ${others.map(({ name }) => `${quoted(name)} = EXCLUDED.${quoted(name)}`).join(', ')}`;
  return `INSERT INTO ${sqlName(table)} (${columns})
          SELECT DISTINCT ON (${by}) ${columns} FROM ${STAGING} ORDER BY ${by}, weir_row DESC
          ON CONFLICT (${by}) DO ${change}`;
}
