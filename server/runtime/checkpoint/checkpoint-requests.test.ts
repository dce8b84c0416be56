import { describe, expect, it } from 'vitest';
import { type CheckpointRequest, CheckpointRequests, MAX_QUEUED, NOBODY } from './checkpoint-requests.ts';

const FREE = { inProgress: 0, maxConcurrent: 1, cleaning: 0, pauseMs: 0 };
const request = (given: Partial<CheckpointRequest>): CheckpointRequest => ({
  ...NOBODY,
  kind: 'checkpoint',
  forced: false,
  ...given,
});
const periodic = request({ periodic: true });

describe('requests for checkpoints', () => {
  it('CK5 savepoints, then forced ones, then what somebody asked for, then by time', () => {
    const requests = new CheckpointRequests();
    const submitted: CheckpointRequest[] = [
      periodic,
      request({}),
      request({ kind: 'savepoint' }),
      request({ final: true }),
      request({ forced: true }),
      request({ kind: 'savepoint', target: 'later' }),
      request({ kind: 'stop', forced: true }),
    ];
    for (const one of submitted) expect(requests.submit(one)).toBeNull();
    const order: number[] = [];
    for (let next = requests.next(FREE); next !== null; next = requests.next(FREE))
      if (next.type === 'trigger') order.push(submitted.indexOf(next.request));
    expect(order).toEqual([6, 2, 5, 4, 1, 3, 0]);
  });

  it('CK5 while as many are in progress as may be, only a forced one goes', () => {
    const requests = new CheckpointRequests();
    requests.submit(request({}));
    expect(requests.next({ ...FREE, inProgress: 1 })).toBeNull();
    const forced = request({ kind: 'savepoint', forced: true });
    requests.submit(forced);
    expect(requests.next({ ...FREE, inProgress: 1 })).toEqual({ type: 'trigger', request: forced });
    expect(requests.next({ ...FREE, inProgress: 1 })).toBeNull();
  });

  it('CK6 one that comes by itself too early is put off, one that somebody asked for is not', () => {
    const requests = new CheckpointRequests();
    requests.submit(periodic);
    expect(requests.next({ ...FREE, pauseMs: 30 })).toEqual({ type: 'put-off', ms: 30 });
    expect(requests.size).toBe(0);
    requests.submit(request({}));
    expect(requests.next({ ...FREE, pauseMs: 30 })).toMatchObject({ type: 'trigger' });
  });

  it('CK16 not even a forced one goes while too many are being deleted', () => {
    const requests = new CheckpointRequests();
    requests.submit(request({ kind: 'savepoint', forced: true }));
    expect(requests.next({ ...FREE, cleaning: 2 })).toBeNull();
    expect(requests.next({ ...FREE, cleaning: 1 })).not.toBeNull();
  });

  it('CK5 a thousand wait at most: the one that comes by itself makes room, else the newest is refused', () => {
    const requests = new CheckpointRequests();
    for (let i = 1; i < MAX_QUEUED; i++) requests.submit(request({}));
    expect(requests.submit(periodic)).toBeNull();
    expect(requests.submit(periodic)).toBe(periodic);
    const last = request({});
    expect(requests.submit(last)).toBe(periodic);
    const savepoint = request({ kind: 'savepoint' });
    expect(requests.submit(savepoint)).toBe(savepoint);
    expect(requests.size).toBe(MAX_QUEUED);
    expect(requests.remove()).toHaveLength(MAX_QUEUED);
  });
});
