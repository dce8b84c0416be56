import { describe, expect, it } from 'vitest';
import type { History, HistorySecond } from '#shared/live.ts';
import { HistoryRing } from './history-ring.ts';

function second(at: number, value: number): HistorySecond {
  return {
    at: at * 1000,
    eventsPerSecond: value,
    windowsPerSecond: 0,
    watermarkLagMs: null,
    errorsPerSecond: 0,
    latePerSecond: 0,
    latencyP50Ms: null,
    latencyP95Ms: null,
    latencyP99Ms: null,
  };
}

function history(from: number, events: (number | null)[]): History {
  const none = events.map(() => null);
  return {
    from: from * 1000,
    eventsPerSecond: events,
    windowsPerSecond: none,
    watermarkLagMs: none,
    errorsPerSecond: none,
    latePerSecond: none,
    latencyP50Ms: none,
    latencyP95Ms: none,
    latencyP99Ms: none,
  };
}

describe('history ring', () => {
  it('reads back what was loaded, with gaps as null', () => {
    const ring = new HistoryRing(10);
    ring.load(history(100, [1, null, 3]));
    expect(ring.read('eventsPerSecond', 99, 103)).toEqual([null, 1, null, 3, null]);
    expect(ring.newest).toBe(102);
  });

  it('leaves seconds that nobody reported empty, also in slots used before', () => {
    const ring = new HistoryRing(5);
    ring.load(history(0, [1, 2, 3, 4, 5]));
    ring.append(second(7, 8));
    expect(ring.read('eventsPerSecond', 3, 7)).toEqual([4, 5, null, null, 8]);
  });

  it('keeps only its capacity, whatever is loaded', () => {
    const ring = new HistoryRing(3);
    ring.load(history(0, [1, 2, 3, 4, 5]));
    expect(ring.read('eventsPerSecond', 0, 4)).toEqual([null, null, 3, 4, 5]);
  });

  it('keeps what was before the history of a server that was started again, with a gap between', () => {
    const ring = new HistoryRing(10);
    ring.load(history(100, [1, 2]));
    ring.load(history(0, []));
    ring.load(history(104, [5, null]));
    expect(ring.read('eventsPerSecond', 99, 105)).toEqual([null, 1, 2, null, null, 5, null]);
  });
  it('begins anew with a server whose clock is behind', () => {
    const ring = new HistoryRing(10);
    ring.load(history(100, [1, 2]));
    ring.load(history(50, [3]));
    expect(ring.newest).toBe(50);
    expect(ring.read('eventsPerSecond', 98, 101)).toEqual([null, null, null, null]);
  });
  it('survives a jump far ahead and ignores what is too old', () => {
    const ring = new HistoryRing(3);
    ring.append(second(1, 1));
    ring.append(second(1_000_000, 2));
    ring.append(second(5, 3));
    expect(ring.read('eventsPerSecond', 999_998, 1_000_000)).toEqual([null, null, 2]);
  });

  it('takes a late report of a second it still holds', () => {
    const ring = new HistoryRing(5);
    ring.append(second(10, 1));
    ring.append(second(12, 3));
    ring.append(second(11, 2));
    expect(ring.read('eventsPerSecond', 10, 12)).toEqual([1, 2, 3]);
    expect(ring.newest).toBe(12);
  });
});
