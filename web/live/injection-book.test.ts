import { describe, expect, it } from 'vitest';
import type { Injection } from '#shared/injections.ts';
import { InjectionBook } from './injection-book.ts';
import { sampleEvent } from './sample-frames.ts';

function injection(id: number, running = true): Injection {
  return {
    id,
    kind: 'burst',
    strength: 2,
    durationMs: 1000,
    malformed: null,
    startedAt: 0,
    endsAt: 1000,
    running,
    affected: 0,
  };
}

describe('injection book', () => {
  it('merges lists that bring only what changed', () => {
    const book = new InjectionBook();
    book.merge([injection(1), injection(2)]);
    book.merge([{ ...injection(2), affected: 9 }]);
    expect(book.list().map(({ id, affected }) => [id, affected])).toEqual([
      [2, 9],
      [1, 0],
    ]);
  });

  it('ends one as soon as the event says so, with all that it did and not what the last tick knew', () => {
    const book = new InjectionBook();
    book.merge([{ ...injection(1), affected: 42 }]);
    const ended = { ...injection(1, false), endsAt: 400, affected: 46 };
    book.note(sampleEvent(1, { kind: 'injection-stopped', injection: 1, ended }));
    expect(book.list()).toEqual([ended]);
  });

  it('keeps the counts that came in behind the end when the event comes behind them', () => {
    const book = new InjectionBook();
    const ended = injection(1, false);
    book.merge([{ ...ended, affected: 7 }]);
    book.note(sampleEvent(1, { kind: 'injection-stopped', injection: 1, ended }));
    expect(book.list()).toMatchObject([{ running: false, affected: 7 }]);
  });

  it('never forgets a running one', () => {
    const book = new InjectionBook();
    book.merge([injection(1), ...Array.from({ length: 100 }, (_, i) => injection(i + 2, false))]);
    expect(book.list().some(({ id }) => id === 1)).toBe(true);
    expect(book.list().length).toBeLessThan(60);
  });
});
