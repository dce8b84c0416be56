import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '#base/errors.ts';
import { openFileInput } from './open-input.ts';
import { type ReadResult, readAll } from './reader-harness.ts';

const root = mkdtempSync(join(tmpdir(), 'weir-source-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = root;
let nextDirectory = 0;
beforeEach(() => {
  directory = join(root, String(nextDirectory++));
  mkdirSync(directory);
});

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const HEADER = 'device_id,event_timestamp,temperature,humidity,pressure\n';
const json = (i: number) =>
  `{"device_id":"d${i % 7}","event_timestamp":${1000 + i},"temperature":${i % 50},"humidity":${i % 100}.25,"pressure":1000}`;
const csv = (i: number) => `d${i % 7},${1000 + i},${i % 50},${i % 100}.25,1000`;
const lines = (n: number, of: (i: number) => string) => Array.from({ length: n }, (_, i) => `${of(i)}\n`).join('');
const times = ({ rows }: ReadResult) => rows.map((row) => row.time);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => 1000 + i);

/** Rows as text, in the order of their place in the input. */
const inPlace = ({ rows }: ReadResult) =>
  rows
    .toSorted((a, b) => a.offset - b.offset)
    .map((row) =>
      JSON.stringify([row.offset, row.defect, row.id, row.numbers, row.payload.toString(), row.payloadBytes]),
    );

describe('FileSource', () => {
  it('gives at any block size and parallelism the rows of one reader, each once', async () => {
    const line = fc.oneof(
      { weight: 6, arbitrary: fc.nat(99).map(json) },
      fc.constantFrom('', '\r', 'x', `{"long":"${'x'.repeat(300)}"}`, 'é'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 30 }),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 2, max: 4 }),
        async (some, bom, last, blockSize, parallelism) => {
          const path = file('input.ndjson', (bom ? '\ufeff' : '') + some.join('\n') + (last ? '\n' : ''));
          const options = { path, blockSize, maxLine: 250 };
          const whole = await readAll(options);
          const parts = await readAll(options, { parallelism, batchRows: 3 });
          expect(inPlace(parts)).toEqual(inPlace(whole));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('deals blocks in the order of the file', async () => {
    const path = file('input.ndjson', lines(1000, json));
    const result = await readAll({ path, blockSize: 1000 }, { parallelism: 3 });
    const begins = result.splits.map((split) => split.begin);
    expect(begins.length).toBeGreaterThan(90);
    expect(begins).toEqual(begins.toSorted((a, b) => a - b));
    expect(times(result).toSorted((a, b) => Number(a) - Number(b))).toEqual(upTo(1000));
    for (const rows of result.rowsOf.values()) {
      const own = rows.map((row) => row.offset);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  });

  it('cuts a CSV into blocks up to its first quote; from there on it has one reader', async () => {
    const quoted = Array.from({ length: 100 }, (_, i) => `"d\n${i}",${1500 + i},1,2,1000\n`).join('');
    for (const text of [HEADER + lines(500, csv), HEADER + lines(500, csv) + quoted, HEADER + quoted, HEADER]) {
      const path = file('input.csv', text);
      for (const blockSize of [7, 1000]) {
        const whole = await readAll({ path, blockSize });
        const parts = await readAll({ path, blockSize }, { parallelism: 2 });
        expect(inPlace(parts)).toEqual(inPlace(whole));
        expect(whole.rows.filter((row) => row.defect !== '')).toEqual([]);
        const rest = parts.splits.at(-1);
        const firstQuote = text.indexOf('"');
        if (firstQuote >= 0) expect(rest?.begin).toBeLessThanOrEqual(firstQuote);
        expect(parts.splits.length > 5).toBe(text.startsWith(HEADER + csv(0)));
      }
    }
  });

  it('reads a directory by the order of names, packed files among them, and says which file a row is of', async () => {
    file('b.csv.gz', gzipSync(HEADER + csv(1)));
    file('a.ndjson', json(0));
    file('c.jsonl.gz', Buffer.concat([gzipSync(`${json(2)}\n`), gzipSync(json(3))]));
    file('notes.txt', 'x');
    file('.hidden.json', 'x');
    mkdirSync(join(directory, 'd.json'));
    const result = await readAll({ path: directory });
    expect(times(result)).toEqual(upTo(4));
    expect(result.rows.map((row) => row.source)).toEqual(
      ['a.ndjson', 'b.csv.gz', 'c.jsonl.gz', 'c.jsonl.gz'].map((name) => join(directory, name)),
    );
    expect(times(await readAll({ path: directory, format: 'csv' }))).toEqual([1001]);
  });

  it('gives no rows of a split that is paused, opens no other meanwhile, and goes on where it was', async () => {
    const path = file('input.ndjson', lines(1000, json));
    let polls = 0;
    const paused = await readAll({ path, blockSize: 1000 }, { parallelism: 2, pauses: () => polls++ % 3 > 0 });
    expect(inPlace(paused)).toEqual(inPlace(await readAll({ path })));
    expect(polls).toBeGreaterThan(300);
  });

  it('reads packed files of many pieces, with one reader each', async () => {
    const path = file('input.ndjson.gz', gzipSync(lines(20_000, json)));
    const result = await readAll({ path, blockSize: 1000 }, { parallelism: 2, batchRows: 2048 });
    expect(times(result)).toEqual(upTo(20_000));
    expect(result.splits.length).toBe(1);
  });

  it('fails by name when a packed file is cut off or broken', async () => {
    const packed = gzipSync(lines(20_000, json));
    for (const bytes of [packed.subarray(0, packed.length - 100), Buffer.from(packed).fill(0xff, packed.length >> 1)]) {
      const path = file('broken.ndjson.gz', bytes);
      await expect(readAll({ path })).rejects.toThrow(/broken\.ndjson\.gz: reading failed/);
    }
  });

  it('counts the bytes on disk that were read', async () => {
    const text = lines(3000, json);
    const path = file('input.ndjson', text);
    const packed = gzipSync(text);
    for (const parallelism of [1, 3]) {
      const { source } = await readAll({ path, blockSize: 5000 }, { parallelism });
      expect(source.progress).toEqual({ bytes: text.length, totalBytes: text.length });
    }
    const { source } = await readAll({ path: file('packed.ndjson.gz', packed) });
    expect(source.progress).toEqual({ bytes: packed.length, totalBytes: packed.length });
  });

  it('holds little of a line of 40 MB, and counts the lines around it', async () => {
    const long = 40 << 20;
    const path = file(
      'long.ndjson',
      Buffer.concat([Buffer.from(`${json(0)}\n`), Buffer.alloc(long, 'x'), Buffer.from(`\n${json(1)}\n`)]),
    );
    const before = process.memoryUsage().arrayBuffers;
    const result = await readAll({ path });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(12 << 20);
    expect(result.rows.map((row) => [row.time, row.payload.length, row.payloadBytes])).toEqual([
      [1000, json(0).length, null],
      [null, 65_536, long],
      [1001, json(1).length, null],
    ]);
  });
});

describe('openFileInput', () => {
  it('refuses what cannot be read, and says what and why', () => {
    const refused = (path: string, options = {}) => {
      try {
        openFileInput({ path, ...options });
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        return String(error);
      }
      return 'accepted';
    };
    expect(refused(join(directory, 'none.json'))).toMatch(/none\.json: there is no such file/);
    expect(refused(directory)).toMatch(/no inputs \(files ending in \.ndjson/);
    expect(refused(file('data.bin', 'x'))).toMatch(/say --format/);
    expect(refused(file('a.csv', 'device_id\n'))).toMatch(/a\.csv: the CSV header lacks event_timestamp/);
    expect(refused(file('a.csv.gz', gzipSync('device_id\n')))).toMatch(/a\.csv\.gz: the CSV header lacks/);
    expect(refused(file('a.json.gz', 'plain'))).toMatch(/not gzip/);
    expect(refused(file('a.json', ''), { maxLine: 0 })).toMatch(/maximal line/);
    expect(refused(file('a.json', ''), { blockSize: 1.5 })).toMatch(/block size/);
    expect(refused(file('b.json', 'x'))).toBe('accepted');
  });

  it('tells the format by the name, or by what it is told', () => {
    const formats = (path: string, options = {}) =>
      openFileInput({ path, ...options }).files.map((f) => [f.format, f.gzip]);
    expect(formats(file('a.JSONL', ''))).toEqual([['ndjson', false]]);
    expect(formats(file('a.csv', HEADER))).toEqual([['csv', false]]);
    expect(formats(file('a.csv.gz', gzipSync(HEADER)))).toEqual([['csv', true]]);
    expect(formats(file('data', ''), { format: 'ndjson' })).toEqual([['ndjson', false]]);
    expect(formats('-')).toEqual([['ndjson', false]]);
    expect(openFileInput({ path: '-' }).totalBytes).toBeNull();
  });

  it('takes a named pipe for a stream', () => {
    const path = join(directory, 'pipe');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    expect(openFileInput({ path }).files).toEqual([
      { path, name: path, format: 'ndjson', gzip: false, size: null, identity: null, csv: null },
    ]);
  });
});
