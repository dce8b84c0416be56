/** Whatever arrives: every good line counts, every bad one is in the error log with its reason, and memory stays bounded. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { runModel, tumbling } from '#testing/reference-model.ts';
import { errorDifferences, lateDifferences, sortErrors, windowDifferences } from './compare.ts';
import { line, readings } from './inputs.ts';
import { type Results, runIot, scratchFile, scratchPath, type WeirOptions, weir } from './weir.ts';

/** Runs the job over these bytes as a file and compares everything with the reference model. */
async function sameAsModel(bytes: Uint8Array, flags: readonly string[] = [], maxLineBytes?: number): Promise<Results> {
  const path = scratchFile('input.ndjson', bytes);
  const results = await runIot(['--input', path, '--parallelism', '1', ...flags]);
  compareWithModel(results, bytes, path, maxLineBytes);
  return results;
}

/** What several readers met, in order of the input. */
async function runInParallel(flags: readonly string[], options: WeirOptions = {}): Promise<Results> {
  const results = await runIot(['--parallelism', '2', ...flags], options);
  return { ...results, errors: sortErrors(results.errors) };
}

function compareWithModel(results: Results, bytes: Uint8Array, source: string, maxLineBytes?: number): void {
  const model = runModel(bytes, {
    assign: tumbling(5000),
    outOfOrdernessMs: 5000,
    allowedLatenessMs: 0,
    ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
  });
  expect(windowDifferences(results.windows, model.windows)).toEqual([]);
  expect(errorDifferences(results.errors, model.errors, source)).toEqual([]);
  expect(lateDifferences(results.late, model.late)).toEqual([]);
}

const good = readings(300);
const text = `${good.join('\n')}\n`;

function randomBytes(length: number): Buffer {
  const random = new Random(99);
  return Buffer.from(Uint8Array.from({ length }, () => random.below(256)));
}

describe('files as they come', () => {
  it('an empty file is no failure', async () => {
    const { windows, errors, late } = await sameAsModel(Buffer.alloc(0));
    expect([windows, errors, late]).toEqual([[], [], []]);
  });

  it('a file of line breaks only is a file of blank lines', async () => {
    const { errors } = await sameAsModel(Buffer.from('\n\r\n\n'));
    expect(errors.map(({ reason, offset }) => `${reason} ${offset}`)).toEqual([
      'malformed_json 0',
      'malformed_json 1',
      'malformed_json 3',
    ]);
  });

  it('a file that was cut off loses its last line to the error log', async () => {
    const { errors } = await sameAsModel(Buffer.from(text).subarray(0, -20));
    expect(errors.length).toBe(1);
  });

  it('the last line needs no line break', async () => {
    const { errors, windows } = await sameAsModel(Buffer.from(text.trimEnd()));
    expect(errors).toEqual([]);
    expect(windows.reduce((sum, row) => sum + row[3], 0)).toBe(300);
  });

  it('CRLF and a byte-order mark change nothing', async () => {
    const plain = await sameAsModel(Buffer.from(text));
    const { windows, errors } = await sameAsModel(Buffer.from(`\ufeff${text.replaceAll('\n', '\r\n')}`));
    expect(windowDifferences(windows, plain.windows)).toEqual([]);
    expect(errors).toEqual([]);
  });

  it('a byte-order mark elsewhere is part of its line', async () => {
    const { errors } = await sameAsModel(Buffer.from(`${good[0]}\n\ufeff${good[1]}\n`));
    expect(errors.length).toBe(1);
  });

  it('lines that are not UTF-8 are kept to the byte, good lines beside them count', async () => {
    const invalid = ['ff', 'c0af', 'eda080', 'f4908080', 'e28028', '80', 'c3'].map((hex) =>
      Buffer.concat([Buffer.from('{"device_id":"'), Buffer.from(hex, 'hex'), Buffer.from('"}\n')]),
    );
    const lines = invalid.flatMap((bytes, i) => [bytes, Buffer.from(`${good[i]}\n`)]);
    const inNote = Buffer.concat([
      Buffer.from(good[9]?.replace('}', ',"note":"') ?? ''),
      Buffer.of(0xff),
      Buffer.from('"}\n'),
    ]);
    const { errors } = await sameAsModel(Buffer.concat([...lines, inNote]));
    expect(errors.length).toBe(invalid.length + 1);
  });

  it('a binary file is a file of malformed lines', async () => {
    const { errors } = await sameAsModel(
      Buffer.concat([randomBytes(300_000), Buffer.from(`\n${text}`), randomBytes(1000)]),
    );
    expect(errors.length).toBeGreaterThan(500);
  });

  it('zero bytes are nothing special', async () => {
    await sameAsModel(Buffer.concat([Buffer.alloc(10_000), Buffer.from(`\n${text}`), Buffer.alloc(10)]));
  });
});

