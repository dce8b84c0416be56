import { describe, expect, it } from 'vitest';
import { ProgressReporter } from './progress.ts';
import { describeSummary, type Outcome, summarize } from './summary.ts';
import { duration, rounded, whole } from './words.ts';

function reporter(terminal: boolean, columns = 200) {
  const written: string[] = [];
  return { written, reporter: new ProgressReporter({ terminal, columns, write: (text) => written.push(text) }) };
}

describe('progress', () => {
  it('is a bar with rate and time left on a terminal, at most five times a second', () => {
    const { written, reporter: bar } = reporter(true);
    for (let ms = 0; ms <= 10_000; ms += 50) {
      bar.update({ events: 1.23e6, eventsPerSecond: 410_000, share: 0.25, elapsedMs: ms });
    }
    expect(written).toHaveLength(50);
    expect(written.at(-1)).toBe('\r\x1b[K[█████░░░░░░░░░░░░░░░]   25 %  1.23 M events  410 k events/s  30.0 s left');
    bar.clear();
    expect(written.at(-1)).toBe('\r\x1b[K');
  });

  it('is a plain line every five seconds elsewhere', () => {
    const { written, reporter: lines } = reporter(false);
    for (let ms = 0; ms <= 12_000; ms += 100)
      lines.update({ events: 500, eventsPerSecond: 50, share: null, elapsedMs: ms });
    expect(written).toEqual(['500 events, 50 events/s, 5.0 s so far\n', '500 events, 50 events/s, 10.0 s so far\n']);
    lines.clear();
    expect(written).toHaveLength(2);
  });

  it('is never wider than the terminal, so that it stays one line', () => {
    const { written, reporter: bar } = reporter(true, 40);
    bar.update({ events: 1e9, eventsPerSecond: 1e6, share: 0.5, elapsedMs: 1000 });
    expect(written[0]?.replace('\r\x1b[K', '').length).toBe(39);
  });
});

describe('words', () => {
  it('have three digits and a unit, also just below the next unit', () => {
    expect([0, 999, 1000, 12_345, 999_499, 999_950, 4_560_000, 2e9].map(rounded)).toEqual([
      '0',
      '999',
      '1 k',
      '12.3 k',
      '999 k',
      '1 M',
      '4.56 M',
      '2 G',
    ]);
    expect(whole(1_234_567)).toBe('1 234 567');
    expect([0, 850, 12_400, 59_960, 185_000, 7_620_000].map(duration)).toEqual([
      '0 ms',
      '850 ms',
      '12.4 s',
      '1 min 00 s',
      '3 min 05 s',
      '2 h 07 min',
    ]);
  });
});

const outcome: Outcome = {
  job: 'iot',
  state: 'FINISHED',
  failure: null,
  interrupted: false,
  totals: { events: 20_000, windows: 12, errors: 3, late: 1 },
  results: { name: 'windows', count: 12 },
  counts: [
    { reason: 'malformed_json', field: null, count: 1, perSecond: 0 },
    { reason: 'wrong_type', field: 'pressure', count: 2, perSecond: 0 },
  ],
  durationMs: 2000,
  output: 'out',
  table: null,
};

describe('summary', () => {
  it('counts errors by reason and field, the most frequent first', () => {
    const summary = summarize(outcome);
    expect(summary).toMatchObject({ events: 20_000, errors: 3, eventsPerSecond: 10_000, state: 'FINISHED' });
    expect(JSON.stringify(summary.errorsByReason)).toBe('{"wrong_type:pressure":2,"malformed_json":1}');
    expect(describeSummary(summary)).toContain('iot: done after 2.0 s, 10 k events/s\n');
    expect(describeSummary(summary)).toContain('Results are in out\n');
  });

  it('says what was kept when it was stopped, and when it failed', () => {
    expect(describeSummary(summarize({ ...outcome, interrupted: true }))).toContain(
      'Kept in out: everything that was read',
    );
    const failed = summarize({ ...outcome, state: 'FAILED', failure: new Error('disk full') });
    expect(failed.failure).toBe('disk full');
    expect(describeSummary(failed)).toMatch(/^iot: failed after .*Kept in out: what was committed before\.\n$/s);
    expect(describeSummary(summarize({ ...outcome, output: null }))).not.toContain('Kept');
    expect(describeSummary(summarize({ ...outcome, table: 'table w' }))).toContain('Results are in out and table w\n');
  });
});
