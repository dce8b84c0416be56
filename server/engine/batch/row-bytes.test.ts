import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, readRow, writeRow } from './row-bytes.ts';
import { bool, bytes, f64, i32, nullable, schema, string, timestamp } from './schema.ts';

const All = schema({
  number: f64(),
  maybe: nullable(f64()),
  whole: i32(),
  yes: bool(),
  at: timestamp(),
  text: string(),
  note: nullable(string()),
  payload: bytes(),
  more: nullable(bytes()),
});

describe('rows as bytes', () => {
  it('SL7 read back as they were written, whatever is in them', () => {
    const rows = [
      {
        number: -0,
        maybe: Number.MAX_VALUE,
        whole: -(2 ** 31),
        yes: true,
        at: 8.64e15,
        text: 'a\ud800 温 😀',
        note: '',
        payload: Uint8Array.of(),
        more: Uint8Array.of(0, 255),
      },
      {
        number: Number.NaN,
        maybe: null,
        whole: 2 ** 31 - 1,
        yes: false,
        at: -1,
        text: 'ÿ'.repeat(1000),
        note: null,
        payload: new Uint8Array(5000).fill(7),
        more: null,
      },
      {
        number: 0.1,
        maybe: 1e-300,
        whole: 0,
        yes: true,
        at: 0,
        text: `${'x'.repeat(63)}ÿ`,
        note: 'Ā'.repeat(8200),
        payload: Uint8Array.of(1),
        more: Uint8Array.of(),
      },
    ];
    const writer = new ByteWriter();
    for (const row of rows) writeRow(All, row, writer);
    const reader = new ByteReader(writer.done());
    expect(rows.map(() => readRow(All, reader))).toEqual(rows);
    expect(reader.more).toBe(false);
  });
});
