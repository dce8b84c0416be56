import { describe, expect, it } from 'vitest';
import { toCsv, toNdjson } from './export.ts';

describe('exports', () => {
  it('quotes what RFC 4180 wants quoted', () => {
    const csv = toCsv(
      ['device_id', 'n'],
      [
        ['a,b', 1],
        ['say "x"', null],
        ['two\nlines', 0.1],
      ],
    );
    expect(csv).toBe('device_id,n\n"a,b",1\n"say ""x""",\n"two\nlines",0.1\n');
  });
  it('writes one JSON object per line', () => expect(toNdjson([{ a: 1 }, { b: '\n' }])).toBe('{"a":1}\n{"b":"\\n"}\n'));
});
