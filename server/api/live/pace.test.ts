import { describe, expect, it } from 'vitest';
import { Pace } from './pace.ts';

/** Server ticks until the rate is another one; the client reports nothing. */
function ticksUntil(pace: Pace, rateHz: number): number {
  for (let tick = 1; tick <= 1000; tick++) {
    pace.due();
    if (pace.rateHz === rateHz) return tick;
  }
  return Number.POSITIVE_INFINITY;
}

describe('pace of a client', () => {
  it('falls from 10 to 5, 2 and 1 Hz, each time two reports are missing, and no further', () => {
    const pace = new Pace();
    expect(ticksUntil(pace, 5)).toBe(25);
    expect(ticksUntil(pace, 2)).toBeLessThanOrEqual(50);
    expect(ticksUntil(pace, 1)).toBeLessThanOrEqual(125);
    for (let tick = 0; tick < 1000; tick++) pace.due();
    expect(pace.rateHz).toBe(1);
  });

  it('gives as many ticks as the rate says', () => {
    const pace = new Pace();
    ticksUntil(pace, 2);
    let due = 0;
    for (let tick = 0; tick < 50; tick++) if (pace.due()) due++;
    expect(due).toBe(10);
  });

  it('stays at 10 Hz for a client that reports every tenth tick it got', () => {
    const pace = new Pace();
    for (let seq = 1; seq <= 500; seq++) {
      pace.due();
      if (seq % 10 === 0) pace.seen(seq, seq + 1);
      expect(pace.rateHz).toBe(10);
    }
  });

  it('rises step by step with prompt reports, and not with reports about the past', () => {
    const pace = new Pace();
    ticksUntil(pace, 2);
    pace.seen(100, 1000);
    pace.seen(110, 1000);
    pace.seen(120, 1000);
    expect(pace.rateHz).toBe(2);
    const rates: number[] = [];
    for (let i = 0; i < 4; i++) {
      pace.seen(1000 + i, 1001 + i);
      rates.push(pace.rateHz);
    }
    expect(rates).toEqual([2, 5, 5, 10]);
  });

  it('does not believe a report of a tick that was never sent', () => {
    const pace = new Pace();
    ticksUntil(pace, 5);
    for (let i = 0; i < 10; i++) pace.seen(9999, 50);
    expect(pace.rateHz).toBe(5);
  });
});
