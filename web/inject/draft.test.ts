import { describe, expect, it } from 'vitest';
import { INJECTIONS, type InjectionKind } from '#shared/injections.ts';
import { sampleJob } from '../live/sample-frames.ts';
import { checkDraft, draftFor, draftOf, preview } from './draft.ts';
import { whyNotInject } from './why-not.ts';

describe('injection form', () => {
  it.each(Object.keys(INJECTIONS) as InjectionKind[])('the first draft of %s can be sent', (kind) => {
    expect(checkDraft(draftFor(kind))).toHaveProperty('spec.kind', kind);
  });
  it('names what is wrong', () => {
    expect(checkDraft({ ...draftFor('late'), strength: '0' })).toMatchObject({ wrong: 'strength' });
    expect(checkDraft({ ...draftFor('late'), strength: '1e9' })).toMatchObject({ wrong: 'strength' });
    expect(checkDraft({ ...draftFor('late'), strength: ' ' })).toMatchObject({ wrong: 'strength' });
    expect(checkDraft({ ...draftFor('late'), seconds: 'x' })).toMatchObject({ wrong: 'seconds' });
  });
  it('sends all at once only where that exists', () => {
    expect(checkDraft({ ...draftFor('late'), once: true })).toMatchObject({ spec: { durationMs: 0 } });
    expect(checkDraft({ ...draftFor('burst'), once: true })).toMatchObject({ spec: { durationMs: 30_000 } });
  });
  it('goes back from a sent one to the form', () => {
    const checked = checkDraft({
      ...draftFor('malformed'),
      malformed: 'wrong_type:pressure',
      strength: '7',
      seconds: '90',
    });
    expect('spec' in checked && checkDraft(draftOf(checked.spec))).toEqual(checked);
  });
  it('says beforehand what will happen', () => {
    const job = sampleJob();
    const say = (kind: InjectionKind, strength: number, durationMs: number): string =>
      preview({ kind, strength, durationMs, malformed: null }, job);
    expect(say('malformed', 20, 30_000)).toBe(
      'Adds 20 malformed events a second for 30 s (all kinds in turn): about 600 in all.',
    );
    expect(say('late', 1, 0)).toBe('Adds 1 late event at once.');
    expect(say('burst', 5, 30_000)).toBe('Multiplies the rate by 5 for 30 s, from 1k to 5k events/s.');
    expect(say('offline', 1, 10_000)).toBe('1 device falls silent for 10 s, then sends its backlog at once.');
  });
  it('gives the reason when nothing can be injected', () => {
    const job = sampleJob();
    expect(whyNotInject(null, job)).toBeNull();
    expect(whyNotInject(null, { ...job, simulator: null })).toContain('not the simulator');
    expect(whyNotInject(null, { ...job, state: 'FAILED' })).toBe('the job is failed');
    expect(whyNotInject('Not connected since 12:00:00', job)).toBe('not connected since 12:00:00');
  });
});
