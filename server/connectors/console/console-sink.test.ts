import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { bytes, f64, nullable, type Schema, schema, string, timestamp } from '#engine/batch/schema.ts';
import { ReadingError } from '../iot/reading.ts';
import { ConsoleSink, type ConsoleSinkOptions } from './console-sink.ts';
import { ConsoleWriter } from './console-writer.ts';
import { printable, shortened, word } from './printable.ts';

/** What a writer that begins anew, and never waits, needs of its task. */
const OUTSIDE = {
  restored: [],
  wake: (): void => {},
  fail: (error: Error): never => {
    throw error;
  },
};

const Result = schema({
  device_id: string(),
  window_start: timestamp(),
  window_end: timestamp(),
  count: f64(),
  temperature_min: f64(),
  temperature_max: f64(),
  temperature_avg: f64(),
});

type Value = string | number | Uint8Array | null;

function batchOf(of: Schema, rows: readonly (readonly Value[])[]): RecordBatch {
  const dictionary = new Dictionary();
  const batch = RecordBatch.allocate(of, dictionary, Math.max(1, rows.length));
  for (const [row, values] of rows.entries()) {
    for (const [i, { name, kind }] of of.columns.entries()) {
      const value = values[i] ?? null;
      if (kind === 'string') batch.codes(name)[row] = value === null ? -1 : dictionary.codeOf(String(value));
      else if (kind === 'bytes' && value instanceof Uint8Array) batch.bytes(name).append(row, value);
      else if (kind !== 'bytes') batch.f64(name)[row] = value === null ? Number.NaN : Number(value);
    }
  }
  batch.size = rows.length;
  return batch;
}

function shown(batch: RecordBatch, options: ConsoleSinkOptions): string {
  let text = '';
  const write = (chunk: Uint8Array) => {
    text += Buffer.from(chunk).toString('utf8');
    return chunk.length;
  };
  const context = {
    subtask: 0,
    parallelism: 1,
    clock: new ManualClock(),
    schema: batch.schema,
    report: () => {},
    ...OUTSIDE,
  };
  const writer = new ConsoleSink({ ...options, write }).createWriter(context);
  writer.write(batch);
  writer.close();
  return text;
}

const T = Date.UTC(2023, 10, 14, 22, 13, 20);
const result = (device: string, start = T): Value[] => [device, start, start + 5000, 3, 20.1, 22.5, 21.299999999999997];

describe('ConsoleSink, piped', () => {
  it('prints a line per window whose values are full and whose ids stay one word', () => {
    expect(shown(batchOf(Result, [result('device-7'), result('a b\n"c"\x1b[2J')]), { terminal: false })).toBe(
      'device_id=device-7 window=[2023-11-14T22:13:20.000Z,2023-11-14T22:13:25.000Z) count=3 temperature=20.1/21.299999999999997/22.5\n' +
        'device_id="a b\\n\\"c\\"\\x1b[2J" window=[2023-11-14T22:13:20.000Z,2023-11-14T22:13:25.000Z) count=3 temperature=20.1/21.299999999999997/22.5\n',
    );
  });

  it('begins the lines of other rows with their label', () => {
    const row = ['wrong_type', 'pressure', Buffer.from('{"x":1}\r'), null, 'in.ndjson', 7, T];
    expect(shown(batchOf(ReadingError, [row]), { terminal: false, label: 'error' })).toBe(
      'error reason=wrong_type field=pressure payload="{\\"x\\":1}\\r" payload_bytes= source=in.ndjson offset=7 ingested_at=2023-11-14T22:13:20.000Z\n',
    );
  });

  it('prints selected rows only', () => {
    const batch = batchOf(Result, [result('a'), result('b'), result('c')]);
    batch.selection = Int32Array.of(0, 2);
    batch.selected = 2;
    expect(shown(batch, { terminal: false }).match(/device_id=\w/g)).toEqual(['device_id=a', 'device_id=c']);
  });
});

