import { describe, expect, it } from 'vitest';
import { LIMITS } from '#shared/live.ts';
import { EventLog } from './event-log.ts';
import { sampleEvent as event } from './sample-frames.ts';

describe('event log', () => {
  it('takes each event once', () => {
    const log = new EventLog();
    expect(log.add(event(1))).toBe('added');
    expect(log.add(event(1))).toBe('repeat');
    expect(log.events).toHaveLength(1);
  });

  it('refuses an event when others are missing before it', () => {
    const log = new EventLog();
    log.add(event(1));
    expect(log.add(event(3))).toBe('gap');
    expect(log.seq).toBe(1);
  });

  it('accepts a jump in a snapshot and goes on from there', () => {
    const log = new EventLog();
    log.addAll([event(1), event(2)]);
    log.addAll([event(2), event(7), event(8)]);
    expect(log.events.map(({ seq }) => seq)).toEqual([1, 2, 7, 8]);
    expect(log.add(event(9))).toBe('added');
  });

  it('keeps the newest and is another array after every change', () => {
    const log = new EventLog();
    const before = log.events;
    for (let seq = 1; seq <= LIMITS.events + 20; seq++) log.add(event(seq));
    expect(log.events).toHaveLength(LIMITS.events);
    expect(log.events[0]?.seq).toBe(21);
    expect(log.events).not.toBe(before);
  });
});
