import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, FAULTS } from '#shared/faults.ts';
import { sampleJob } from '../../live/sample-frames.ts';
import { checkDraft, draftFor, draftOf, preview, targetsOf } from './fault-draft.ts';

const view = { version: 1, open: [], verdicts: [], taskManagers: 2, supervised: false, checkpoints: true };

describe('the draft of a fault', () => {
  it('begins as one that can be sent, for every kind, and is the same when it is done again', () => {
    for (const kind of FAULT_KINDS) {
      const draft = draftFor(kind, sampleJob(), 2);
      const checked = checkDraft(draft);
      if ('error' in checked) throw new Error(`${kind}: ${checked.error}`);
      expect(checked.spec.target === null, kind).toBe(FAULTS[kind].target === 'job');
      expect(checkDraft(draftOf(checked.spec))).toEqual(checked);
      expect(preview(checked.spec, view)).toMatch(/\.$/);
    }
  });

  it('strikes the window operator before others, and neither sources nor sinks as operators', () => {
    expect(draftFor('throwing-operator', sampleJob(), 2).target).toBe('window');
    const kinds = new Map(sampleJob().operators.map(({ id, kind }) => [id, kind]));
    for (const { id } of targetsOf('slow-operator', sampleJob(), 2))
      expect(['source', 'sink']).not.toContain(kinds.get(id));
    for (const { id } of targetsOf('slow-sink', sampleJob(), 2)) expect(kinds.get(id)).toBe('sink');
    expect(targetsOf('kill-task-manager', null, 2).map(({ id }) => id)).toEqual(['1', '2']);
  });

  it('names what is wrong with it', () => {
    const draft = draftFor('slow-operator', sampleJob(), 2);
    expect(checkDraft({ ...draft, strength: '1.5' })).toMatchObject({ wrong: 'strength' });
    expect(checkDraft({ ...draft, strength: '' })).toMatchObject({ wrong: 'strength' });
    expect(checkDraft({ ...draft, seconds: '601' })).toMatchObject({ wrong: 'seconds' });
    expect(checkDraft({ ...draft, expected: 'soon' })).toMatchObject({ wrong: 'expected' });
    expect(checkDraft({ ...draft, expected: '0.5' })).toMatchObject({ spec: { expectedMs: 500 } });
  });

  it('says what becomes of the server, with a supervisor and without', () => {
    const spec = { kind: 'kill-server', target: null, strength: 1, durationMs: 0, expectedMs: null } as const;
    expect(preview(spec, view)).toContain('nobody starts it again');
    expect(preview(spec, { ...view, supervised: true })).toContain('Its supervisor starts it again');
  });
});
