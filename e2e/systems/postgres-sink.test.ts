import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresSink, type PostgresSinkOptions } from '#connectors/postgres/postgres-sink.ts';
import { bool, bytes, f64, i32, nullable, schema, string, timestamp } from '#engine/batch/schema.ts';
import { NO_OBSTACLES, type Sink } from '#engine/io/sink.ts';
import { failedWriters, sinkRecovery } from '#engine/operators/sink.ts';
import { ALL, Attempt, type Checkpoint, Counted, CountingJob, NO_SAVEPOINTS } from './counting-job.ts';
import { Cut } from './cut.ts';
import { POSTGRES, PostgresServer } from './postgres.ts';

const row = (v: number, device = 'd') => ({ device, at: v, v });

describe.skipIf(POSTGRES === null)('PostgreSQL', () => {
  let server: PostgresServer;
  let table = '';
  let tables = 0;

  beforeAll(async () => {
    server = await PostgresServer.start();
    process.env.PGPASSWORD = server.password;
  });
  afterAll(async () => {
    delete process.env.PGPASSWORD;
    await server?.stop();
  });
  beforeEach(async () => {
    table = `Results ${tables++}`;
    // A test that has failed leaves nothing to the next one.
    for (const gid of await server.prepared()) await server.query(`ROLLBACK PREPARED '${gid}'`);
  });

  const sinkOf = (options: Partial<PostgresSinkOptions> = {}): Sink =>
    new PostgresSink({
      url: server.url,
      table,
      mode: 'exactly-once',
      schema: Counted,
      keys: ['device'],
      name: `job:${table}`,
      ...options,
    }) as Sink;
  const values = async (): Promise<number[]> =>
    (await server.query<{ v: number }>(`SELECT v FROM "${table}" ORDER BY v`)).map(({ v }) => v);
  const begin = async (sink: Sink, from: Checkpoint | null = null, parallelism = 1) => {
    const notes = await sink.recover?.(from === null ? null : sinkRecovery(from.snapshots), NO_SAVEPOINTS);
    return { notes, attempt: new Attempt(sink, parallelism, from) };
  };
  /** A checkpoint of an attempt, complete or not. */
  const take = async (attempt: Attempt, id: number): Promise<Checkpoint> => ({
    offset: 0,
    snapshots: await attempt.snapshot(id),
  });

  it('PG1 rows are seen when their checkpoint is complete, and none before', async () => {
    const { attempt } = await begin(sinkOf());
    await attempt.write([row(1), row(2)]);
    await take(attempt, 1);
    await attempt.write([row(3)]);
    expect([await values(), (await server.prepared()).length]).toEqual([[], 1]);
    await attempt.complete(1);
    expect([await values(), (await server.prepared()).length]).toEqual([[1, 2], 0]);
    attempt.die();
  });

  it('PG2 a crash between prepare and commit: the checkpoint commits its rows, in another process too, and what came later is taken back', async () => {
    const { attempt } = await begin(sinkOf({ owner: 'one' }));
    await attempt.write([row(1)]);
    const first = await take(attempt, 1);
    await attempt.write([row(2)]);
    await take(attempt, 2);
    await attempt.write([row(3)]);
    attempt.die();
    const { attempt: again, notes } = await begin(sinkOf({ owner: 'two' }), first);
    await again.settled();
    expect([await values(), notes, await server.prepared()]).toEqual([[1], [], []]);
    await again.write([row(2), row(3)]);
    await take(again, 3);
    await again.complete(3);
    expect(await values()).toEqual([1, 2, 3]);
    again.die();
  });

  it('PG15 where one writer goes back, what others have prepared stays and is committed, and what it had prepared since is taken back', async () => {
    const sink = sinkOf({ name: `job:${table}` });
    const { attempt } = await begin(sink, null, 2);
    await attempt.write([row(1)], 0);
    await attempt.write([row(2)], 1);
    const first = await take(attempt, 1);
    await attempt.write([row(3)], 0);
    await attempt.write([row(4)], 1);
    const second = await take(attempt, 2);
    expect(await server.prepared()).toHaveLength(4);
    // Of the second checkpoint nobody hears.
    attempt.subtasks[0]?.notifyComplete(1);
    await attempt.settled();
    const restored = sinkRecovery(first.snapshots);
    const failed = failedWriters(first.snapshots, new Set([1]), 2);
    const open = async (): Promise<string[]> =>
      (
        await server.query<{ name: string }>(
          'SELECT application_name AS name FROM pg_stat_activity WHERE application_name LIKE $1 ORDER BY 1',
          [`weir job:${table.replace(' ', '_')}%`],
        )
      ).map(({ name }) => name.split(' ')[2] ?? 'main');
    const before = await open();
    attempt.subtasks[1]?.close();
    expect(await sink.recoverWriters?.(restored, failed, NO_SAVEPOINTS)).toEqual([]);
    expect([await values(), (await server.prepared()).length]).toEqual([[1, 2], 1]);
    expect([before.includes('0'), await open()]).toEqual([true, before.filter((name) => name === '0')]);
    const again = new Attempt(sink, 2, first);
    // What it was restored with is known to be committed.
    await again.settled();
    await again.write([row(4)], 1);
    const third = [
      ...(await Promise.all([attempt.subtasks[0]?.snapshotLater(3), again.subtasks[1]?.snapshotLater(3)])),
    ] as Checkpoint['snapshots'];
    expect(sinkRecovery(third).committables).toHaveLength(2);
    attempt.subtasks[0]?.notifyComplete(3);
    again.subtasks[1]?.notifyComplete(3);
    await attempt.settled();
    await again.settled();
    expect([await values(), await server.prepared()]).toEqual([[1, 2, 3, 4], []]);
    expect(second.snapshots).toHaveLength(2);
    attempt.die();
    again.die();
  });

  it('PG15 so it is not where another process has taken the sink over', async () => {
    const sink = sinkOf({ owner: 'one' });
    await begin(sink, null, 2);
    await begin(sinkOf({ owner: 'two' }), null, 2);
    const failed = { subtasks: new Set([1]), committables: [] };
    await expect(sink.recoverWriters?.(null, failed, NO_SAVEPOINTS)).rejects.toThrow('is written by two now');
  });

  it('PG2 without a checkpoint everything that was prepared is taken back', async () => {
    const { attempt } = await begin(sinkOf());
    await attempt.write([row(1)]);
    await take(attempt, 1);
    attempt.die();
    const { attempt: again } = await begin(sinkOf());
    expect([await values(), await server.prepared()]).toEqual([[], []]);
    again.die();
  });

  it('PG3 a commit may be asked for again, and knows what was committed from what is lost', async () => {
    const sink = sinkOf();
    const { attempt } = await begin(sink);
    await attempt.write([row(1)]);
    const first = await take(attempt, 1);
    await attempt.complete(1);
    const { committables } = sinkRecovery(first.snapshots);
    const committer = sinkOf({ owner: 'somebody else' }).createCommitter(0);
    expect(await committer?.commit(committables)).toEqual([]);
    await attempt.write([row(2)]);
    const second = await take(attempt, 2);
    const [gid] = await server.prepared();
    await server.query(`ROLLBACK PREPARED '${gid}'`);
    const lost = /is neither prepared nor committed, so its 1 rows are lost/;
    await expect(committer?.commit(sinkRecovery(second.snapshots).committables)).rejects.toThrow(lost);
    await expect(attempt.complete(2)).rejects.toThrow(lost);
    await expect(begin(sink, second)).rejects.toThrow(lost);
    expect(await values()).toEqual([1]);
    committer?.close?.();
    attempt.die();
  });

  for (const [last, parallelism] of [
    ['arrives', 2],
    ['is lost', 1],
  ] as const) {
    it(`PG4 wherever the wire breaks, each row is there once in the end (the last message ${last})`, async () => {
      let broke = true;
      for (let pieces = 1; broke; pieces++) {
        const job = new CountingJob();
        const name = `${last} ${pieces}`;
        const cut = await Cut.open(server.port, pieces, last);
        const url = new URL(server.url);
        url.port = String(cut.port);
        try {
          await job.run(sinkOf({ url: url.toString(), name, owner: 'one' }), parallelism);
        } catch {
          // As it should.
        }
        broke = cut.broken;
        await cut.close();
        await job.run(sinkOf({ name, owner: 'two' }), parallelism);
        expect([pieces, await values(), await server.prepared(), job.notes]).toEqual([pieces, ALL, [], []]);
        await server.query(`TRUNCATE "${table}"`);
      }
    });
  }

  it('PG5 who was taken over writes nothing more, prepares nothing, and cannot come back', async () => {
    const old = sinkOf({ owner: 'old' });
    const { attempt } = await begin(old);
    await attempt.write([row(1)]);
    const { attempt: next } = await begin(sinkOf({ owner: 'new' }));
    const prepared = async (): Promise<unknown> => {
      await attempt.write([row(2)]);
      return take(attempt, 1);
    };
    await expect(prepared()).rejects.toThrow(/connection/);
    await expect(begin(old)).rejects.toThrow(/is written by new now, not by this process \(old\) any more/);
    const straggler = new Attempt(old, 1, null);
    await expect(straggler.write([row(3)])).rejects.toThrow(/written by new now/);
    await next.write([row(4)]);
    await take(next, 1);
    await next.complete(1);
    expect([await values(), await server.prepared()]).toEqual([[4], []]);
    for (const one of [attempt, straggler, next]) one.die();
  });

  it('PG6 what a lost checkpoint had committed is named, once, because it cannot be taken back', async () => {
    const { attempt } = await begin(sinkOf());
    await attempt.write([row(1)]);
    const first = await take(attempt, 1);
    await attempt.complete(1);
    for (const id of [2, 3]) {
      await attempt.write([row(id), row(10 * id)]);
      await take(attempt, id);
    }
    await attempt.complete(3);
    attempt.die();
    const { attempt: again, notes } = await begin(sinkOf(), first);
    expect(notes).toHaveLength(1);
    expect(notes?.[0]).toMatch(
      /2 transactions with 4 rows in table Results \d+ cannot be taken back, .*: weir:.*:0:1, weir:.*:0:2\. What comes again is there twice/,
    );
    again.die();
    const { attempt: third, notes: none } = await begin(sinkOf(), first);
    expect(none).toEqual([]);
    third.die();
  });

  it('PG14 before it goes on it tells which transactions of a checkpoint are lost, and which were committed behind it', async () => {
    const { attempt } = await begin(sinkOf());
    await attempt.write([row(1)]);
    const first = await take(attempt, 1);
    await attempt.complete(1);
    await attempt.write([row(2), row(20)]);
    const second = await take(attempt, 2);
    attempt.die();
    const check = (checkpoint: Checkpoint) => sinkOf().check?.(sinkRecovery(checkpoint.snapshots));
    // What is prepared can be taken back.
    expect([await check(second), await check(first)]).toEqual([NO_OBSTACLES, NO_OBSTACLES]);
    expect((await server.prepared()).length).toBe(1);
    const committer = sinkOf().createCommitter(0);
    await committer?.commit(sinkRecovery(second.snapshots).committables);
    committer?.close?.();
    expect(await check(second)).toEqual(NO_OBSTACLES);
    const behind =
      /1 transaction with 2 rows in table Results \d+ were committed later and cannot be taken back: weir:/;
    expect(await check(first)).toEqual({ damage: null, doubled: expect.stringMatching(behind) });
    const { attempt: again } = await begin(sinkOf(), first);
    await again.write([row(3)]);
    const third = await take(again, 3);
    again.die();
    // It was gone back to because somebody asked for it, and told.
    expect(await check(first)).toEqual(NO_OBSTACLES);
    await sinkOf().recover?.(null, NO_SAVEPOINTS);
    expect((await check(third))?.damage).toMatch(/is neither prepared nor committed/);
  });

  it('PG7 a commit waits for a server that comes back', async () => {
    const { attempt } = await begin(sinkOf());
    await attempt.write([row(1)]);
    await take(attempt, 1);
    await server.kill();
    const committer = sinkOf().createCommitter(0);
    const transactions = [{ epoch: 1, subtask: 0, n: 0, rows: 1 }];
    expect(await committer?.commit(transactions)).toEqual(transactions);
    await server.run();
    expect(await committer?.commit(transactions)).toEqual([]);
    expect(await values()).toEqual([1]);
    committer?.close?.();
    attempt.die();
  });

  it('PG8 at another parallelism each transaction is committed once', async () => {
    const job = new CountingJob();
    const dying = sinkOf({ owner: 'one' });
    const { attempt } = await begin(dying, null, 3);
    for (const subtask of [0, 1, 2]) await attempt.write([row(subtask)], subtask);
    job.checkpoints.push({ offset: 3, snapshots: await attempt.snapshot(1) });
    attempt.die();
    await job.run(sinkOf({ owner: 'two' }), 2);
    expect([await values(), job.notes]).toEqual([ALL, []]);
  });

  it('PG9 every kind of value is read back as it was, and no input can make it fail', async () => {
    const of = schema({
      s: nullable(string()),
      x: nullable(f64()),
      n: i32(),
      ok: bool(),
      at: nullable(timestamp()),
      raw: nullable(bytes()),
    });
    const sink = sinkOf({ schema: of });
    await sink.recover?.(null, NO_SAVEPOINTS);
    const attempt = new Attempt(sink, 1, null, of);
    const odd = 'a\tb\nc\rd\\e"\'\u2028ü😀\\N\v\b\f';
    await attempt.write([
      { s: odd, x: 1 / 3, n: -2147483648, ok: true, at: 8.64e15, raw: Buffer.from([0, 255, 92]) },
      {
        s: 'nul \0, half \ud800',
        x: -1e300,
        n: 2147483647,
        ok: false,
        at: -62_167_219_200_001,
        raw: new Uint8Array(0),
      },
      { s: null, x: null, n: 0, ok: true, at: null, raw: null },
      { s: '', x: Number.POSITIVE_INFINITY, n: 1, ok: true, at: 1700000000123, raw: null },
    ]);
    await take(attempt, 1);
    await attempt.complete(1);
    const rows = await server.query(
      `SELECT s, x, n, ok, extract(epoch FROM at)::float8 * 1000 AS at, raw FROM "${table}" ORDER BY n`,
    );
    expect(rows).toEqual(
      [
        {
          s: 'nul \ufffd, half \ufffd',
          x: -1e300,
          n: 2147483647,
          ok: false,
          at: -62_167_219_200_001,
          raw: Buffer.alloc(0),
        },
        { s: '', x: Number.POSITIVE_INFINITY, n: 1, ok: true, at: 1700000000123, raw: null },
        { s: null, x: null, n: 0, ok: true, at: null, raw: null },
        { s: odd, x: 1 / 3, n: -2147483648, ok: true, at: 8.64e15, raw: Buffer.from([0, 255, 92]) },
      ].sort((a, b) => a.n - b.n),
    );
    attempt.die();
  });

  it('PG9 many rows go out in pieces, and hold the writer back', async () => {
    const { attempt } = await begin(sinkOf());
    const batch = Array.from({ length: 2000 }, (_, v) => row(v, 'x'.repeat(1000)));
    for (let i = 0; i < 10; i++) await attempt.write(batch);
    await take(attempt, 1);
    await attempt.complete(1);
    expect(await server.count(table)).toBe(20_000);
    attempt.die();
  });

  it('PG10 a table that rows do not fit into is refused, with all that is wrong', async () => {
    await server.query(`CREATE TABLE "${table}" (device varchar(3), at bigint, extra int NOT NULL)`);
    await expect(begin(sinkOf())).rejects.toThrow(
      /does not fit the results: column "device" is character varying\(3\), and must be text or .*; column "v" \(double precision\) is missing; column "extra" is NOT NULL without a default.*CREATE TABLE IF NOT EXISTS/,
    );
    await server.query(
      `DROP TABLE "${table}"; CREATE TABLE "${table}" (v numeric, at bigint, device varchar, id bigserial)`,
    );
    const { attempt } = await begin(sinkOf());
    await attempt.write([row(5)]);
    await take(attempt, 1);
    await attempt.complete(1);
    expect(await server.query(`SELECT at, v, id FROM "${table}"`)).toEqual([{ at: '5', v: '5', id: '1' }]);
    attempt.die();
    await expect(begin(sinkOf({ mode: 'upsert' }))).rejects.toThrow(
      /has no unique index on \("device"\): CREATE UNIQUE INDEX/,
    );
  });

  it('PG11 errors say where and what to do, and never the password', async () => {
    const wrong = new URL(server.url);
    wrong.username = 'nobody';
    await expect(begin(sinkOf({ url: wrong.toString() }))).rejects.toThrow(
      /^PostgreSQL at 127\.0\.0\.1:\d+\/postgres: cannot connect: password authentication failed for user "nobody".*PGPASSWORD/,
    );
    await expect(begin(sinkOf({ url: 'postgres://weir@127.0.0.1:1/postgres' }))).rejects.toThrow(
      /127\.0\.0\.1:1\/postgres: cannot connect: connect ECONNREFUSED/,
    );
  });

  describe('upsert', () => {
    let plain: PostgresServer;
    beforeAll(async () => {
      plain = await PostgresServer.start({ maxPreparedTransactions: 0 });
    });
    afterAll(() => plain?.stop());
    const upsert = (options: Partial<PostgresSinkOptions> = {}) => {
      process.env.PGPASSWORD = plain.password;
      return sinkOf({ url: plain.url, mode: 'upsert', ...options });
    };
    const there = () => plain.query(`SELECT device, v FROM "${table}" ORDER BY device`);

    it('PG12 the last row of a key is there, whether they come together, one by one or again', async () => {
      const sink = upsert();
      const { attempt } = await begin(sink);
      await attempt.write([row(1, 'a'), row(2, 'b'), row(3, 'a')]);
      const first = await take(attempt, 1);
      expect(await there()).toEqual([
        { device: 'a', v: 3 },
        { device: 'b', v: 2 },
      ]);
      await attempt.write([row(4, 'b'), row(5, 'c')]);
      await take(attempt, 2);
      attempt.die();
      const { attempt: again } = await begin(upsert(), first);
      await again.write([row(4, 'b')]);
      await again.write([row(5, 'c'), row(6, 'b')]);
      await take(again, 2);
      expect(await there()).toEqual([
        { device: 'a', v: 3 },
        { device: 'b', v: 6 },
        { device: 'c', v: 5 },
      ]);
      again.die();
    });

    it('PG12 rows are shown without waiting for a checkpoint', async () => {
      const { attempt } = await begin(upsert());
      await attempt.write([row(1, 'a')]);
      attempt.subtasks[0]?.quiet();
      await expect.poll(there, { timeout: 20_000 }).toEqual([{ device: 'a', v: 1 }]);
      attempt.die();
    });

    it('PG12 who was taken over overwrites nothing', async () => {
      const { attempt } = await begin(upsert({ owner: 'old' }));
      await attempt.write([row(1, 'a')]);
      const { attempt: next } = await begin(upsert({ owner: 'new' }));
      await next.write([row(2, 'a')]);
      await take(next, 1);
      await expect(take(attempt, 1)).rejects.toThrow(/connection/);
      expect(await there()).toEqual([{ device: 'a', v: 2 }]);
      for (const one of [attempt, next]) one.die();
    });

    it('PG13 exactly-once is refused by a server that prepares no transactions', async () => {
      await expect(begin(upsert({ mode: 'exactly-once' }))).rejects.toThrow(/max_prepared_transactions/);
    });
  });
});
