/** Every line against a model of the contract that is as short as can be: `JSON.parse` and five questions. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FIELDS, isBlank } from '../iot/reading.ts';
import { type HarnessOptions, type ReadRow, readAll } from './reader-harness.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-ndjson-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function decode(text: string | Buffer, harness: HarnessOptions = {}, maxLine?: number): Promise<ReadRow[]> {
  const path = join(directory, 'input.ndjson');
  writeFileSync(path, text);
  return (await readAll({ path, ...(maxLine === undefined ? {} : { maxLine }) }, harness)).rows;
}

type Understood = Pick<ReadRow, 'id' | 'numbers' | 'defect' | 'time'>;

/** What the contract says of one line. */
function model(line: string): Understood {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { id: null, numbers: [null, null, null, null], defect: 'malformed_json', time: null };
  }
  const object: Record<string, unknown> = { ...value };
  const good = {
    device_id: (v: unknown) => typeof v === 'string' && !isBlank(v),
    event_timestamp: Number.isInteger,
    temperature: Number.isFinite,
    humidity: Number.isFinite,
    pressure: Number.isFinite,
  };
  let defect = '';
  const cells = FIELDS.map((name) => {
    const cell = object[name] ?? null;
    const bad = cell === null ? 'missing_field' : good[name](cell) ? '' : 'wrong_type';
    if (bad !== '' && defect === '') defect = `${bad}:${name}`;
    return bad === '' ? cell : null;
  });
  const numbers = cells.slice(1) as (number | null)[];
  return { id: cells[0] as string | null, numbers, defect, time: defect === '' ? (numbers[0] ?? null) : null };
}

const understood = ({ id, numbers, defect, time }: ReadRow): Understood => ({
  id,
  numbers: numbers.map(plus0),
  defect,
  time: plus0(time),
});
const plus0 = (x: number | null) => (x === null ? null : x + 0);

async function expectAsModel(lines: readonly string[], harness?: HarnessOptions): Promise<void> {
  const rows = await decode(lines.map((line) => `${line}\n`).join(''), harness);
  expect(rows.length).toBe(lines.length);
  let offset = 0;
  for (const [i, line] of lines.entries()) {
    const row = rows[i] as ReadRow;
    const wanted = model(line);
    expect({ line, ...understood(row) }).toEqual({
      line,
      ...wanted,
      numbers: wanted.numbers.map(plus0),
      time: plus0(wanted.time),
    });
    expect(row.payload.toString()).toBe(line);
    expect(row.offset).toBe(offset);
    offset += Buffer.byteLength(line) + 1;
  }
}

const GOOD = '{"device_id":"d1","event_timestamp":1700000000000,"temperature":21.5,"humidity":40,"pressure":1000.25}';

const id = fc.oneof(
  fc.constantFrom(
    '"d1"',
    '"d2"',
    '"gerät-7"',
    '"日本"',
    '""',
    '"  "',
    '"\\u00e9"',
    '"a\\"b"',
    '"\\ud800"',
    '"__proto__"',
    '7',
    'null',
  ),
  fc.string().map((text) => JSON.stringify(text)),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => JSON.stringify(x)),
  fc.integer().map(String),
  fc.constantFrom(
    '1e3',
    '-0',
    '20.0',
    '1e999',
    '-1e999',
    '"21.5"',
    'true',
    'null',
    '[1]',
    '{"a":1}',
    '01',
    '+1',
    'NaN',
    '1.',
    '5e-324',
  ),
);
const time = fc.oneof(
  fc.integer({ min: 0, max: 2e12 }).map(String),
  fc.constantFrom('1.7e12', '1700000000000.5', '-1', '-0', '1e300'),
  number,
);
const other = fc.oneof(
  number,
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom('false', '{"x":[1,2]}'),
);
const name = fc.constantFrom(
  'note',
  '__proto__',
  'constructor',
  'x y',
  'é',
  'device_id',
  'temperature',
  'dev\\u0069ce_id',
);

/** Lines of a few producers, each with an order and spacing of its own, and some that are anything. */
const line = fc
  .record({
    order: fc.constantFrom('01234', '43210', '20314', '0123', '1234', '01223'),
    space: fc.constantFrom('', ' ', '\t '),
    cells: fc.tuple(id, time, number, number, number),
    extra: fc.option(fc.tuple(name, other), { freq: 2 }),
  })
  .map(({ order, space, cells, extra }) => {
    const members = [...order].map((c) => `"${FIELDS[Number(c)]}":${space}${cells[Number(c)]}`);
    if (extra !== null) members.splice(2, 0, `"${extra[0]}":${space}${extra[1]}`);
    return `{${space}${members.join(`,${space}`)}${space}}`;
  });
