import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '#base/errors.ts';
import { Poll } from '#engine/io/source.ts';
import { type InjectionKind, MALFORMED_KINDS, type MalformedKind } from '#shared/injections.ts';
import { type SimulatedRow, SimulatorHarness } from './harness.ts';

function inject(
  harness: SimulatorHarness,
  kind: InjectionKind,
  strength: number,
  durationMs: number,
  malformed: MalformedKind | null = null,
  id = 1,
): void {
  const startedAt = harness.clock.now();
  harness.control({
    type: 'inject',
    injection: { id, kind, strength, durationMs, malformed, startedAt, endsAt: startedAt + durationMs },
  });
}

/** Rows that injection `id` added. */
const added = (rows: readonly SimulatedRow[], id = 1) => rows.filter((r) => r.source?.endsWith(`#${id}`));
const last = (harness: SimulatorHarness, id = 1) => harness.progress.filter((p) => p.id === id).at(-1);

describe('injections: events that are added', () => {
  it('come exactly as often as asked for, over any splits, subtasks and pace of polling, and by the end of the duration', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<InjectionKind>('malformed', 'late'),
        fc.integer({ min: 1, max: 700 }),
        fc.constantFrom(0, 1, 300, 1700, 3000),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(1, 10, 130),
        (kind, strength, durationMs, splits, parallelism, step) => {
          const harness = new SimulatorHarness(`devices=30,rate=200,splits=${splits}`, { parallelism, capacity: 64 });
          harness.run(100);
          inject(harness, kind, strength, durationMs);
          const rows = [...harness.drain(), ...harness.run(durationMs + step, step)];
          const total = durationMs === 0 ? strength : Math.round((strength * durationMs) / 1000);
          expect(added(rows)).toHaveLength(total);
          expect(rows.filter((r) => r.payload !== null)).toHaveLength(kind === 'malformed' ? total : 0);
          expect(added([...harness.run(1000, 50)])).toHaveLength(0);
          expect(last(harness)).toMatchObject({ affected: total, done: true });
          expect(harness.progress.filter((p) => p.done)).toHaveLength(1);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('come beside the normal events, whose rate stays', () => {
    const harness = new SimulatorHarness('devices=30,rate=1000');
    harness.run(100);
    inject(harness, 'malformed', 50, 2000);
    const rows = harness.run(2000);
    expect(added(rows)).toHaveLength(100);
    expect(rows.length - 100).toBe(2000);
    // Evenly over the time: 20 ms apart.
    expect(Math.max(...added(rows).map((r, i, all) => r.at - (all[i - 1]?.at ?? r.at)))).toBeLessThanOrEqual(21);
  });

  it('appear at once at rate=max too, in time with the clock', () => {
    const harness = new SimulatorHarness('devices=30,rate=max', { capacity: 256 });
    const rows: SimulatedRow[] = [];
    for (let i = 0; i < 8; i++) harness.poll(0, rows);
    inject(harness, 'malformed', 40, 1000);
    const perTurn: number[] = [];
    for (let ms = 0; ms <= 1000; ms += 100) {
      const turn: SimulatedRow[] = [];
      for (let i = 0; i < 8; i++) {
        expect(harness.poll(0, turn)).toBe(Poll.MORE);
      }
      expect(turn).toHaveLength(2048);
      perTurn.push(added(turn).length);
      harness.clock.advance(100);
    }
    expect(perTurn).toEqual([1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3]);
    expect(last(harness)).toMatchObject({ affected: 40, done: true });
  });

  it('stopped early, what was made is what is reported', () => {
    const harness = new SimulatorHarness('devices=30,rate=200', { parallelism: 2 });
    inject(harness, 'late', 100, 10_000);
    const rows = harness.run(1234);
    harness.control({ type: 'stop', id: 1 });
    rows.push(...harness.run(9000, 100));
    expect(added(rows).length).toBe(124);
    expect(last(harness)).toMatchObject({ affected: 124, done: true });
    harness.control({ type: 'stop', id: 1 });
    expect(harness.progress.filter((p) => p.done)).toHaveLength(1);
  });

  it('all kinds take equal turns unless one is asked for; offsets go on without a gap', () => {
    const harness = new SimulatorHarness('devices=30,rate=200');
    inject(harness, 'malformed', 150, 0);
    inject(harness, 'malformed', 20, 0, 'wrong_type:humidity', 2);
    const rows = harness.drain();
    const outOfRange = added(rows).filter((r) => r.defect === 0);
    expect(outOfRange).toHaveLength(
      (150 * MALFORMED_KINDS.filter((k) => k.startsWith('out_of_range')).length) / MALFORMED_KINDS.length,
    );
    expect(new Set(added(rows).map((r) => r.defect)).size).toBe(12);
    expect(new Set(added(rows, 2).map((r) => r.defect)).size).toBe(1);
    expect(added(rows, 2).every((r) => r.humidity === null && r.temperature !== null)).toBe(true);
    rows.push(...harness.run(500));
    for (let split = 0; split < 4; split++) {
      expect(rows.filter((r) => r.split === split).map((r) => r.offset)).toEqual(
        rows.filter((r) => r.split === split).map((_, i) => i),
      );
    }
    // Rows after them are from the split itself again, without defects.
    expect(
      rows.slice(-20).every((r) => /^simulator-\d$/.test(r.source ?? '') && r.defect === 0 && r.payload === null),
    ).toBe(true);
  });

  it('late ones are one to two minutes behind', () => {
    const harness = new SimulatorHarness('devices=30,rate=200');
    inject(harness, 'late', 1000, 0);
    for (const row of added(harness.drain())) {
      expect(row.at - row.time).toBeGreaterThanOrEqual(60_000);
      expect(row.at - row.time).toBeLessThanOrEqual(120_000);
      expect(row.defect).toBe(0);
    }
  });

  it('count towards the end of a bounded run, and are over with it', () => {
    const harness = new SimulatorHarness('devices=30,events=1000,rate=1000', { parallelism: 2 });
    harness.run(100);
    inject(harness, 'malformed', 100, 10_000);
    const before = 100 + 1;
    const rows = harness.run(2000);
    expect(before + rows.length).toBe(1000);
    expect(harness.subtasks.every((t) => t.ended)).toBe(true);
    expect(last(harness)).toMatchObject({ affected: added(rows).length, done: true });
    inject(harness, 'malformed', 100, 0, null, 2);
    expect(last(harness, 2)).toMatchObject({ affected: 0, done: true });
  });
});

describe('injections: events that are changed', () => {
  it('disorder: the share of events is held back, by less than the bound; nothing else changes', () => {
    const harness = new SimulatorHarness('devices=100,rate=5000,hold=4s');
    harness.run(100);
    inject(harness, 'disorder', 30, 2000);
    const rows = harness.run(2000);
    const held = rows.filter((r) => r.time < r.at - 2);
    expect(rows).toHaveLength(10_000);
    expect(held.length / rows.length).toBeGreaterThan(0.28);
    expect(held.length / rows.length).toBeLessThan(0.32);
    expect(Math.max(...held.map((r) => r.at - r.time))).toBeLessThanOrEqual(4000);
    expect(Math.max(...held.map((r) => r.at - r.time))).toBeGreaterThan(3900);
    expect(harness.run(500).every((r) => r.time >= r.at - 2)).toBe(true);
    expect(Math.abs((last(harness)?.affected ?? 0) - held.length)).toBeLessThan(12);
    expect(last(harness)?.done).toBe(true);
  });

  it('burst: the rate is multiplied for the time, and no longer, at small rates too', () => {
    for (const rate of [2, 1000]) {
      const harness = new SimulatorHarness(`devices=100,rate=${rate}`);
      harness.run(5000);
      inject(harness, 'burst', 10, 2000);
      const during = harness.run(2000);
      expect(Math.abs(during.length - rate * 20)).toBeLessThanOrEqual(4 + rate / 50);
      expect(Math.abs(harness.run(2000).length - rate * 2)).toBeLessThanOrEqual(4 + rate / 50);
      expect(Math.abs((last(harness)?.affected ?? 0) - rate * 18)).toBeLessThanOrEqual(6 + rate / 50);
      expect(during.every((r) => Math.abs(r.at - r.time) <= 2)).toBe(true);
    }
  });

  it('offline: that many devices are silent, then send all they measured at once with its old timestamps', () => {
    const harness = new SimulatorHarness('devices=40,rate=400', { parallelism: 2 });
    // From the first millisecond to the last of five seconds, both included.
    const before = harness.run(1000);
    inject(harness, 'offline', 7, 3000);
    const during = harness.run(2999);
    const heard = new Set(during.map((r) => r.device));
    expect(heard.size).toBe(33);
    const end = harness.run(1);
    const backlog = end.filter((r) => !heard.has(r.device));
    expect(new Set(backlog.map((r) => r.device)).size).toBe(7);
    expect(backlog.length).toBeGreaterThanOrEqual(7 * 29);
    const after = harness.run(1000);
    expect([...before, ...during, ...end, ...after]).toHaveLength(2001);
    expect(new Set(after.map((r) => r.device)).size).toBe(40);
    expect(Math.abs((last(harness)?.affected ?? 0) - backlog.length)).toBeLessThanOrEqual(1);
  });

  it('offline: stopped early, the devices are back at once', () => {
    const harness = new SimulatorHarness('devices=40,rate=400');
    inject(harness, 'offline', 5, 60_000);
    const during = harness.run(1000);
    expect(new Set(during.map((r) => r.device)).size).toBe(35);
    harness.control({ type: 'stop', id: 1 });
    expect(new Set(harness.run(100).map((r) => r.device)).size).toBe(40);
    expect(last(harness)?.done).toBe(true);
  });

  it('progress is told about five times a second, and at the end', () => {
    const harness = new SimulatorHarness('devices=40,rate=400');
    inject(harness, 'malformed', 500, 3000);
    harness.run(4000);
    expect(harness.progress.length).toBeGreaterThanOrEqual(14);
    expect(harness.progress.length).toBeLessThanOrEqual(17);
    expect(harness.progress.map((p) => p.affected)).toEqual(
      harness.progress.map((p) => p.affected).sort((a, b) => a - b),
    );
  });
});

describe('settings that change while it runs', () => {
  it('rate, shares and delays take effect at once and show in the settings', () => {
    const harness = new SimulatorHarness('devices=100,rate=100', { parallelism: 2 });
    harness.run(1000);
    harness.control({ type: 'settings', rate: 2000, malformed: 0.5, disorder: 'uniform:1s' });
    const rows = harness.run(1000);
    expect(Math.abs(rows.length - 2000)).toBeLessThan(20);
    const malformed = rows.filter((r) => r.payload !== null).length / rows.length;
    expect(malformed).toBeGreaterThan(0.45);
    expect(malformed).toBeLessThan(0.55);
    expect(Math.max(...rows.filter((r) => r.payload === null).map((r) => r.at - r.time))).toBeGreaterThan(900);
    expect(harness.simulator.settings).toEqual({
      devices: 100,
      rate: 2000,
      malformed: 0.5,
      late: 0,
      disorder: 'uniform:1s',
    });
    harness.control({ type: 'settings', malformed: 0, late: 1, disorder: 'none', rate: 100 });
    expect(harness.run(1000).every((r) => r.payload === null && r.at - r.time >= 10_000)).toBe(true);
  });

  it('a rate may become max and a number again; event time stays with the clock', () => {
    const harness = new SimulatorHarness('devices=100,rate=100');
    harness.run(1000);
    harness.control({ type: 'settings', rate: null });
    const rows: SimulatedRow[] = [];
    for (let i = 0; i < 10; i++) {
      harness.clock.advance(5);
      expect(harness.poll(0, rows)).toBe(Poll.MORE);
    }
    expect(rows).toHaveLength(20_480);
    expect(rows.every((r) => r.time === r.at)).toBe(true);
    harness.control({ type: 'settings', rate: 100 });
    expect(Math.abs(harness.run(1000).length - 100)).toBeLessThanOrEqual(4);
  });

  it.each([
    [{ type: 'settings', rate: -1 }, 'rate=-1: must be max'],
    [{ type: 'settings', malformed: 2 }, 'malformed=2: must be a share'],
    [{ type: 'settings', disorder: 'often' }, 'disorder=often: must be none'],
    [{ type: 'explode' }, 'unknown control event "explode"'],
    [{ type: 'inject', injection: { kind: 'fire' } }, 'unknown injection "fire"'],
    [
      {
        type: 'inject',
        injection: { id: 1, kind: 'burst', strength: 3, durationMs: 0, malformed: null, startedAt: 0 },
      },
      'burst needs a duration',
    ],
    [
      { type: 'inject', injection: { id: 1, kind: 'late', strength: 0, durationMs: 0, malformed: null, startedAt: 0 } },
      'strength must be a whole number from 1 to 10000',
    ],
    [
      {
        type: 'inject',
        injection: { id: 1, kind: 'malformed', strength: 1, durationMs: 0, malformed: 'odd', startedAt: 0 },
      },
      'unknown kind of malformed event "odd"',
    ],
    ['stop', 'must be an object'],
  ])('%j is refused with the reason', (event, message) => {
    const harness = new SimulatorHarness('devices=4,rate=10');
    expect(() => harness.control(event)).toThrow(UsageError);
    expect(() => harness.control(event)).toThrow(message);
  });
});