describe('sizes', () => {
  it('a line of 40 MB is one error with its beginning and its length, in bounded memory', async () => {
    const plain = await runIot(['--input', scratchFile('plain.ndjson', text), '--parallelism', '1']);
    const long = Buffer.alloc(40_000_000, '{"device_id":"long" ');
    const bytes = Buffer.concat([
      Buffer.from(text),
      long,
      Buffer.from(`\n${readings(300, { start: 1_700_000_010_000 }).join('\n')}\n`),
    ]);
    const { errors, run } = await sameAsModel(bytes);
    expect(errors.map(({ payload, payloadBytes }) => [payload.length, payloadBytes])).toEqual([[65_536, 40_000_000]]);
    expect(run.peakMb).toBeLessThan(plain.run.peakMb + 30);
  });

  it('the same from several subtasks, and as the last line', async () => {
    const bytes = Buffer.concat([Buffer.from(text), Buffer.alloc(5_000_000, 'x')]);
    const path = scratchFile('long-last.ndjson', bytes);
    compareWithModel(await runInParallel(['--input', path, '--block-size', '10000']), bytes, path);
  });

  it('a bad line that is not too long is kept to the byte, however long, from several subtasks too', async () => {
    const bad = [60_000, 70_000, 1_000_000].map((length) => `{"note":"${'é'.repeat(length / 2 - 20)}`);
    const bytes = Buffer.from([...good, ...bad, ...good].join('\n'));
    await sameAsModel(bytes);
    const path = scratchFile('long-bad.ndjson', bytes);
    compareWithModel(await runInParallel(['--input', path, '--block-size', '50000']), bytes, path);
  });

  it('--max-line says how long a line may be, and its limit is inclusive', async () => {
    const lines = good.slice(0, 50).map((reading, i) => reading.replace('}', `,"note":"${'x'.repeat(i * 10)}"}`));
    const limit = Buffer.byteLength(lines[25] ?? '');
    const { errors } = await sameAsModel(Buffer.from(lines.join('\r\n')), ['--max-line', String(limit)], limit);
    expect(errors.length).toBeGreaterThan(10);
  });

  it('a million malformed lines in a row are a million errors, in bounded memory', async () => {
    const plain = await runIot(['--input', scratchFile('plain.ndjson', text), '--parallelism', '1']);
    const bytes = Buffer.concat([
      Buffer.from(text),
      Buffer.alloc(4_000_000, '{x}\n'),
      Buffer.from(text.replaceAll('17000000', '17000001')),
    ]);
    const { errors, windows, run } = await runIot(['--input', scratchFile('many.ndjson', bytes), '--parallelism', '1']);
    expect(errors.length).toBe(1_000_000);
    expect(errors.every(({ reason, payload }) => reason === 'malformed_json' && payload.toString() === '{x}')).toBe(
      true,
    );
    expect(windows.reduce((sum, row) => sum + row[3], 0)).toBe(600);
    expect(run.peakMb).toBeLessThan(plain.run.peakMb + 100);
  });
});

describe('CSV', () => {
  const HEADER = 'device_id,event_timestamp,temperature,humidity,pressure';

  async function csv(rows: readonly string[], flags: readonly string[] = []): Promise<Results> {
    return runIot(['--input', scratchFile('input.csv', rows.join('\n')), '--parallelism', '1', ...flags]);
  }

  it('gives the windows that the same readings give as NDJSON', async () => {
    const cells = good.map((reading) => Object.values(JSON.parse(reading)).join(','));
    const bytes = Buffer.from(text);
    compareWithModel(await csv([HEADER, ...cells]), bytes, 'input.csv');
    const path = scratchFile('input.csv', `\ufeff${[HEADER, ...cells].join('\r\n')}\r\n`);
    compareWithModel(await runInParallel(['--input', path, '--block-size', '4KiB']), bytes, path);
  });

  it('columns come in any order, others are ignored, cells may be quoted', async () => {
    const { windows, errors } = await csv([
      'pressure,"note",device_id,humidity,"temperature",event_timestamp',
      '1000,"one, two ""three""","a ""quoted"", name",50,20,1700000000000',
      '1000,"line\nbreak","two\nlines",50,"20",1700000000001',
    ]);
    expect(errors).toEqual([]);
    expect(windows.map(([device, , , count]) => [device, count]).sort()).toEqual([
      ['a "quoted", name', 1],
      ['two\nlines', 1],
    ]);
  });

  it('each bad row has its reason', async () => {
    const rows: [row: string, verdict: string][] = [
      ['d,1700000000000,20,50,1000', 'good'],
      ['d,1700000000000,20,50', 'malformed_csv null'],
      ['d,1700000000000,20,50,1000,1', 'malformed_csv null'],
      [',1700000000000,20,50,1000', 'missing_field device_id'],
      ['d,,20,50,1000', 'missing_field event_timestamp'],
      ['d,1700000000000,20,50,', 'missing_field pressure'],
      ['" ",1700000000000,20,50,1000', 'wrong_type device_id'],
      ['d,1700000000000.5,20,50,1000', 'wrong_type event_timestamp'],
      ['d,yesterday,20,50,1000', 'wrong_type event_timestamp'],
      ['d,1700000000000,NaN,50,1000', 'wrong_type temperature'],
      ['d,1700000000000,20,1e999,1000', 'wrong_type humidity'],
      ['d,1700000000000,20,50,0x400', 'wrong_type pressure'],
      ['d,-1,20,50,1000', 'out_of_range event_timestamp'],
      ['d,1700000000000,85.1,x,1000', 'out_of_range temperature'],
      ['d,1700000000000,20,50,299', 'out_of_range pressure'],
      ['d,17e11,2e1,5.0e1,1000.00', 'good'],
    ];
    const { windows, errors } = await csv([HEADER, ...rows.map(([row]) => row)]);
    const bad = rows.filter(([, verdict]) => verdict !== 'good');
    expect(errors.map(({ reason, field, payload }) => [payload.toString(), `${reason} ${field}`])).toEqual(bad);
    expect(windows.map((row) => row[3])).toEqual([2]);
  });

  it('a header without the five names stops the run before it starts', async () => {
    for (const header of ['device_id,event_timestamp,temperature,humidity', 'id,time,t,h,p', '', good[0] ?? '']) {
      const output = scratchPath('out');
      const input = scratchFile('wrong.csv', `${header}\nd,1700000000000,20,50\n`);
      const { code, stderr } = await weir(['run', 'iot', '--input', input, '--output', output]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^[^\n]*wrong\.csv[^\n]*\n$/);
    }
    const { stderr } = await weir(['run', 'iot', '--input', scratchFile('short.csv', 'device_id,humidity,pressure\n')]);
    expect(stderr).toMatch(/event_timestamp, temperature/);
  });
});

