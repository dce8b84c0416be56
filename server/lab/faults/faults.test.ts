import { describe, expect, it } from 'vitest';
import { UsageError } from '#base/errors.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { FaultSpec } from '#shared/faults.ts';
import { FakeRunningJob } from '#testing/fake-running-job.ts';
import { ManualTimers } from '#testing/manual-timers.ts';
import { DiskSeam } from './disk-seam.ts';
import { type FaultNews, Faults, type InheritedFault, type KilledServer } from './faults.ts';
import type { FaultOrder } from './orders.ts';

function lab(inherited: InheritedFault | null = null) {
  const timers = new ManualTimers(1000);
  const job = new FakeRunningJob(() => timers.clock.now());
  const killed: string[] = [];
  const orders: string[] = [];
  const servers: KilledServer[] = [];
  const gates: Int32Array[] = [];
  const threads = {
    count: 2,
    kill: (taskManager: number, cause: string) => killed.push(`${taskManager}: ${cause}`),
    disturb: (order: unknown, taskManager?: number) => {
      const told = order as FaultOrder;
      if (told.type === 'begin' && told.effect.type === 'hang') gates.push(new Int32Array(told.effect.gate));
      const what = told.type === 'end' ? 'end' : told.effect.type;
      orders.push(`${what} ${told.fault}${taskManager === undefined ? '' : ` to ${taskManager}`}`);
    },
  };
  const disk = new DiskSeam(new NodeDisk());
  const killServer = (one: KilledServer): number => servers.push(one);
  const { clock } = timers;
  const faults = new Faults({ job, threads, disk, clock, timers, supervised: true, killServer, inherited });
  const news: FaultNews[] = [];
  faults.onNews((one) => news.push(one));
  const refusal = (wanted: unknown): string => {
    try {
      faults.start(wanted);
      return 'started';
    } catch (error) {
      return error instanceof UsageError ? error.message : `not a usage error: ${error}`;
    }
  };
  return { faults, job, timers, killed, orders, servers, gates, news, refusal };
}