const anyLine = fc.oneof(
  { weight: 10, arbitrary: line },
  { weight: 4, arbitrary: fc.constant(GOOD) },
  fc.constantFrom(
    '',
    '   ',
    'not json',
    '[1,2,3]',
    '"text"',
    '42',
    'null',
    '{',
    '}',
    '{}',
    '{"a"}',
    `${GOOD},`,
    `${GOOD} x`,
    GOOD.slice(0, -1),
  ),
  fc
    .tuple(fc.nat(GOOD.length), fc.string({ maxLength: 2 }))
    .map(([at, text]) => GOOD.slice(0, at) + text + GOOD.slice(at + 1)),
);

describe('NdjsonDecoder', () => {
  it('understands any mixture of lines exactly as JSON.parse and the rules of the event do', async () => {
    const lines = fc.array(
      anyLine.filter((text) => !/[\n\r]/.test(text)),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(lines, fc.integer({ min: 1, max: 7 }), (some, batchRows) => expectAsModel(some, { batchRows })),
      { numRuns: 600 },
    );
  });

  it('reads lines of more forms than it can remember', async () => {
    const forms = Array.from({ length: 30 }, (_, i) => GOOD.replace('{', `{"form${i}":${i},`));
    await expectAsModel(Array.from({ length: 600 }, (_, i) => forms[(i * 7) % forms.length] as string));
  });

  it('takes the last of two equal names, and an escaped name for what it says, also after lines that look alike', async () => {
    const twice = GOOD.replace('}', ',"temperature":5}');
    const escaped = GOOD.replace('temperature', 'temp\\u0065rature');
    await expectAsModel([GOOD, twice, twice, GOOD, escaped, escaped, GOOD]);
  });

  it('calls a line with invalid UTF-8 malformed wherever that stands, and keeps its bytes', async () => {
    const bad = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]].map((bytes) =>
      Buffer.from(bytes),
    );
    const noted = GOOD.replace('}', ',"note":"x"}');
    for (const [before, after] of [
      [GOOD.slice(0, 15), GOOD.slice(15)],
      [noted.slice(0, -3), noted.slice(-3)],
    ]) {
      for (const bytes of bad) {
        const broken = Buffer.concat([Buffer.from(before as string), bytes, Buffer.from(after as string)]);
        const rows = await decode(
          Buffer.concat([Buffer.from(`${before}${after}\n`), broken, Buffer.from(`\n${before}ü${after}`)]),
        );
        expect(rows.map((row) => row.defect)).toEqual(['', 'malformed_json', '']);
        expect(rows[1]?.payload.equals(broken)).toBe(true);
      }
    }
  });

  it('ends lines at \\n, \\r\\n and the end of the file; the final line break starts no line', async () => {
    for (const text of [`${GOOD}\n${GOOD}`, `${GOOD}\r\n${GOOD}\r\n`, `${GOOD}\n${GOOD}\r\n`]) {
      const rows = await decode(text);
      expect(rows.map((row) => [row.defect, row.payload.toString()])).toEqual([
        ['', GOOD],
        ['', GOOD],
      ]);
    }
    expect((await decode(`${GOOD}\n\n`)).map((row) => row.defect)).toEqual(['', 'malformed_json']);
    expect(await decode('')).toEqual([]);
  });

  it('skips a byte-order mark at the start, and nowhere else', async () => {
    const rows = await decode(`\ufeff${GOOD}\n\ufeff${GOOD}\n`);
    expect(rows.map((row) => [row.defect, row.offset])).toEqual([
      ['', 3],
      ['malformed_json', 3 + GOOD.length + 1],
    ]);
    expect(await decode('\ufeff')).toEqual([]);
  });

  it('keeps good values and the right strings when the dictionary is swept again and again', async () => {
    const lines = Array.from({ length: 500 }, (_, i) => GOOD.replace('d1', `device-${i % 90}`));
    await expectAsModel(lines, { sweepEntries: 8, batchRows: 5 });
  });

  it('keeps the first 64 KiB of a line beyond the limit, and its length; shorter ones are kept whole', async () => {
    const long = `{"x":"${'a'.repeat(900_000)}"}`;
    const rows = await decode([GOOD, long, GOOD, `${long}\r`, GOOD, long].join('\n'), {}, 1000);
    expect(rows.map((row) => row.defect)).toEqual(['', 'malformed_json', '', 'malformed_json', '', 'malformed_json']);
    for (const row of [rows[1], rows[3], rows[5]]) {
      expect(row?.payload.toString()).toBe(long.slice(0, 65_536));
      expect(row?.payloadBytes).toBe(long.length);
    }
    const [exact, over] = await decode(`${GOOD}\r\n${GOOD} \r\n`, {}, GOOD.length);
    expect([exact?.defect, over?.defect, over?.payload.toString(), over?.payloadBytes]).toEqual([
      '',
      'malformed_json',
      `${GOOD} `,
      null,
    ]);
  });
});
