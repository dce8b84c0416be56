import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { UsageError, WeirError } from '#base/errors.ts';
import type { JobState } from '#shared/live.ts';
import { fakeJob } from '../live/fake-job.ts';
import { type ControlledJob, registerJobs } from './jobs.ts';

const ID = '0123456789abcdef0123456789abcdef';

const SIZES = { checkpoint: 3, at: 4000, alertBytes: null, operators: [] };

/** A server with a job that notes what it was told to do. */
function server(state: JobState = 'RUNNING') {
  const told: string[] = [];
  const { handle } = fakeJob();
  let fails: Error | null = null;
  const does = <T>(what: string, result: T): Promise<T> => {
    told.push(what);
    return fails === null ? Promise.resolve(result) : Promise.reject(fails);
  };
  const job: ControlledJob = {
    id: ID,
    graph: handle.graph,
    state,
    tasks: { RUNNING: 2, FAILED: 1 },
    regions: [{ subtasks: [{ vertex: 'rows', subtask: 0, state: 'RUNNING', attempt: 2 }] }],
    startedAt: 1000,
    changedAt: 2000,
    checkpoints: null,
    checkpointDetails: () => null,
    stateSizes: SIZES,
    checkpoint: () => does('checkpoint', { id: 7 }),
    savepoint: (target) => does(`savepoint ${target}`, { path: '/somewhere' }),
    disposeSavepoint: (path) => does(`dispose ${path}`, undefined),
    stopWithSavepoint: ({ drain, target }) => does(`stop ${drain} ${target}`, { path: '/end' }),
    cancel: () => does('cancel', undefined),
    rescale: (changes) => does(`rescale ${JSON.stringify(changes)}`, undefined),
  };
  const app = Fastify();
  registerJobs(app, job, () => 5000);
  return {
    told,
    fail: (error: Error) => {
      fails = error;
    },
    graph: handle.graph,
    async ask(method: 'GET' | 'POST' | 'PATCH' | 'PUT', url: string, payload?: object) {
      const answer = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
      return { code: answer.statusCode, body: answer.json() };
    },
  };
}

const job = `/v1/jobs/${ID}`;

