import { describe, expect, it } from 'vitest';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { bytes, f64, nullable, schema, string, timestamp } from '#engine/batch/schema.ts';
import { fill } from '#testing/harness.ts';
import { OutputBuffer } from '../file/output-buffer.ts';
import { CopyRows, instantText } from './copy-rows.ts';
import { applicationOf, gidOf, ledgerName } from './ledger.ts';
import { PostgresError, placeOf, withoutPassword } from './session.ts';
import { parseTable, sqlName } from './table.ts';

describe('rows for COPY', () => {
  const of = schema({
    s: nullable(string()),
    x: nullable(f64()),
    at: timestamp(),
    ms: timestamp(),
    raw: nullable(bytes()),
  });

  it('escapes what means something there, and tells null from everything else', () => {
    const rows = [
      { s: 'a\tb\\N\n', x: -0.5, at: 1_700_000_000_123, ms: 1_700_000_000_123, raw: Buffer.from([0, 92]) },
      { s: null, x: null, at: 0, ms: 0, raw: null },
      { s: '\0', x: Number.NEGATIVE_INFINITY, at: 0, ms: -1, raw: new Uint8Array(0) },
    ];
    const out = new OutputBuffer(16);
    const encoder = new CopyRows(of, ['timestamp', 'timestamp', 'timestamp', 'number', 'timestamp']);
    encoder.bind(fill(of, new Dictionary(), rows, []));
    for (const row of rows.keys()) encoder.encode(out, row);
    expect(out.bytes.toString('utf8', 0, out.length).split('\n')).toEqual([
      'a\\tb\\\\N\\n\t-0.5\t2023-11-14 22:13:20.123+00\t1700000000123\t\\\\x005c',
      '\\N\t\\N\t1970-01-01 00:00:00.000+00\t0\t\\N',
      '\ufffd\t-Infinity\t1970-01-01 00:00:00.000+00\t-1\t\\\\x',
      '',
    ]);
  });

  it('writes instants of any year', () => {
    expect([8.64e15, -62_135_596_800_000, -62_135_596_800_001, -62_198_755_200_001, -8.64e15].map(instantText)).toEqual(
      [
        '275760-09-13 00:00:00.000+00',
        '0001-01-01 00:00:00.000+00',
        '0001-12-31 23:59:59.999+00 BC',
        '0003-12-31 23:59:59.999+00 BC',
        '-infinity',
      ],
    );
  });
});

describe('where PostgreSQL is', () => {
  it('a URL is kept without its secrets', () => {
    for (const [given, url, password] of [
      ['postgres://me:s%20cret@db:5433/weir', 'postgres://me@db:5433/weir', 's cret'],
      ['postgresql://me@db/weir?sslmode=require', 'postgresql://me@db/weir?sslmode=require', null],
      ['postgres://me@db/weir?password=hidden&sslpassword=x', 'postgres://me@db/weir', 'hidden'],
    ] as const)
      expect(withoutPassword(given)).toEqual({ url, password });
    for (const wrong of ['db:secret@host', 'mysql://me:secret@db/x']) {
      const refused = (): unknown => withoutPassword(wrong);
      expect(refused).toThrow(/postgres:\/\//);
      expect(refused).not.toThrow(/secret/);
    }
  });

  it('people are told host, port and database', () => {
    expect(placeOf('postgres://me@db:5433/weir')).toBe('db:5433/weir');
    expect(placeOf('postgres://db/weir')).toBe('db:5432/weir');
  });

  it('an error of the connection may pass, one of the server stays', () => {
    const error = (code: string): PostgresError =>
      new PostgresError('db', 'cannot', Object.assign(new Error('no'), { code }));
    expect(
      ['ECONNREFUSED', '57P01', '08006', '53300', '22001', '42P01'].map((code) => error(code).disconnected),
    ).toEqual([true, true, true, true, false, false]);
  });
});

describe('names in PostgreSQL', () => {
  it('tables are taken as they are written, with a schema or without', () => {
    expect(sqlName(parseTable('Windows'))).toBe('"Windows"');
    expect(sqlName(parseTable('a.b"c'), 'weir_sinks')).toBe('"a"."weir_sinks"');
    expect(sqlName(parseTable('a.b"c'))).toBe('"a"."b""c"');
    for (const wrong of ['', 'a.', 'a.b.c', 'x'.repeat(64)]) expect(() => parseTable(wrong)).toThrow(/schema\.table/);
  });

  it('of sinks fit everywhere, and stay different', () => {
    const odd = ['iot:windows', "o'hara", 'a b', 'ü', 'ö', 'x'.repeat(300), `${'x'.repeat(299)}y`];
    const names = odd.map(ledgerName);
    expect(new Set(names).size).toBe(odd.length);
    expect(names[0]).toBe('iot:windows');
    for (const name of names) {
      expect(Buffer.byteLength(applicationOf(name, 32767))).toBeLessThanOrEqual(63);
      expect(gidOf(name, { epoch: 9e15, subtask: 32767, n: 9e15, rows: 1 }).length).toBeLessThanOrEqual(200);
      expect(name).toMatch(/^[\x21-\x7e]+$/);
      expect(name).not.toContain("'");
    }
  });
});
