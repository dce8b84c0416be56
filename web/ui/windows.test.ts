import { describe, expect, it } from 'vitest';
import { everyMs, nextClosing, openMs, windowWords } from './windows.ts';

const tumbling = { kind: 'tumbling', sizeMs: 5000 } as const;
const sliding = { kind: 'sliding', sizeMs: 60_000, slideMs: 1000 } as const;
const session = { kind: 'session', gapMs: 3000 } as const;

describe('windows in words and numbers', () => {
  it('says what kind they are and how long', () => {
    expect([tumbling, sliding, session].map(windowWords)).toEqual([
      '5 s tumbling windows',
      '1 m windows every 1 s',
      'sessions with a gap of 3 s',
    ]);
    expect([tumbling, sliding, session].map(everyMs)).toEqual([5000, 1000, 3000]);
    expect([tumbling, sliding, session].map(openMs)).toEqual([5000, 60_000, 3000]);
  });

  it('knows when the next one closes', () => {
    expect(nextClosing(tumbling, 12_000, 'the clock').inMs).toBe(3000);
    expect(nextClosing(sliding, 12_300, 'the clock').inMs).toBe(700);
    expect(nextClosing({ kind: 'sliding', sizeMs: 5000, slideMs: 2000 }, 12_000, 'the clock').inMs).toBe(1000);
    expect(nextClosing(session, 12_000, 'the watermark').says).toBe(
      'A session closes when the watermark is 3 s past the last event of its device.',
    );
  });
});