describe('the job for programs', () => {
  it('MT4 tells how much state there is, and where', async () => {
    const { ask } = server();
    expect(await ask('GET', `/api/jobs/${ID}/state`)).toEqual({ code: 200, body: SIZES });
  });

  it('RS8 tells which subtasks restart together, and how often they have', async () => {
    const { ask } = server();
    expect(await ask('GET', `/api/jobs/${ID}/regions`)).toEqual({
      code: 200,
      body: { regions: [{ subtasks: [{ vertex: 'rows', subtask: 0, state: 'RUNNING', attempt: 2 }] }] },
    });
  });

  it('is listed as Flink lists jobs, and found by its id only', async () => {
    const { ask } = server();
    expect((await ask('GET', '/v1/jobs/overview')).body.jobs).toMatchObject([
      { jid: ID, state: 'RUNNING', 'start-time': 1000, 'end-time': -1, duration: 4000, 'pending-operators': 0 },
    ]);
    expect((await ask('GET', '/v1/jobs/overview')).body.jobs[0]['last-modification']).toBe(2000);
    const [{ tasks }] = (await ask('GET', '/v1/jobs/overview')).body.jobs;
    expect(tasks).toMatchObject({ total: 1, running: 2, failed: 1, finished: 0, initializing: 0 });
    expect((await ask('GET', `${job}/status`)).body).toEqual({ status: 'RUNNING' });
    expect(await ask('GET', '/v1/jobs/nope/status')).toEqual({
      code: 400,
      body: { errors: ['Cannot resolve path parameter (jobid) from value "nope".'] },
    });
    const unknown = 'f'.repeat(32);
    expect(await ask('GET', `/v1/jobs/${unknown}/status`)).toEqual({
      code: 404,
      body: { errors: [`Job ${unknown} not found.`] },
    });
  });

  it('is as old as it has become once it has ended', async () => {
    const { ask } = server('FINISHED');
    expect((await ask('GET', '/v1/jobs/overview')).body.jobs).toMatchObject([
      { state: 'FINISHED', 'start-time': 1000, 'end-time': 2000, duration: 1000, 'last-modification': 2000 },
    ]);
  });

  it('takes savepoints and checkpoints, which are begun and asked for', async () => {
    const { ask, told } = server();
    const begun = await ask('POST', `${job}/savepoints`, {
      'target-directory': 'file:/backups',
      triggerId: 'a'.repeat(32),
    });
    expect(begun).toEqual({ code: 202, body: { 'request-id': 'a'.repeat(32) } });
    expect((await ask('GET', `${job}/savepoints/${'a'.repeat(32)}`)).body).toEqual({
      status: { id: 'COMPLETED' },
      operation: { location: '/somewhere' },
    });
    const { body } = await ask('POST', `${job}/checkpoints`, {});
    expect((await ask('GET', `${job}/checkpoints/${body['request-id']}`)).body.operation).toEqual({ checkpointId: 7 });
    expect(told).toEqual(['savepoint /backups', 'checkpoint']);
    expect((await ask('GET', `${job}/savepoints/unknown`)).code).toBe(404);
    expect((await ask('POST', `${job}/savepoints`, { 'target-directory': 'here' })).code).toBe(400);
  });

  it('says why a savepoint failed, where one asks for it', async () => {
    const { ask, fail } = server();
    fail(new WeirError('CHECKPOINT_EXPIRED', 'Savepoint 3: it took too long.'));
    const { body } = await ask('POST', `${job}/savepoints`, {});
    expect(await ask('GET', `${job}/savepoints/${body['request-id']}`)).toEqual({
      code: 500,
      body: { errors: ['Savepoint 3: it took too long.'] },
    });
  });

  it('disposes of savepoints as Flink does: why one could not be is in the status', async () => {
    const { ask, told, fail } = server();
    const dispose = async (path: unknown) => {
      const { body } = await ask('POST', '/v1/savepoint-disposal', { 'savepoint-path': path });
      return (await ask('GET', `/v1/savepoint-disposal/${body['request-id']}`)).body;
    };
    expect(await dispose('file:/backups/savepoint-1/')).toEqual({ status: { id: 'COMPLETED' }, operation: {} });
    expect(told).toEqual(['dispose /backups/savepoint-1']);
    fail(new UsageError('/backups is no savepoint.'));
    expect(await dispose('/backups')).toMatchObject({
      status: { id: 'COMPLETED' },
      operation: {
        'failure-cause': { 'stack-trace': 'Could not dispose savepoint /backups. /backups is no savepoint.' },
      },
    });
    for (const path of [undefined, 7, 'backups'])
      expect((await ask('POST', '/v1/savepoint-disposal', { 'savepoint-path': path })).code).toBe(400);
    expect((await ask('GET', '/v1/savepoint-disposal/unknown')).code).toBe(404);
  });

  it('is stopped, drained and cancelled', async () => {
    const { ask, told } = server();
    await ask('POST', `${job}/stop`, { drain: true, targetDirectory: null });
    await ask('POST', `${job}/savepoints`, { 'cancel-job': true });
    expect((await ask('PATCH', `${job}?mode=cancel`, {})).code).toBe(202);
    expect((await ask('PATCH', `${job}?mode=stop`, {})).code).toBe(400);
    expect(told).toEqual(['stop true null', 'stop false null', 'cancel']);
  });

  it('is rescaled by tasks, or by the names of operators', async () => {
    const { ask, told, graph, fail } = server();
    const [first] = graph.vertices.map(({ id }) => id) as [string];
    const keep = Object.fromEntries(
      graph.vertices.map(({ id, parallelism }) => [id, { parallelism: { lowerBound: 1, upperBound: parallelism } }]),
    );
    expect((await ask('GET', `${job}/resource-requirements`)).body).toEqual(keep);
    const more = { ...keep, [first]: { parallelism: { lowerBound: 1, upperBound: 5 } } };
    expect((await ask('PUT', `${job}/resource-requirements`, more)).code).toBe(200);
    expect(await ask('PUT', `${job}/resource-requirements`, {})).toEqual({
      code: 400,
      body: { errors: [`The request is incomplete, missing job vertex [${first}] resource requirements.`] },
    });
    expect((await ask('PATCH', `/api/jobs/${ID}/parallelism`, { windows: 4 })).code).toBe(200);
    expect(told).toEqual([`rescale {"${graph.vertices[0]?.operators[0]?.id}":5}`, 'rescale {"windows":4}']);
    fail(new UsageError('Job iot has no operator "nobody".'));
    expect(await ask('PATCH', `/api/jobs/${ID}/parallelism`, { nobody: 4 })).toEqual({
      code: 400,
      body: { errors: ['Job iot has no operator "nobody".'] },
    });
    expect((await ask('PATCH', `/api/jobs/${ID}/parallelism`, {})).code).toBe(400);
  });

  it('without checkpoints says so', async () => {
    const { ask } = server();
    expect(await ask('GET', `${job}/checkpoints`)).toEqual({
      code: 404,
      body: { errors: ['Checkpointing has not been enabled.'] },
    });
  });
});
