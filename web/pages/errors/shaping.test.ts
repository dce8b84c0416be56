import { describe, expect, it } from 'vitest';
import type { ErrorRow } from '#shared/live.ts';
import { visibleParts, visibleText } from '../../ui/visible-text.ts';
import { filterErrors } from './filter-errors.ts';
import { lateHistogram } from './late-histogram.ts';

const text = (payload: string, field: string | null = null): string =>
  visibleParts(payload, field)
    .map((part) => (part.look === 'plain' ? part.text : `<${part.look} ${part.text}>`))
    .join('');

describe('untrusted text', () => {
  it('leaves ordinary text alone, markup and emoji included', () => {
    expect(text('<b>ü 🌡 中文</b>')).toBe('<b>ü 🌡 中文</b>');
    expect(text('\u{1f321}\ufe0f')).toBe('\u{1f321}\ufe0f');
    expect(text('a\ufe0f')).toBe('a<odd \\ufe0f>');
  });
  it('makes controls, direction overrides and lone surrogates visible', () => {
    expect(text('a\u0000b\u001b\n')).toBe('a<odd \\0>b<odd \\u001b><odd \\n>');
    expect(text('\u202eevil\u200b')).toBe('<odd \\u202e>evil<odd \\u200b>');
    expect(text('\ud800x')).toBe('<odd \\ud800>x');
    expect(text('\u{e0041}')).toBe('<odd \\u{e0041}>');
  });
  it('marks the field that failed', () => {
    expect(text('{"pressure":"x"}', 'pressure')).toBe('{<field "pressure">:"x"}');
    expect(text('{}', 'pressure')).toBe('{}');
  });
  it('is cut where a label would be too long', () => {
    expect(visibleText('\u202ex'.repeat(10), 4)).toBe('\\u202ex\\u202ex…');
    expect(visibleText('roof', 4)).toBe('roof');
  });
  it('loses nothing of a long text', () => {
    const long = 'x'.repeat(100_000);
    expect(visibleParts(long, null)).toEqual([{ at: 0, text: long, look: 'plain' }]);
  });
});

describe('error filter', () => {
  const row = (id: number, change: Partial<ErrorRow>): ErrorRow => ({
    id,
    at: 0,
    reason: 'wrong_type',
    field: 'pressure',
    payload: 'Roof',
    payloadBytes: 4,
    source: 's',
    offset: 0,
    injection: null,
    ...change,
  });
  const rows = [row(1, {}), row(2, { field: 'humidity' }), row(3, { injection: 4, payload: '' })];
  const ids = (filter: Parameters<typeof filterErrors>[1]): number[] => filterErrors(rows, filter).map(({ id }) => id);

  it('goes by reason and field, injection and text', () => {
    expect(ids({ reason: null, injection: null, text: '' })).toEqual([1, 2, 3]);
    expect(ids({ reason: 'wrong_type:pressure', injection: null, text: '' })).toEqual([1, 3]);
    expect(ids({ reason: null, injection: 4, text: '' })).toEqual([3]);
    expect(ids({ reason: null, injection: null, text: 'roof' })).toEqual([1, 2]);
  });
});

describe('lateness histogram', () => {
  it('counts every event once', () => {
    const histogram = lateHistogram([1, 999, 1000, 24_000], 0);
    expect(histogram?.bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(4);
    expect(histogram?.top).toBeGreaterThanOrEqual(24_000);
  });
  it('reaches to the allowed lateness', () => expect(lateHistogram([5], 10_000)?.top).toBeGreaterThanOrEqual(10_000));
  it('is null without events', () => expect(lateHistogram([], 5000)).toBeNull());
});
