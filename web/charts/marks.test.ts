import { describe, expect, it } from 'vitest';
import type { Injection } from '#shared/injections.ts';
import type { LiveEvent } from '#shared/live.ts';
import { sampleEvent } from '../live/sample-frames.ts';
import { marksOf, marksWithin } from './marks.ts';

const started = sampleEvent(1, { kind: 'injection-started', injection: 5, at: 1000 });
const stopped = sampleEvent(2, { kind: 'injection-stopped', injection: 5, at: 4000 });
const running: Injection = {
  id: 5,
  kind: 'burst',
  strength: 2,
  durationMs: 9000,
  malformed: null,
  startedAt: 1000,
  endsAt: 10_000,
  running: true,
  affected: 0,
};

describe('marks', () => {
  it('an injection is a band from its start to its stop', () => {
    expect(marksOf([started, stopped], [])).toMatchObject([{ type: 'band', id: 5, from: 1000, to: 4000 }]);
  });
  it('is open while it runs, and named by its kind', () => {
    expect(marksOf([started], [running])).toMatchObject([{ to: null, label: 'burst' }]);
  });
  it('ends where the list says, when the stop was not told', () => {
    expect(marksOf([started], [{ ...running, running: false, endsAt: 3000 }])).toMatchObject([{ to: 3000 }]);
  });
  it('no event, no mark: a click alone draws nothing', () => expect(marksOf([], [running])).toEqual([]));
  it('job states and settings are lines', () => {
    const marks = marksOf([sampleEvent(1, { kind: 'job-state', state: 'RUNNING' }), sampleEvent(2)], []);
    expect(marks.map((mark) => mark.label)).toEqual(['running', 'settings']);
  });
  it('only those in view are drawn, also bands that reach into it', () => {
    const marks = marksOf([started, stopped], []);
    expect(marksWithin(marks, 3000, 9000)).toHaveLength(1);
    expect(marksWithin(marks, 5000, 9000)).toHaveLength(0);
    expect(marksWithin(marksOf([started], []), 5000, 9000)).toHaveLength(1);
  });
});

describe('marks of faults', () => {
  it('are bands that say their verdict once it is there', () => {
    const event = (seq: number, kind: LiveEvent['kind'], text: string) => sampleEvent(seq, { kind, text, fault: 3 });
    const marks = marksOf(
      [event(1, 'fault-started', 'began'), event(2, 'fault-ended', 'over'), event(4, 'fault-verdict', 'recovered')],
      [],
    );
    expect(marks).toMatchObject([{ type: 'band', of: 'fault', id: 3, from: 1000, to: 2000, text: 'recovered' }]);
    expect(marksOf([event(1, 'fault-started', 'began')], [])).toMatchObject([{ to: null, text: 'began' }]);
  });
});
