import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { judge, linesOf, type ModelReading, runModel, session, sliding, tumbling } from './reference-model.ts';

const GOLDEN = new URL('../../e2e/golden/', import.meta.url);

function readGolden(path: string): Buffer {
  return gunzipSync(readFileSync(new URL(path, GOLDEN)));
}

/** Lines of a golden result; Flink wrote no file where there was nothing to write. */
function goldenLines<T>(path: string, read: (parsed: unknown) => T): T[] {
  const directory = new URL(path, GOLDEN);
  if (!readdirSync(new URL('.', directory)).includes(path.slice(path.lastIndexOf('/') + 1))) return [];
  return readGolden(path)
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => read(JSON.parse(line)));
}

const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

describe('the reference model gives what Flink gave', () => {
  const cases = readdirSync(GOLDEN, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of cases) {
    for (const result of readdirSync(new URL(`${name}/`, GOLDEN)).filter((entry) => entry.includes('-late'))) {
      it(`${name}, ${result}`, () => {
        const [, kind = '', size, slide, lateness] = /^(\w+)-(\d+)(?:-(\d+))?-late(\d+)$/.exec(result) ?? [];
        const assigners = { tumbling, sliding: (ms: number) => sliding(ms, Number(slide)), session };
        const model = runModel(readGolden(`${name}/input.ndjson.gz`), {
          assign: assigners[kind as keyof typeof assigners](Number(size)),
          merging: kind === 'session',
          outOfOrdernessMs: 5000,
          allowedLatenessMs: Number(lateness),
        });
        const identity = (parsed: unknown) => parsed;
        expect(sorted(model.windows)).toEqual(sorted(goldenLines(`${name}/${result}/windows.ndjson.gz`, identity)));
        expect(
          model.errors.map(({ reason, field, payload }) => ({ reason, field, payload: payload.toString('utf8') })),
        ).toEqual(goldenLines(`${name}/${result}/errors.ndjson.gz`, identity));
        const lateRow = (r: ModelReading) => [r.device_id, r.event_timestamp, r.temperature, r.humidity, r.pressure];
        expect(model.late.map(lateRow)).toEqual(goldenLines(`${name}/${result}/late.ndjson.gz`, identity));
      });
    }
  }
});

describe('windows fire as in Flink (W19, W20)', () => {
  const timestamps = [1000, 12000, 9000, 14999, 15000, 9999, 16999, 8000, 17000, 7000, 25001];
  const file = Buffer.from(
    timestamps
      .map((ms) => `{"device_id":"d1","event_timestamp":${ms},"temperature":1,"humidity":2,"pressure":1000}\n`)
      .join(''),
  );
  const run = (allowedLatenessMs: number) => {
    const model = runModel(file, { assign: tumbling(10_000), outOfOrdernessMs: 5000, allowedLatenessMs });
    return {
      fired: model.windows.map(([, , end, count]) => `${count}@${end - 1}`),
      late: model.late.map((late) => [late.event_timestamp, late.watermark]),
    };
  };

  it('without allowed lateness, what comes after its window is late', () => {
    expect(run(0)).toEqual({
      fired: ['2@9999', '5@19999', '1@29999'],
      late: [
        [9999, 9999],
        [8000, 11998],
        [7000, 11999],
      ],
    });
  });

  it('with 2 s, each event that still counts fires its window again', () => {
    expect(run(2000)).toEqual({ fired: ['2@9999', '3@9999', '4@9999', '5@19999', '1@29999'], late: [[7000, 11999]] });
  });
});

describe('a line is judged by the first rule it breaks', () => {
  const line = (changes: Record<string, string | undefined>) => {
    const fields = {
      device_id: '"d"',
      event_timestamp: '0',
      temperature: '1',
      humidity: '2',
      pressure: '1000',
      ...changes,
    };
    const cells = Object.entries(fields).filter(([, text]) => text !== undefined);
    return Buffer.from(`{${cells.map(([name, text]) => `"${name}":${text}`).join(',')}}`);
  };
  const verdict = (changes: Record<string, string | undefined>) => {
    const judged = judge(line(changes));
    return 'reason' in judged ? `${judged.reason} ${judged.field}` : 'good';
  };

  it('limits are inclusive, numbers are judged by value', () => {
    expect(verdict({ temperature: '-40', humidity: '1e2', pressure: '11.00e+2' })).toBe('good');
    expect(verdict({ event_timestamp: '-0' })).toBe('good');
    expect(verdict({ event_timestamp: '8.64e15' })).toBe('good');
    expect(verdict({ event_timestamp: '8640000000000001' })).toBe('out_of_range event_timestamp');
    expect(verdict({ event_timestamp: '1.5' })).toBe('wrong_type event_timestamp');
    expect(verdict({ temperature: '85.00000000000001' })).toBe('out_of_range temperature');
    expect(verdict({ temperature: '1e999' })).toBe('wrong_type temperature');
    expect(verdict({ temperature: 'NaN' })).toBe('malformed_json null');
  });

  it('fields are judged in their order, not in the order of the line', () => {
    expect(verdict({ pressure: undefined, humidity: '"x"' })).toBe('wrong_type humidity');
    expect(verdict({ temperature: '-41', humidity: undefined })).toBe('out_of_range temperature');
  });

  it('an id is blank when it has only white space', () => {
    expect(verdict({ device_id: '" \\t\\u2003"' })).toBe('wrong_type device_id');
    expect(verdict({ device_id: '""' })).toBe('wrong_type device_id');
    expect(verdict({ device_id: '"\\u00a0"' })).toBe('good');
  });

  it('bytes that are no UTF-8 are no JSON', () => {
    expect(
      judge(Buffer.concat([line({}).subarray(0, -1), Buffer.of(0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)])),
    ).toEqual({
      reason: 'malformed_json',
      field: null,
    });
  });
});

describe('lines of a file', () => {
  const lines = (text: string) => linesOf(Buffer.from(text)).map(({ line, offset }) => `${offset}:${line.toString()}`);

  it('end with LF, CRLF or the end of the file', () => {
    expect(lines('a\r\nb\nc')).toEqual(['0:a', '3:b', '5:c']);
    expect(lines('a\n')).toEqual(['0:a']);
    expect(lines('')).toEqual([]);
  });

  it('blank ones count, a byte-order mark at the start does not', () => {
    expect(lines('\ufeffa\n\n\r\nb\n\ufeff')).toEqual(['3:a', '5:', '6:', '8:b', '10:\ufeff']);
  });
});
