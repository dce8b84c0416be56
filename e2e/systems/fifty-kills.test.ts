/** Fifty kills of the server in front of a real PostgreSQL: the table holds in the end what an undisturbed run has given, each row once. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KILLED, serveKilled, serveToEnd } from '../killed-server.ts';
import { committedRows } from '../recovery.ts';
import { scratchPath } from '../weir.ts';
import { POSTGRES, PostgresServer } from './postgres.ts';

const KILLS = 50;
/** Sessions in a transaction that has rows. */
const SENDING = 'SELECT pid FROM pg_stat_activity WHERE backend_xid IS NOT NULL';

describe.skipIf(POSTGRES === null)('PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
    process.env.PGPASSWORD = server.password;
  });
  afterAll(async () => {
    delete process.env.PGPASSWORD;
    await server?.stop();
  });

  it('PG2 fifty kills of the server cost no row of the table and double none, nor of the files beside it', async () => {
    const undisturbed = scratchPath('undisturbed');
    expect(await serveToEnd([...KILLED, '--output', undisturbed, '--parallelism', '1'])).toBe('FINISHED');
    const expected = committedRows(undisturbed);
    const output = scratchPath('killed');
    const { moments, said, state } = await serveKilled({
      flags: (attempt) => [
        ...KILLED,
        ...['--output', output, '--postgres', server.url],
        ...['--parallelism', `source=1,window=${1 + (attempt % 3)}`],
      ],
      checkpoints: join(output, 'checkpoints'),
      kills: KILLS,
      seed: 3,
      begun: async () => (await server.query(SENDING)).length > 0,
    });
    expect([moments.length, state]).toEqual([KILLS, 'FINISHED']);
    const goneOn = said.flatMap((text) => /Going on from checkpoint (\d+)/.exec(text)?.[1] ?? []);
    expect(new Set(goneOn).size).toBeGreaterThan(KILLS / 5);
    expect((await tableRows()).sort()).toEqual(expected.windows);
    expect(await server.prepared()).toEqual([]);
    expect(committedRows(output)).toEqual(expected);
  });

  /** As the CSV has them. */
  async function tableRows(): Promise<string[]> {
    const sensors = ['temperature', 'humidity', 'pressure'].flatMap((sensor) =>
      ['min', 'max', 'avg'].map((value) => `${sensor}_${value}`),
    );
    const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint AS ${column}`;
    const columns = ['device_id', ms('window_start'), ms('window_end'), 'count', ...sensors].join(', ');
    const rows = await server.query<Record<string, unknown>>(`SELECT ${columns} FROM windows`);
    return rows.map((row) => Object.values(row).join(','));
  }
});