describe('a fault', () => {
  it('that kills is detected, recovered and counted at the first checkpoint behind it', () => {
    const { faults, job, timers, killed, news } = lab();
    job.read(100);
    job.checkpoint(1, 100);
    job.read(40);
    faults.start({ kind: 'kill-task-manager', target: '2', expectedMs: 500 });
    expect(killed).toEqual(['1: it was killed by fault #1']);
    timers.pass(30);
    job.restart('Task manager 2 is lost: it was killed by fault #1.', 1);
    job.read(50);
    timers.pass(70);
    expect(faults.view.verdicts).toEqual([]);
    job.checkpoint(2, 150);
    expect(faults.view).toMatchObject({
      open: [],
      verdicts: [{ outcome: 'recovered', restoredFrom: 1, auditedAt: 2 }],
    });
    expect(news.map(({ kind, text }) => [kind, text])).toEqual([
      ['fault-started', 'Fault #1, Kill a task manager (2), started.'],
      ['fault-ended', 'Fault #1, Kill a task manager (2), is over.'],
      [
        'fault-verdict',
        'Fault #1, Kill a task manager (2): detected after 30 ms, recovered after 30 ms, 40 rows replayed, 0 lost, 0 doubled, 0 late, 0 dropped, as expected.',
      ],
    ]);
  });

  it.each([
    [9, 10, 1, 0],
    [12, 10, 0, 2],
  ])('behind which %i of %i rows have arrived has lost %i and doubled %i', (arrived, given, lost, doubled) => {
    const { faults, job } = lab();
    job.checkpoint(1, 0);
    faults.start({ kind: 'kill-all-task-managers' });
    job.restart('It was killed by fault #1.', 1);
    job.read(given, arrived);
    job.checkpoint(2, given);
    expect(faults.view.verdicts).toMatchObject([{ emitted: given, lost, doubled }]);
  });

  it('that takes one region away has been recovered from when that runs again, without a restart of the job', () => {
    const { faults, job, timers } = lab();
    faults.start({ kind: 'kill-task-manager', target: '2' });
    const failure = { message: 'It was killed by fault #1.', restartInMs: 0, scope: '1 of 2 regions' };
    job.tell({ type: 'failure', at: 1000, ...failure });
    timers.pass(100);
    job.tell({ type: 'regions-restarted', at: 1100, regions: 1, of: 2, subtasks: 2, gapMs: 100 });
    job.checkpoint(1, 0);
    expect(faults.view.verdicts).toMatchObject([{ outcome: 'recovered', recoveredAfterMs: 100, restarts: 1, lost: 0 }]);
  });

  it('that the job does not survive is settled by its end', () => {
    const { faults, job } = lab();
    faults.start({ kind: 'kill-task-manager', target: '1' });
    job.tell({ type: 'failure', at: 1000, message: 'It was killed by fault #1.', restartInMs: null, scope: null });
    job.become('FAILED');
    expect(faults.view.verdicts).toMatchObject([{ outcome: 'failed', recoveredAfterMs: null, lost: null }]);
  });

  it('that lasts is told to every attempt, and ends at its deadline', () => {
    const { faults, job, timers, orders } = lab();
    faults.start({ kind: 'slow-operator', target: 'validate', strength: 5, durationMs: 2000 });
    job.restart('Something else.', null);
    expect(faults.active).toBe(1);
    timers.pass(1999);
    expect(orders).toEqual(['slow 1', 'slow 1']);
    timers.pass(1);
    expect([faults.active, orders.at(-1)]).toEqual([0, 'end 1']);
  });

  it('can be stopped before, once, and all at once', () => {
    const { faults, orders } = lab();
    for (const durationMs of [1000, 2000, 3000]) faults.start({ kind: 'slow-sink', durationMs });
    expect([faults.stop(2), faults.stop(2), faults.knows(2), faults.knows(4)]).toEqual([true, false, true, false]);
    expect([faults.stopAll(), faults.active]).toEqual([2, 0]);
    expect(orders.filter((order) => order.startsWith('end'))).toEqual(['end 2', 'end 1', 'end 3']);
  });

  it('that strikes is over when it has struck often enough, and recovered with the next checkpoint', () => {
    const { faults, job, timers } = lab();
    faults.start({ kind: 'fail-checkpoints', strength: 2, durationMs: 60_000 });
    const fail = (id: number): void => {
      timers.pass(100);
      const text = `Checkpoint ${id} failed (EIO): i/o error, write (fault #1)`;
      job.tell({ type: 'checkpoint', change: { type: 'failed', id, kind: 'checkpoint', text } as never });
    };
    fail(1);
    expect(faults.active).toBe(1);
    fail(2);
    expect(faults.active).toBe(0);
    timers.pass(100);
    job.checkpoint(3, 0);
    expect(faults.view.verdicts).toMatchObject([
      { outcome: 'recovered', detectedAfterMs: 100, recoveredAfterMs: 300, failedCheckpoints: 2, restarts: 0 },
    ]);
  });

  it('that throws is told again to the operator that has forgotten it, as often as it is to throw', () => {
    const { faults, job, orders } = lab();
    faults.start({ kind: 'throwing-operator', target: 'validate', strength: 2, durationMs: 60_000 });
    job.restart('validate threw (fault #1)', null);
    expect([orders, faults.active]).toEqual([['throw 1', 'end 1', 'throw 1'], 1]);
    job.restart('validate threw (fault #1)', null);
    expect([orders.slice(3), faults.active]).toEqual([['end 1', 'end 1'], 0]);
  });

  it('of nothing is unharmed', () => {
    const { faults, job } = lab();
    faults.start({ kind: 'slow-operator', target: 'validate', durationMs: 1000 });
    faults.stop(1);
    job.checkpoint(1, 0);
    expect(faults.view.verdicts).toMatchObject([{ outcome: 'unharmed', detectedAfterMs: null, replayed: 0 }]);
  });

  it('of which nothing tells what became of it is unsettled after a minute', () => {
    const { faults, job, timers } = lab();
    faults.start({ kind: 'kill-task-manager', target: '1' });
    job.tell({ type: 'failure', at: 1000, message: 'It was killed by fault #1.', restartInMs: 600_000, scope: null });
    job.become('RESTARTING');
    timers.pass(59_999);
    expect(faults.view.open).toHaveLength(1);
    timers.pass(1);
    expect(faults.view).toMatchObject({ open: [], verdicts: [{ outcome: 'unsettled', lost: null }] });
  });

  it('that kills the server leaves after the answer, and the next server gives its verdict', () => {
    const before = lab();
    before.job.read(100);
    before.job.checkpoint(7, 100);
    before.job.read(20);
    before.faults.start({ kind: 'kill-server' });
    expect(before.servers).toEqual([]);
    before.timers.pass(300);
    const [killed] = before.servers;
    expect(killed).toMatchObject({ id: 1, startedAt: 1300, ahead: 20, accounts: { checkpoint: 7 } });

    const next = lab({ ...(killed as KilledServer), detectedAt: 1350, sign: 'The server was killed by SIGKILL.' });
    next.timers.pass(800);
    next.job.accounts.begin(next.job.graph, next.job.cells, 7);
    next.job.tell({ type: 'restored', at: 1800, checkpoint: 7, path: null, skipped: [], notes: [] });
    next.job.become('RUNNING');
    next.job.read(30);
    next.job.checkpoint(8, 130);
    expect(next.news.map(({ text }) => text)).toEqual([
      'Fault #1, Kill the server: detected after 50 ms, recovered after 500 ms, 20 rows replayed, 0 lost, 0 doubled, 0 late, 0 dropped.',
    ]);
  });

  it('lets go of a thread that hangs when it is stopped, and when nobody looks any more', () => {
    const { faults, gates, orders, timers } = lab();
    const hang: Partial<FaultSpec> = { kind: 'hang-task-manager', durationMs: 20_000 };
    faults.start({ ...hang, target: '1' });
    faults.start({ ...hang, target: '2' });
    expect(orders).toEqual(['hang 1 to 0', 'hang 2 to 1']);
    faults.stop(1);
    expect(gates.map((gate) => gate[0])).toEqual([1, 0]);
    faults.close();
    expect([gates.map((gate) => gate[0]), timers.pending]).toEqual([[1, 1], 0]);
  });
});

