import { describe, expect, it } from 'vitest';
import type { SubtaskId } from '../task/channels.ts';
import { TaskStates } from './task-states.ts';

const ALL: SubtaskId[] = [
  { vertex: 0, index: 0 },
  { vertex: 0, index: 1 },
  { vertex: 1, index: 0 },
];
const [first, second, third] = ALL as [SubtaskId, SubtaskId, SubtaskId];

/** An attempt that has come as far as this. */
function upTo(...steps: readonly Parameters<TaskStates['move']>[1][]): TaskStates {
  const states = new TaskStates(ALL);
  for (const step of steps) states.move(ALL, step);
  return states;
}

describe('states of the subtasks of an attempt', () => {
  it('RS7 go on to the end of the input together', () => {
    const states = upTo('SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING');
    expect(states.counts).toEqual({ RUNNING: 3 });
    states.move([first], 'FINISHED');
    expect([states.of(first), states.counts]).toEqual(['FINISHED', { FINISHED: 1, RUNNING: 2 }]);
    expect(() => states.move(ALL, 'FINISHED')).toThrow('A subtask that is FINISHED cannot become FINISHED.');
  });

  it('RS7 of one that fails, of those that are cancelled for it, and of those on a thread that is lost meanwhile', () => {
    const states = upTo('SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING');
    states.fail([first]);
    states.cancel(ALL);
    expect(states.counts).toEqual({ FAILED: 1, CANCELING: 2 });
    states.fail([second]);
    states.cancel(ALL);
    states.canceled(ALL);
    expect([second, third].map((id) => states.of(id))).toEqual(['FAILED', 'CANCELED']);
    states.fail(ALL);
    expect(states.counts).toEqual({ FAILED: 2, CANCELED: 1 });
  });

  it('RS7 of some that begin again, while another one goes on; attempts are counted, over those of the whole job too', () => {
    const states = upTo('SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING');
    states.fail([first]);
    states.cancel([first, second]);
    expect(() => states.again([second])).toThrow('A subtask that is CANCELING cannot begin again.');
    states.canceled([first, second]);
    states.again([first, second]);
    expect(states.counts).toEqual({ CREATED: 2, RUNNING: 1 });
    expect(ALL.map((id) => states.attemptOf(id))).toEqual([1, 1, 0]);
    const next = new TaskStates(ALL, states);
    expect(ALL.map((id) => next.attemptOf(id))).toEqual([2, 2, 1]);
    expect(next.attemptOf({ vertex: 7, index: 0 })).toBeNull();
  });

  it('RS7 of an attempt that is given up while it is deployed', () => {
    const states = upTo('SCHEDULED');
    states.move([first], 'DEPLOYING');
    states.cancel(ALL);
    expect(states.counts).toEqual({ CANCELING: 1, CANCELED: 2 });
  });
});
