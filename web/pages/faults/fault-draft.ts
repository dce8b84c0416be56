import { FAULT_LIMITS, FAULTS, type FaultKind, type FaultSpec, type FaultsView } from '#shared/faults.ts';
import type { JobView } from '#shared/live.ts';
import { formatSeconds } from '../../ui/format.ts';

/** What the form holds while it is filled in: text where people type. */
export interface FaultDraft {
  readonly kind: FaultKind;
  readonly target: string;
  readonly strength: string;
  readonly seconds: string;
  /** Empty: nothing is expected. */
  readonly expected: string;
}

export interface Target {
  readonly id: string;
  readonly name: string;
}

export const MAX_SECONDS = FAULT_LIMITS.durationMs / 1000;

/** What a fault of this kind can strike; empty: the whole job. */
export function targetsOf(kind: FaultKind, job: JobView | null, taskManagers: number): Target[] {
  const what = FAULTS[kind].target;
  if (what === 'job') return [];
  if (what === 'task-manager')
    return Array.from({ length: taskManagers }, (_, i) => ({ id: `${i + 1}`, name: `Task manager ${i + 1}` }));
  return (job?.operators ?? [])
    .filter((operator) => (what === 'sink' ? operator.kind === 'sink' : !['sink', 'source'].includes(operator.kind)))
    .map(({ id, name }) => ({ id, name }));
}

export function draftFor(kind: FaultKind, job: JobView | null, taskManagers: number): FaultDraft {
  const targets = targetsOf(kind, job, taskManagers);
  // What people come to break first is where state is.
  const usual = targets.find(({ id }) => job?.operators.some((o) => o.id === id && o.kind === 'window')) ?? targets[0];
  return {
    kind,
    target: usual?.id ?? '',
    strength: String(FAULTS[kind].default),
    seconds: String(FAULT_LIMITS.defaultMs / 1000),
    expected: '',
  };
}

export function draftOf({ kind, target, strength, durationMs, expectedMs }: FaultSpec): FaultDraft {
  return {
    kind,
    target: target ?? '',
    strength: String(strength),
    seconds: String((durationMs || FAULT_LIMITS.defaultMs) / 1000),
    expected: expectedMs === null ? '' : String(expectedMs / 1000),
  };
}

export type Checked = { spec: FaultSpec } | { wrong: 'strength' | 'seconds' | 'expected'; error: string };

export function checkDraft(draft: FaultDraft): Checked {
  const { min, max, once, unit, target } = FAULTS[draft.kind];
  const strength = unit === null ? 1 : number(draft.strength);
  if (!Number.isInteger(strength) || strength < min || strength > max)
    return { wrong: 'strength', error: `Enter a whole number from ${min} to ${max}.` };
  const seconds = once ? 0 : number(draft.seconds);
  if (!once && !(seconds >= 1 && seconds <= MAX_SECONDS))
    return { wrong: 'seconds', error: `Enter 1 to ${MAX_SECONDS} seconds.` };
  const expected = draft.expected.trim() === '' ? null : number(draft.expected);
  if (expected !== null && !(expected >= 0.1 && expected <= MAX_SECONDS))
    return { wrong: 'expected', error: `Expect something from 0.1 to ${MAX_SECONDS} seconds, or leave it empty.` };
  return {
    spec: {
      kind: draft.kind,
      target: target === 'job' ? null : draft.target,
      strength,
      durationMs: Math.round(seconds * 1000),
      expectedMs: expected === null ? null : Math.round(expected * 1000),
    },
  };
}

/** One sentence that says what will happen, before it happens. */
export function preview({ kind, target, strength, durationMs }: FaultSpec, view: FaultsView | null): string {
  const time = formatSeconds(durationMs);
  const restart =
    view?.checkpoints === false
      ? 'The job takes no checkpoints, so it fails.'
      : 'The job restarts from its last checkpoint.';
  const times = strength === 1 ? 'once' : `${strength} times`;
  const checkpoints = strength === 1 ? 'checkpoint' : `${strength} checkpoints`;
  switch (kind) {
    case 'kill-task-manager':
      return `Ends the thread of task manager ${target} now. ${restart}`;
    case 'kill-all-task-managers':
      return `Ends all ${view?.taskManagers ?? ''} threads of the job now. ${restart}`;
    case 'hang-task-manager':
      return `Task manager ${target} stands still for ${time} at most. It is replaced when it gives no sign of life, and otherwise goes on where it was.`;
    case 'throwing-operator':
      return `${target} throws ${times}, within ${time}. ${restart}`;
    case 'failing-sink':
      return `${target} fails ${times}, within ${time}. ${restart}`;
    case 'slow-operator':
    case 'slow-sink':
      return `${target} takes ${strength} ms longer for every row, for ${time}: no more than ${Math.floor(1000 / strength)} rows a second and subtask.`;
    case 'fail-checkpoints':
      return `The next ${checkpoints} cannot be written, within ${time}.`;
    case 'delay-checkpoints':
      return `Every file of a checkpoint takes ${strength} ms longer, for ${time}.`;
    case 'corrupt-checkpoints':
      return `Flips bits in the next ${checkpoints}, within ${time}, then kills task manager 1: the job has to go further back.`;
    case 'disk-full':
      return `No checkpoint can be written for ${time}.`;
    case 'kill-server':
      return view?.supervised
        ? 'The whole server dies, this page’s connection with it. Its supervisor starts it again, the job goes on from its last checkpoint, and this page comes back by itself.'
        : 'The whole server dies, and nobody starts it again: this page stays offline until somebody does. With weir serve --supervise it would come back by itself.';
  }
}

/** Asked for once more before it happens. */
export function needsConfirmation(kind: FaultKind): boolean {
  return kind === 'kill-all-task-managers' || kind === 'kill-server';
}

function number(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}
