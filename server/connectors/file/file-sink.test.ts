import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { UsageError } from '#base/errors.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { bool, bytes, f64, i32, nullable, type Schema, schema, string, timestamp } from '#engine/batch/schema.ts';
import { CsvFormat } from '../csv/csv-format.ts';
import { ReadingError } from '../iot/reading.ts';
import { FileSink, type PartWriter } from './file-sink.ts';
import type { OutputFormat } from './format.ts';
import { NdjsonFormat } from './ndjson-format.ts';
import { prepareOutputDirectory } from './output-directory.ts';
import { nodeDisk, type OutputDisk } from './output-disk.ts';
import type { PartCommitter } from './part-committer.ts';
import type { StagedPart } from './part-files.ts';

const root = mkdtempSync(join(tmpdir(), 'weir-sink-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = root;
let nextDirectory = 0;
beforeEach(() => {
  directory = join(root, String(nextDirectory++));
});

type Value = string | number | boolean | Uint8Array | null;

function batchOf(of: Schema, rows: readonly (readonly Value[])[], dictionary = new Dictionary()): RecordBatch {
  const batch = RecordBatch.allocate(of, dictionary, Math.max(1, rows.length));
  for (const [row, values] of rows.entries()) {
    for (const [i, { name, kind }] of of.columns.entries()) {
      const value = values[i] ?? null;
      if (kind === 'string') batch.codes(name)[row] = value === null ? -1 : dictionary.codeOf(String(value));
      else if (kind === 'bytes')
        value instanceof Uint8Array ? batch.bytes(name).append(row, value) : batch.bytes(name).setNull(row);
      else if (kind === 'i32') batch.i32(name)[row] = Number(value);
      else if (kind === 'bool') (batch.columns[i] as Uint8Array)[row] = Number(value);
      else batch.f64(name)[row] = value === null ? Number.NaN : Number(value);
    }
  }
  batch.size = rows.length;
  return batch;
}

/** The machine's disk, without its patience. */
const unsynced: OutputDisk = {
  ...nodeDisk,
  create: (path) => ({ ...nodeDisk.create(path), sync: async () => {} }),
  syncDirectory: async () => {},
};

async function writerOf(format: OutputFormat, of: Schema, subtask = 0, disk = nodeDisk) {
  const sink = new FileSink({ directory, format, disk });
  const committer = sink.createCommitter();
  return new Promise<{ writer: PartWriter; committer: PartCommitter }>((resolve, reject) => {
    const writer = sink.createWriter({
      subtask,
      parallelism: 1,
      clock: new ManualClock(),
      schema: of,
      restored: [],
      report: () => {},
      wake: () => resolve({ writer, committer }),
      fail: reject,
    });
    expect(writer.ready()).toBe(false);
  });
}

/** What a batch looks like in a committed file. */
async function written(format: OutputFormat, ...batches: RecordBatch[]): Promise<string> {
  const { writer, committer } = await writerOf(format, (batches[0] as RecordBatch).schema, 0, unsynced);
  for (const batch of batches) writer.write(batch);
  const parts = await writer.prepareCommit();
  await committer.commit(parts);
  return contentOf(parts[0]);
}

const contentOf = (part: StagedPart | undefined): string => readFileSync(join(directory, part?.name ?? ''), 'utf8');

const Everything = schema({
  name: nullable(string()),
  at: nullable(timestamp()),
  value: nullable(f64()),
  count: i32(),
  ok: bool(),
  raw: nullable(bytes()),
});
const text = (s: string) => Buffer.from(s);

describe('CsvFormat', () => {
  it('writes a header and each kind of cell; null is empty, quotes as RFC 4180 wants them', async () => {
    const rows = [
      ['plain', 1700000000000, 21.5, 3, true, text('a,b')],
      ['say "hi"', -1, -0, -2147483648, false, null],
      ['line\r\nbreak', null, null, 0, false, Buffer.from([0xff, 0xfe])],
      [null, 0, 1 / 3, 1, true, text('')],
      ['', 8.64e15, 1e21, 1, true, text('ü')],
    ];
    expect(await written(new CsvFormat(), batchOf(Everything, rows))).toBe(
      'name,at,value,count,ok,raw\n' +
        'plain,1700000000000,21.5,3,true,"a,b"\n' +
        '"say ""hi""",-1,-0,-2147483648,false,\n' +
        '"line\r\nbreak",,,0,false,//4=\n' +
        `,0,${1 / 3},1,true,""\n` +
        '"",8640000000000000,1e+21,1,true,ü\n',
    );
  });

  it('writes selected rows only, in their order, over any number of flushes', async () => {
    const of = schema({ id: string(), n: f64() });
    const batch = batchOf(
      of,
      Array.from({ length: 2000 }, (_, i) => [`device-${i % 10}-${'x'.repeat(300)}`, i]),
    );
    batch.selection = Int32Array.from({ length: 1000 }, (_, i) => 2 * i + 1);
    batch.selected = 1000;
    const lines = (await written(new CsvFormat(), batch, batch)).trimEnd().split('\n').slice(1);
    expect(lines.map((line) => Number(line.split(',')[1]))).toEqual(
      [0, 1].flatMap(() => Array.from({ length: 1000 }, (_, i) => 2 * i + 1)),
    );
  });

  it('never writes the old string of a code that the dictionary gave to another', async () => {
    const of = schema({ id: string() });
    const dictionary = new Dictionary(2);
    const { writer, committer } = await writerOf(new CsvFormat(), of);
    const wanted = ['id'];
    for (let i = 0; i < 20; i++) {
      writer.write(batchOf(of, [[`a${i}`], [`b${i}`]], dictionary));
      wanted.push(`a${i}`, `b${i}`);
      expect(dictionary.sweepIfLarge()).toBe(true);
    }
    const parts = await writer.prepareCommit();
    await committer.commit(parts);
    expect(contentOf(parts[0]).trimEnd().split('\n')).toEqual(wanted);
  });
});

describe('NdjsonFormat', () => {
  it('writes valid JSON for any row: payloads as text when they are UTF-8, else in base64', async () => {
    const row = fc.tuple(
      fc.option(fc.string({ unit: 'binary' }), { nil: null }),
      fc.option(fc.integer(), { nil: null }),
      fc.option(fc.double(), { nil: null }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.boolean(),
      fc.option(fc.oneof(fc.uint8Array(), fc.string({ unit: 'binary' }).map(text)), { nil: null }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
        const lines = (await written(new NdjsonFormat({ omitNull: ['value'] }), batchOf(Everything, rows)))
          .trimEnd()
          .split('\n');
        const wanted = rows.map(([name, at, value, count, ok, raw]) => {
          const utf8 = raw === null || Buffer.from(Buffer.from(raw).toString('utf8')).equals(raw);
          const number = value !== null && Number.isFinite(value) ? { value } : {};
          const payload = utf8
            ? { raw: raw && Buffer.from(raw).toString('utf8') }
            : { raw_base64: Buffer.from(raw ?? []).toString('base64') };
          return { name, at, ...number, count, ok, ...payload };
        });
        expect(lines.map((line) => JSON.parse(line))).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('writes the error log as the contract has it', async () => {
    const rows = [
      ['malformed_json', null, text('not "json"\\\u0007'), null, 'in.ndjson', 17, 5],
      ['malformed_json', null, Buffer.from([0xff]), 70_000, 'in.ndjson', 40, 6],
    ];
    expect(await written(new NdjsonFormat({ omitNull: ['payload_bytes'] }), batchOf(ReadingError, rows))).toBe(
      '{"reason":"malformed_json","field":null,"payload":"not \\"json\\"\\\\\\u0007","source":"in.ndjson","offset":17,"ingested_at":5}\n' +
        '{"reason":"malformed_json","field":null,"payload_base64":"/w==","payload_bytes":70000,"source":"in.ndjson","offset":40,"ingested_at":6}\n',
    );
    await expect(written(new NdjsonFormat({ omitNull: ['nope'] }), batchOf(ReadingError, rows))).rejects.toThrow(
      /omitNull names "nope"/,
    );
  });
});

describe('FileSink', () => {
  const of = schema({ n: f64() });
  const one = () => batchOf(of, [[1]]);
  const visible = () => readdirSync(directory).filter((name) => !name.startsWith('.'));

  it('FS1 shows a part only when it is committed, and makes none without rows', async () => {
    const { writer, committer } = await writerOf(new CsvFormat(), of, 3);
    writer.write(batchOf(of, []));
    expect(await writer.prepareCommit()).toEqual([]);
    writer.write(one());
    expect(readdirSync(directory)).toEqual(['.part-3-0.csv.inprogress']);
    const parts = await writer.prepareCommit();
    expect(visible()).toEqual([]);
    writer.write(one());
    await committer.commit(parts);
    expect(visible()).toEqual(['part-3-0.csv']);
    await committer.commit(await writer.prepareCommit());
    expect(visible()).toEqual(['part-3-0.csv', 'part-3-1.csv']);
    expect(readFileSync(join(directory, 'part-3-1.csv'), 'utf8')).toBe('n\n1\n');
  });

  it('commits again what was committed before, and refuses what was lost', async () => {
    const { writer, committer } = await writerOf(new CsvFormat(), of);
    writer.write(one());
    const parts = structuredClone(await writer.prepareCommit());
    await committer.commit(parts);
    await committer.commit(parts);
    expect(visible()).toEqual(['part-0-0.csv']);
    rmSync(join(directory, 'part-0-0.csv'));
    await expect(committer.commit(parts)).rejects.toThrow(/its rows are lost/);
  });

  it('FS1 never replaces a visible part', async () => {
    const { writer, committer } = await writerOf(new CsvFormat(), of);
    writer.write(one());
    const parts = await writer.prepareCommit();
    writeFileSync(join(directory, 'part-0-0.csv'), 'old');
    await expect(committer.commit(parts)).rejects.toThrow(/exists already/);
    expect(contentOf(parts[0])).toBe('old');
  });

  it('discards at its end what was not handed over, and keeps what was', async () => {
    const { writer, committer } = await writerOf(new CsvFormat(), of);
    writer.write(one());
    const parts = await writer.prepareCommit();
    writer.write(one());
    writer.close();
    writer.close();
    await committer.commit(parts);
    expect(readdirSync(directory)).toEqual(['part-0-0.csv']);
  });

  it('counts on behind the largest part of its subtask, staged ones included', async () => {
    mkdirSync(directory, { recursive: true });
    for (const name of ['part-0-4.csv', '.part-0-9.csv.inprogress', 'part-1-20.csv', 'other-0-30.csv'])
      writeFileSync(join(directory, name), '');
    const { writer } = await writerOf(new CsvFormat(), of);
    writer.write(one());
    expect(await writer.prepareCommit()).toMatchObject([{ name: 'part-0-10.csv', bytes: 4 }]);
  });

  it('says which file cannot be written', async () => {
    const { writer } = await writerOf(new CsvFormat(), of);
    rmSync(directory, { recursive: true });
    expect(() => writer.write(one())).toThrow(/part-0-0\.csv\.inprogress cannot be created/);
  });
});

describe('prepareOutputDirectory', () => {
  it('makes the directories of an output, and takes them again while they hold no results', () => {
    const paths = prepareOutputDirectory(directory);
    expect(paths).toEqual({
      windows: join(directory, 'windows'),
      errors: join(directory, 'errors'),
      late: join(directory, 'late'),
    });
    expect(Object.values(paths).every(existsSync)).toBe(true);
    writeFileSync(join(paths.late, '.part-0-0.ndjson.inprogress'), '');
    writeFileSync(join(paths.late, 'readme.txt'), '');
    expect(prepareOutputDirectory(directory)).toEqual(paths);
  });

  it('FS8 refuses a directory with results, and with overwrite removes parts and leftovers, nothing else', () => {
    const { windows, late } = prepareOutputDirectory(directory);
    for (const name of ['part-0-0.csv', '.part-0-1.csv.inprogress', '.part-0-2.csv.withdrawn', 'mine.csv'])
      writeFileSync(join(windows, name), '');
    writeFileSync(join(late, 'part-1-0.ndjson'), '');
    expect(() => prepareOutputDirectory(directory)).toThrow(
      /already holds results .*part-0-0\.csv and 1 more.*--overwrite/,
    );
    prepareOutputDirectory(directory, { resume: true });
    expect(readdirSync(windows).length).toBe(4);
    prepareOutputDirectory(directory, { overwrite: true });
    expect([readdirSync(windows), readdirSync(late)]).toEqual([['mine.csv'], []]);
  });

  it('refuses a path that is no directory', () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'file'), '');
    for (const path of [join(directory, 'file'), join(directory, 'file', 'x')]) {
      expect(() => prepareOutputDirectory(path)).toThrow(UsageError);
    }
  });
});
