import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type HarnessOptions, type ReadRow, readAll } from '../file/reader-harness.ts';
import { FIELDS } from '../iot/reading.ts';
import { quoteCell } from './csv-format.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-csv-'));
afterAll(() => rmSync(directory, { recursive: true }));

const HEADER = 'device_id,event_timestamp,temperature,humidity,pressure';
const GOOD = 'd1,1700000000000,21.5,40,1000.25';

async function decode(text: string | Buffer, harness: HarnessOptions = {}, maxLine?: number): Promise<ReadRow[]> {
  const path = join(directory, 'input.csv');
  writeFileSync(path, text);
  return (await readAll({ path, ...(maxLine === undefined ? {} : { maxLine }) }, harness)).rows;
}

const defects = (rows: readonly ReadRow[]) => rows.map((row) => row.defect);
const defectOf = async (line: string) =>
  (await decode(`${HEADER}\n${GOOD}\n${line}\n${GOOD}\n`)).map((row) => row.defect)[1];

describe('CsvDecoder', () => {
  it('reads back any readings that were written by RFC 4180, in any order of columns, with others between them', async () => {
    const reading = fc.record({
      id: fc.string({ unit: 'binary', minLength: 1 }).map((text) => `d${text}`),
      numbers: fc.tuple(
        fc.maxSafeInteger(),
        ...[0, 1, 2].map(() => fc.double({ noNaN: true, noDefaultInfinity: true })),
      ),
      extra: fc.string(),
      quoted: fc.boolean(),
    });
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(reading),
        order,
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        async (readings, columns, end, last) => {
          const names = [...FIELDS, 'extra'];
          const lines = readings.map(({ id, numbers, extra, quoted }) => {
            const cells = [id, ...numbers.map((x) => (Object.is(x, -0) ? '-0' : String(x))), extra];
            return columns
              .map((c) => (quoted ? `"${cells[c]?.replaceAll('"', '""')}"` : quoteCell(cells[c] as string)))
              .join(',');
          });
          const text = [columns.map((c) => names[c]).join(','), ...lines].join(end) + (last ? end : '');
          const rows = await decode(text, { batchRows: 3 });
          expect(rows.map((row) => [row.defect, row.id, ...row.numbers])).toEqual(
            readings.map((r) => ['', r.id, ...r.numbers]),
          );
          expect(rows.map((row) => row.payload.toString())).toEqual(lines);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('names the first field that fails: empty cells are missing, what is no finite number is of the wrong type', async () => {
    expect(await defectOf(',1700000000000,21.5,40,1000')).toBe('missing_field:device_id');
    expect(await defectOf('"",1,21.5,40,1000')).toBe('missing_field:device_id');
    expect(await defectOf('  ,1,21.5,40,1000')).toBe('wrong_type:device_id');
    expect(await defectOf('d1,1,,x,1000')).toBe('missing_field:temperature');
    expect(await defectOf('d1,1.5,,40,1000')).toBe('wrong_type:event_timestamp');
    expect(await defectOf('d1,1,2,3,')).toBe('missing_field:pressure');
    for (const cell of ['NaN', 'Infinity', '0x10', '+1', '.5', '1.', '01', '1e999', ' ', '1 2', 'true', '1_0']) {
      expect(await defectOf(`d1,1,${cell},40,1000`), cell).toBe('wrong_type:temperature');
    }
    for (const cell of ['1e3', '-0', '20.0', ' 7 ', '\t7', '"7"'])
      expect(await defectOf(`d1,1,${cell},40,1000`), cell).toBe('');
  });

  it('keeps the good values of a row with a defect', async () => {
    const [row] = await decode(`${HEADER}\nd1,-5,21.5,x,1000\n`);
    expect([row?.id, row?.numbers, row?.time]).toEqual(['d1', [-5, 21.5, null, 1000], null]);
  });

  it('calls a row with a wrong number of cells or broken quotes malformed_csv, and blank lines too', async () => {
    for (const line of ['', 'd1,1,2,3', 'd1,1,2,3,4,5', 'd"1,1,2,3,4', '"d1"x,1,2,3,4', `${GOOD},`]) {
      expect(await defectOf(line), line).toBe('malformed_csv');
    }
  });

  it('loses one line to a quote that is never closed, not the lines behind it', async () => {
    const text = `${HEADER}\n${GOOD}\n"d1,1,2,3,4\n${GOOD}\n${GOOD}\n`;
    expect(defects(await decode(text))).toEqual(['', 'malformed_csv', '', '']);
    expect(defects(await decode(`${text}x"y,1,2,3,4\n`, {}, 60))).toEqual([
      '',
      'malformed_csv',
      '',
      '',
      'malformed_csv',
    ]);
    const far = `${HEADER}\n"d1,1,2,3,4\n${`${GOOD}\n`.repeat(40_000)}`;
    const rows = await decode(far, { batchRows: 2048 });
    expect([rows.length, rows.filter((row) => row.defect === 'malformed_csv').length]).toEqual([40_001, 1]);
  });

  it('calls invalid UTF-8 and lines beyond the limit malformed_json, in ignored columns too', async () => {
    const header = `${HEADER},note\n`;
    const invalid = Buffer.concat([
      Buffer.from(`${header}${GOOD},x\n${GOOD},`),
      Buffer.from([0xff]),
      Buffer.from(`\n${GOOD},ü\n`),
    ]);
    expect(defects(await decode(invalid))).toEqual(['', 'malformed_json', '']);
    const long = `${GOOD},${'x'.repeat(300_000)}`;
    const rows = await decode(`${header}${long}\n${GOOD},x\n`, {}, 1000);
    expect(defects(rows)).toEqual(['malformed_json', '']);
    expect([rows[0]?.payload.length, rows[0]?.payloadBytes]).toEqual([65_536, long.length]);
  });

  it('skips a byte-order mark before the header and reads offsets from the start of the file', async () => {
    const [first, second] = await decode(`\ufeff${HEADER}\r\n${GOOD}\r\n${GOOD}`);
    const start = 3 + HEADER.length + 2;
    expect([first?.offset, second?.offset, first?.payload.toString()]).toEqual([start, start + GOOD.length + 2, GOOD]);
  });

  it('refuses a header that lacks names or has one twice, and says which', async () => {
    await expect(decode('device_id,temperature\n')).rejects.toThrow(/lacks event_timestamp, humidity, pressure/);
    await expect(decode(`${HEADER},humidity\n`)).rejects.toThrow(/humidity more than once/);
    await expect(decode('')).rejects.toThrow(/first line is empty/);
    await expect(decode(`"${HEADER}\n`)).rejects.toThrow(/no CSV header/);
    await expect(decode('x'.repeat(70_000))).rejects.toThrow(/no CSV header in the first 64 KiB/);
    expect(await decode(HEADER)).toEqual([]);
  });
});