describe('ConsoleSink, on a terminal', () => {
  it('prints aligned rows; the header comes again after 20 rows and with a new date', () => {
    const rows = Array.from({ length: 25 }, (_, i) => result(`device-${i}`, i < 23 ? T : T + 86_400_000));
    const lines = shown(batchOf(Result, rows), { terminal: true }).trimEnd().split('\n');
    const headers = lines.flatMap((line, i) => (line.startsWith('device_id') ? [i] : []));
    expect(headers).toEqual([0, 21, 25]);
    expect([lines[0], lines[25]].map((line) => /(\S+) UTC/.exec(line ?? '')?.[1])).toEqual([
      '2023-11-14',
      '2023-11-15',
    ]);
    expect(lines[1]).toMatch(/^device-0 +22:13:20-22:13:25 +3 +20\.10 \/ 21\.30 \/ 22\.50$/);
    const column = (lines[1] as string).indexOf('22:13:20');
    expect(lines.filter((_, i) => !headers.includes(i)).every((line) => line.indexOf('22:13:20') === column)).toBe(
      true,
    );
  });

  it('shows news in colour, or without where colours are not wanted, and never what a payload hides', () => {
    const of = schema({ reason: string(), payload: nullable(bytes()) });
    const batch = batchOf(of, [['malformed_json', Buffer.from('\x1b]0;owned\x07\u202e')]]);
    const plain = 'error: reason malformed_json, payload \\x1b]0;owned\\x07\\u{202e}';
    expect(shown(batch, { terminal: true, label: 'error', colour: false })).toBe(`${plain}\n`);
    expect(shown(batch, { terminal: true, label: 'error', colour: true })).toBe(`\x1b[33m${plain}\x1b[0m\n`);
  });
});

describe('ConsoleWriter', () => {
  const failing = (code: string) => Object.assign(new Error(code), { code });

  it('waits for a full pipe and goes on where it was, in the middle of a chunk too', () => {
    let text = '';
    const slept: number[] = [];
    let calls = 0;
    const writer = new ConsoleWriter(
      (chunk) => {
        if (calls++ % 3 !== 2) throw failing('EAGAIN');
        text += Buffer.from(chunk.subarray(0, 4)).toString();
        return Math.min(4, chunk.length);
      },
      (ms) => slept.push(ms),
    );
    writer.append('hello ');
    writer.append('world\n');
    expect(text).toBe('');
    writer.flush();
    expect(text).toBe('hello world\n');
    expect(slept).toEqual([5, 5, 5, 5, 5, 5]);
  });

  it('ends quietly when the reader has gone, and says so once', () => {
    let calls = 0;
    const reports: unknown[] = [];
    const write = () => {
      calls++;
      throw failing('EPIPE');
    };
    const context = {
      subtask: 0,
      parallelism: 1,
      clock: new ManualClock(),
      schema: Result,
      report: (m: unknown) => reports.push(m),
      ...OUTSIDE,
    };
    const writer = new ConsoleSink({ terminal: false, write }).createWriter(context);
    for (let i = 0; i < 3; i++) {
      writer.write(batchOf(Result, [result('a')]));
      writer.idle?.();
    }
    writer.close();
    expect([calls, reports]).toEqual([1, [{ type: 'broken-pipe' }]]);
  });

  it('fails for any other reason', () => {
    const writer = new ConsoleWriter(() => {
      throw failing('EIO');
    });
    writer.append('x');
    expect(() => writer.flush()).toThrow(/Standard output cannot be written: EIO/);
  });

  it('holds back no more than a chunk', () => {
    let written = 0;
    const writer = new ConsoleWriter((chunk) => {
      written += chunk.length;
      return chunk.length;
    });
    for (let i = 0; i < 1000; i++) writer.append('x'.repeat(1000));
    expect(written).toBeGreaterThan(1_000_000 - 2 * 65_536);
  });
});

describe('printable', () => {
  it('makes visible whatever could move, hide or turn text, and leaves the rest', () => {
    expect(printable('Gerät 7, 日本 – ok 😀')).toBe('Gerät 7, 日本 – ok 😀');
    expect(printable('\x1b[31m\x7f\x85\u200b\u2028\u2066\u00a0\ud800')).toBe(
      '\\x1b[31m\\x7f\\u{85}\\u{200b}\\u{2028}\\u{2066}\\u{a0}\\u{d800}',
    );
    expect([word('a-b_c.1'), word(''), word('a=b'), word('\\n')]).toEqual(['a-b_c.1', '""', '"a=b"', '"\\\\n"']);
    expect([shortened('abcdef', 4), shortened('abcd', 4)]).toEqual(['abc…', 'abcd']);
  });
});