describe('ways in', () => {
  const bytes = Buffer.from(`${text}not json\n`);

  it('standard input', async () => {
    compareWithModel(await runIot(['--input', '-', '--parallelism', '1'], { stdin: bytes }), bytes, 'stdin');
    compareWithModel(await runInParallel(['--input', '-'], { stdin: bytes }), bytes, 'stdin');
  });

  it('standard input as CSV', async () => {
    const cells = good.map((reading) => Object.values(JSON.parse(reading)).join(','));
    const stdin = ['device_id,event_timestamp,temperature,humidity,pressure', ...cells].join('\n');
    compareWithModel(
      await runIot(['--input', '-', '--format', 'csv', '--parallelism', '1'], { stdin }),
      Buffer.from(text),
      'stdin',
    );
  });

  it('gzip, with offsets of the text in it', async () => {
    const path = scratchFile('input.ndjson.gz', gzipSync(bytes));
    compareWithModel(await runIot(['--input', path, '--parallelism', '1']), bytes, path);
    compareWithModel(await runInParallel(['--input', path]), bytes, path);
  });

  it('gzip that was cut off fails the run in one line that names the file', async () => {
    const whole = gzipSync(Buffer.from(readings(20_000, { disorderMs: 1000 }).join('\n')));
    const path = scratchFile('cut.ndjson.gz', whole.subarray(0, whole.length / 2));
    const { code, stderr } = await weir(['run', 'iot', '--input', path, '--output', scratchPath('out')]);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split('\n').at(-1)).toContain(path);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('a directory, its files in the order of their names', async () => {
    const directory = scratchPath('inputs');
    mkdirSync(join(directory, 'sub'), { recursive: true });
    writeFileSync(join(directory, '10.ndjson'), good.slice(100, 200).join('\n'));
    writeFileSync(join(directory, '05.ndjson.gz'), gzipSync(good.slice(0, 100).join('\n')));
    const cells = good.slice(200).map((reading) => Object.values(JSON.parse(reading)).join(','));
    writeFileSync(
      join(directory, '20.csv'),
      ['device_id,event_timestamp,temperature,humidity,pressure', ...cells, 'x'].join('\n'),
    );
    writeFileSync(join(directory, 'sub', '30.ndjson'), 'not read');
    writeFileSync(join(directory, 'README.md'), 'not read');
    const { windows, errors } = await runIot(['--input', directory, '--parallelism', '1']);
    const model = runModel(Buffer.from(text), { assign: tumbling(5000), outOfOrdernessMs: 5000, allowedLatenessMs: 0 });
    expect(windowDifferences(windows, model.windows)).toEqual([]);
    expect(errors.map(({ reason, source }) => [reason, source])).toEqual([
      ['malformed_csv', join(directory, '20.csv')],
    ]);
  });
});

it('a name that a terminal would obey is printed harmlessly', async () => {
  const input = scratchFile('names.ndjson', line('"\\u001b[2J\\u0007\\rname\\n"', 1_700_000_000_000));
  const { stdout, code } = await weir(['run', 'iot', '--input', input]);
  expect(code).toBe(0);
  expect(stdout).toContain('name');
  expect([...stdout].filter((character) => character < ' ' && character !== '\n')).toEqual([]);
});
