import { describe, expect, it } from 'vitest';
import type { JobState } from '#shared/live.ts';
import { checkTransition, isTerminal } from './job-state.ts';
import { checkTaskTransition, isTerminalTask, type TaskState } from './task-state.ts';

/** Every step that is allowed, `FROM TO`. */
function steps<S extends string>(states: readonly S[], check: (from: S, to: S) => void): string[] {
  return states.flatMap((from) =>
    states
      .filter((to) => {
        try {
          check(from, to);
          return true;
        } catch {
          return false;
        }
      })
      .map((to) => `${from} ${to}`),
  );
}

describe('states', () => {
  const JOB: JobState[] = [
    'CREATED',
    'RUNNING',
    'RESTARTING',
    'FAILING',
    'FAILED',
    'CANCELLING',
    'CANCELED',
    'FINISHED',
  ];
  const TASK: TaskState[] = [
    'CREATED',
    'SCHEDULED',
    'DEPLOYING',
    'INITIALIZING',
    'RUNNING',
    'FINISHED',
    'CANCELING',
    'CANCELED',
    'FAILED',
  ];

  it('RS5 of a job', () => {
    expect(steps(JOB, checkTransition)).toEqual([
      'CREATED RUNNING',
      'CREATED RESTARTING',
      'CREATED FAILING',
      'CREATED CANCELLING',
      'RUNNING RESTARTING',
      'RUNNING FAILING',
      'RUNNING CANCELLING',
      'RUNNING FINISHED',
      'RESTARTING RUNNING',
      'RESTARTING FAILING',
      'RESTARTING CANCELLING',
      'FAILING FAILED',
      'FAILING CANCELLING',
      'CANCELLING CANCELED',
    ]);
    expect(JOB.filter(isTerminal)).toEqual(['FAILED', 'CANCELED', 'FINISHED']);
    expect(() => checkTransition('FINISHED', 'RUNNING')).toThrow('A job that is FINISHED cannot become RUNNING.');
  });

  it('RS6 of a subtask', () => {
    expect(steps(TASK, checkTaskTransition)).toEqual([
      'CREATED SCHEDULED',
      'CREATED CANCELED',
      'CREATED FAILED',
      'SCHEDULED DEPLOYING',
      'SCHEDULED CANCELED',
      'SCHEDULED FAILED',
      'DEPLOYING INITIALIZING',
      'DEPLOYING CANCELING',
      'DEPLOYING FAILED',
      'INITIALIZING RUNNING',
      'INITIALIZING CANCELING',
      'INITIALIZING FAILED',
      'RUNNING FINISHED',
      'RUNNING CANCELING',
      'RUNNING FAILED',
      'CANCELING CANCELED',
      'CANCELING FAILED',
    ]);
    expect(TASK.filter(isTerminalTask)).toEqual(['FINISHED', 'CANCELED', 'FAILED']);
    expect(() => checkTaskTransition('FAILED', 'RUNNING')).toThrow('A subtask that is FAILED cannot become RUNNING.');
  });
});
