import { describe, expect, it } from 'vitest';
import type { InjectionSpec } from '#shared/injections.ts';
import { LIMITS } from '#shared/live.ts';
import { ManualTimers } from '#testing/manual-timers.ts';
import { type InjectionControl, type InjectionNews, Injections, MAX_RUNNING, readSpec } from './injections.ts';

function lab() {
  const timers = new ManualTimers(1000);
  const sent: InjectionControl[] = [];
  const news: InjectionNews[] = [];
  const injections = new Injections({ clock: timers.clock, control: (message) => sent.push(message), timers });
  injections.onNews((n) => news.push(n));
  return { injections, sent, news, pass: (ms: number) => timers.pass(ms), pending: () => timers.pending };
}

const malformed: InjectionSpec = { kind: 'malformed', strength: 20, durationMs: 5000, malformed: null };

describe('injections', () => {
  it('ends when the simulator has made the last event, with the time that was asked for', () => {
    const { injections, sent, news, pass, pending } = lab();
    const { id } = injections.start(malformed);
    injections.progress(id, 60, false);
    pass(4999);
    expect(injections.all()).toMatchObject([{ id, running: true, affected: 60 }]);
    pass(150);
    injections.progress(id, 100, true);
    expect(sent).toMatchObject([{ type: 'inject', injection: { id, endsAt: 6000 } }]);
    expect(injections.all()).toMatchObject([{ id, running: false, affected: 100, endsAt: 6000 }]);
    expect(news.map((n) => n.kind)).toEqual(['injection-started', 'injection-stopped']);
    expect(news[1]?.text).toBe('Malformed events, 20 events/s ended, 100 events in all.');
    expect(pending()).toBe(0);
  });

  it.each([
    [malformed, 6000, 6000],
    [{ ...malformed, durationMs: 0 }, 10_000, 11_000],
  ])('stops one that the simulator is silent about: %j', (spec, after, endsAt) => {
    const { injections, sent, pass } = lab();
    const { id } = injections.start(spec);
    pass(after - 1);
    expect(injections.running).toBe(1);
    pass(1);
    expect(sent.at(-1)).toEqual({ type: 'stop', id });
    expect(injections.all()).toMatchObject([{ running: false, endsAt }]);
  });

  it('stops once: stopping again is no error and no news', () => {
    const { injections, news, pass } = lab();
    const { id } = injections.start(malformed);
    pass(1234);
    expect(injections.stop(id)).toBe(true);
    expect(injections.stop(id)).toBe(false);
    injections.progress(id, 24, true);
    expect(injections.stop(id)).toBe(false);
    expect(news.filter((n) => n.kind === 'injection-stopped')).toHaveLength(1);
    expect(injections.all()[0]?.endsAt).toBe(2234);
  });

  it('tells of a stop when the simulator has said how many there were, with the time of the stop', () => {
    const { injections, sent, news, pass, pending } = lab();
    const { id } = injections.start(malformed);
    pass(1000);
    injections.progress(id, 18, false);
    injections.stop(id);
    expect(sent.at(-1)).toEqual({ type: 'stop', id });
    pass(20);
    expect(injections.all()).toMatchObject([{ running: true, affected: 18 }]);
    injections.progress(id, 21, true);
    expect(injections.all()).toMatchObject([{ running: false, affected: 21, endsAt: 2000 }]);
    expect(news.at(-1)?.text).toBe('Malformed events, 20 events/s stopped, 21 events in all.');
    expect(pending()).toBe(0);
  });

  it('ends a stopped one without the simulator when that is silent, and takes the counts that come in behind', () => {
    const { injections, news, pass } = lab();
    const { id } = injections.start(malformed);
    injections.stop(id);
    pass(999);
    expect(injections.running).toBe(1);
    pass(1);
    expect(injections.all()).toMatchObject([{ running: false, endsAt: 1000 }]);
    expect(news.at(-1)?.text).toBe('Malformed events, 20 events/s stopped, 0 events so far.');
    injections.progress(id, 7, true);
    expect(injections.all()[0]?.affected).toBe(7);
  });

  it('stops all that run', () => {
    const { injections } = lab();
    const ids = [malformed, { kind: 'burst', strength: 5, durationMs: 1000, malformed: null } as const].map(
      (spec) => injections.start(spec).id,
    );
    expect(injections.stopAll()).toBe(2);
    expect(injections.stopAll()).toBe(0);
    for (const id of ids) injections.progress(id, 1, true);
    expect(injections.running).toBe(0);
  });

  it('bounds what runs and what is kept', () => {
    const { injections } = lab();
    for (let i = 0; i < MAX_RUNNING; i++) injections.start(malformed);
    expect(() => injections.start(malformed)).toThrow('stop one first');
    for (let i = 0; i < LIMITS.events + 50; i++) {
      injections.progress(injections.all().find((x) => x.running)?.id ?? 0, 1, true);
      injections.start(malformed);
    }
    expect(injections.all().length).toBe(LIMITS.events + MAX_RUNNING);
  });

  it.each([
    [null, 'must be an object'],
    [{ kind: 'meteor', strength: 1, durationMs: 1 }, 'must be one of malformed, late'],
    [{ kind: 'constructor', strength: 1, durationMs: 1 }, 'must be one of'],
    [{ kind: 'malformed', strength: '5', durationMs: 1 }, 'must be numbers'],
    [{ kind: 'malformed', strength: 0, durationMs: 1000 }, 'from 1 to 10000'],
    [{ kind: 'malformed', strength: 1.5, durationMs: 1000 }, 'whole number'],
    [{ kind: 'malformed', strength: 5, durationMs: -1 }, 'durationMs -1'],
    [{ kind: 'malformed', strength: 5, durationMs: 1e12 }, 'durationMs'],
    [{ kind: 'malformed', strength: 5, durationMs: 1000, malformed: 'weird' }, 'must be null or one of'],
    [{ kind: 'burst', strength: 5, durationMs: 0 }, 'cannot come all at once'],
    [{ kind: 'late', strength: 5, durationMs: 0, malformed: 'malformed_json' }, 'only malformed events'],
  ])('refuses %j', (spec, message) => {
    expect(() => readSpec(spec)).toThrow(message);
  });

  it('reads a right spec and nothing but its fields', () => {
    expect(readSpec({ ...malformed, malformed: 'wrong_type:pressure', extra: 1 })).toEqual({
      ...malformed,
      malformed: 'wrong_type:pressure',
    });
  });
});