describe('a fault is refused', () => {
  it('that is none, or strikes what is not there', () => {
    const { refusal } = lab();
    expect(refusal('kill')).toBe('A fault must be an object with a kind.');
    expect(refusal({ kind: 'earthquake' })).toMatch(/^The kind of a fault must be one of kill-task-manager, /);
    expect(refusal({ kind: 'kill-task-manager', target: '3' })).toBe(
      'Kill a task manager: target must be a whole number from 1 to 2, not 3.',
    );
    expect(refusal({ kind: 'slow-sink', target: 'validate' })).toBe(
      'Slow sink: target must be the id of a sink: one of files.',
    );
    expect(refusal({ kind: 'kill-server', target: 'files' })).toBe(
      'Kill the server strikes the whole job: leave target out.',
    );
  });

  it('while the job does not run, where it takes no checkpoints, and beyond ten', () => {
    const { faults, job, refusal } = lab();
    for (let i = 0; i < 10; i++) faults.start({ kind: 'slow-sink' });
    expect(refusal({ kind: 'slow-sink' })).toBe('10 faults are active already: stop one first.');
    faults.stopAll();
    job.checkpoints = null;
    expect(refusal({ kind: 'fail-checkpoints' })).toBe(
      'This job takes no checkpoints: start it with --checkpoint-interval.',
    );
    job.become('RESTARTING');
    expect(refusal({ kind: 'slow-sink' })).toBe('The job is RESTARTING: a fault can begin while it is RUNNING.');
  });
});
