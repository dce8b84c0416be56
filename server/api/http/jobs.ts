/**
 * The job for programs: what Flink's REST API has for it, with its paths, fields and errors (`flink-reference` §11.2), so that tools made for
 * Flink work, its command line above all; and under `/api` its tasks by the names that people give them.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf, UsageError, WeirError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { RegionView } from '#runtime/job/region-view.ts';
import type { TaskCounts } from '#runtime/job/task-states.ts';
import type { CheckpointDetails, CheckpointStatistics } from '#shared/checkpoints.ts';
import type { JobState } from '#shared/live.ts';
import type { StateSizes } from '#shared/state-sizes.ts';
import { flinkCheckpoints } from './checkpoint-shapes.ts';
import { isHexId, Operations } from './operations.ts';
import { registerDisposal } from './savepoint-disposal.ts';

/** What programs may see and do of a job; `JobMaster` has all of it. */
export interface ControlledJob {
  /** 32 hex digits. */
  readonly id: string;
  readonly graph: JobGraph;
  readonly state: JobState;
  /** How many subtasks of the attempt are in each state. */
  readonly tasks: TaskCounts;
  /** What fails and restarts together, subtask by subtask. */
  readonly regions: readonly RegionView[];
  /** ms since the epoch; 0: not yet. */
  readonly startedAt: number;
  /** When the state last changed, ms since the epoch; 0: never. */
  readonly changedAt: number;
  /** Null: it takes none. */
  readonly checkpoints: CheckpointStatistics | null;
  /** Of one of them, subtask by subtask; null: it is not known, or not any more. */
  checkpointDetails(id: number): CheckpointDetails | null;
  /** Null: it takes no checkpoints. */
  readonly stateSizes: StateSizes | null;
  checkpoint(): Promise<{ readonly id: number }>;
  savepoint(target: string | null): Promise<{ readonly path: string }>;
  disposeSavepoint(path: string): Promise<void>;
  stopWithSavepoint(options: { drain: boolean; target: string | null }): Promise<{ readonly path: string }>;
  cancel(): Promise<void>;
  rescale(changes: Readonly<Record<string, number>>): Promise<void>;
}

type JobRequest = FastifyRequest<{ Params: { job: string; request: string }; Querystring: { mode?: string } }>;
type Handler = (job: ControlledJob, request: JobRequest, reply: FastifyReply) => unknown;

/** Those of Flink; nothing here is ever reconciled with a leader before. */
const TASK_STATES = [
  'CREATED',
  'SCHEDULED',
  'DEPLOYING',
  'INITIALIZING',
  'RUNNING',
  'FINISHED',
  'CANCELING',
  'CANCELED',
  'FAILED',
] as const;

const TERMINAL: ReadonlySet<JobState> = new Set(['FINISHED', 'CANCELED', 'FAILED']);

export function registerJobs(app: FastifyInstance, job: ControlledJob | null, now: () => number): void {
  const operations = new Operations();
  /** Finds the job, and answers errors in Flink's shape. */
  const on =
    (handler: Handler) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const asked = request as JobRequest;
      const { job: id } = asked.params;
      if (!isHexId(id))
        return refuse(reply, 400, `Cannot resolve path parameter (jobid) from value "${id.slice(0, 80)}".`);
      if (job === null || job.id !== id) return refuse(reply, 404, `Job ${id} not found.`);
      try {
        return await handler(job, asked, reply);
      } catch (error) {
        const code = error instanceof UsageError ? 400 : error instanceof WeirError ? 409 : 500;
        return refuse(reply, code, messageOf(error));
      }
    };
  const begin = (reply: FastifyReply, work: Promise<Readonly<Record<string, unknown>>>, wanted: unknown): unknown =>
    reply.code(202).send({ 'request-id': operations.begin(work, wanted) });
  const status: Handler = (_, { params: { request: id } }, reply) => {
    const operation = operations.get(id);
    if (operation === null) return refuse(reply, 404, `Operation ${id.slice(0, 80)} not found.`);
    if (operation.status === 'FAILED') return refuse(reply, 500, operation.error);
    if (operation.status === 'IN_PROGRESS') return { status: { id: 'IN_PROGRESS' }, operation: null };
    return { status: { id: 'COMPLETED' }, operation: operation.result };
  };

  for (const prefix of ['/v1', '/api']) {
    app.get(`${prefix}/jobs/overview`, () => ({ jobs: job === null ? [] : [overview(job, now())] }));
    app.get(`${prefix}/jobs`, () => ({ jobs: job === null ? [] : [{ id: job.id, status: job.state }] }));
    app.get(
      `${prefix}/jobs/:job/status`,
      on(({ state }) => ({ status: state })),
    );
    app.get(
      `${prefix}/jobs/:job/checkpoints`,
      on(({ checkpoints }, _, reply) =>
        checkpoints === null
          ? refuse(reply, 404, 'Checkpointing has not been enabled.')
          : flinkCheckpoints(checkpoints),
      ),
    );
    app.post(
      `${prefix}/jobs/:job/checkpoints`,
      on((asked, { body }, reply) => {
        const work = asked.checkpoint().then(({ id }) => ({ checkpointId: id }));
        return begin(reply, work, fields(body).triggerId);
      }),
    );
    app.get(`${prefix}/jobs/:job/checkpoints/:request`, on(status));
    app.post(
      `${prefix}/jobs/:job/savepoints`,
      on((asked, { body }, reply) => {
        const given = fields(body);
        const target = directory(given['target-directory']);
        const taken =
          given['cancel-job'] === true ? asked.stopWithSavepoint({ drain: false, target }) : asked.savepoint(target);
        return begin(reply, taken.then(location), given.triggerId);
      }),
    );
    app.get(`${prefix}/jobs/:job/savepoints/:request`, on(status));
    app.post(
      `${prefix}/jobs/:job/stop`,
      on((asked, { body }, reply) => {
        const given = fields(body);
        const options = { drain: given.drain === true, target: directory(given.targetDirectory) };
        return begin(reply, asked.stopWithSavepoint(options).then(location), given.triggerId);
      }),
    );
    app.patch(
      `${prefix}/jobs/:job`,
      on(async (asked, { query: { mode = 'cancel' } }, reply) => {
        if (mode !== 'cancel')
          throw new UsageError(`Cannot resolve query parameter (mode) from value "${mode.slice(0, 80)}".`);
        if (asked.state === 'FINISHED')
          return refuse(reply, 409, `Job ${asked.id} has reached a terminal state: FINISHED.`);
        await asked.cancel();
        return reply.code(202).send({});
      }),
    );
    app.get(
      `${prefix}/jobs/:job/resource-requirements`,
      on(({ graph }) =>
        Object.fromEntries(
          graph.vertices.map(({ id, parallelism }) => [
            id,
            { parallelism: { lowerBound: 1, upperBound: parallelism } },
          ]),
        ),
      ),
    );
    app.put(
      `${prefix}/jobs/:job/resource-requirements`,
      on(async (asked, { body }, reply) => {
        await asked.rescale(requirements(asked.graph, fields(body)));
        return reply.code(200).send({});
      }),
    );
  }
  registerDisposal(app, job);
  app.get(
    '/api/jobs/:job/parallelism',
    on(({ graph }) => ({
      tasks: graph.vertices.map(({ id, name, parallelism, maxParallelism, operators }) => ({
        id,
        name,
        parallelism,
        maxParallelism,
        operators: operators.map((operator) => operator.id),
      })),
    })),
  );
  app.get(
    '/api/jobs/:job/regions',
    on(({ regions }) => ({ regions })),
  );
  app.get(
    '/api/jobs/:job/state',
    on(({ stateSizes }, _, reply) => stateSizes ?? refuse(reply, 404, 'Checkpointing has not been enabled.')),
  );
  app.patch(
    '/api/jobs/:job/parallelism',
    on(async (asked, { body }, reply) => {
      const changes = fields(body);
      if (Object.keys(changes).length === 0)
        throw new UsageError('Name operators and how many subtasks they are to have, as in {"windows": 4}.');
      await asked.rescale(changes as Readonly<Record<string, number>>);
      return reply.code(200).send({});
    }),
  );
}

function refuse(reply: FastifyReply, code: number, sentence: string): FastifyReply {
  return reply.code(code).send({ errors: [sentence] });
}

const location = ({ path }: { readonly path: string }): { location: string } => ({ location: path });

/** An object, whatever was sent: what is missing counts as not given. */
function fields(body: unknown): Readonly<Record<string, unknown>> {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body))
    throw new UsageError('The body of the request must be a JSON object.');
  return body as Readonly<Record<string, unknown>>;
}

function directory(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const path = typeof value === 'string' ? value.replace(/^file:(?:\/\/)?(?=\/)/, '') : '';
  if (!path.startsWith('/')) throw new UsageError('The target directory must be an absolute path.');
  return path;
}

/** Flink's words for what each task is to have, as changes by operator. */
function requirements(graph: JobGraph, body: Readonly<Record<string, unknown>>): Record<string, number> {
  const missing = graph.vertices.find(({ id }) => !Object.hasOwn(body, id));
  if (missing !== undefined)
    throw new UsageError(`The request is incomplete, missing job vertex [${missing.id}] resource requirements.`);
  const changes: Record<string, number> = {};
  for (const { id, parallelism, operators } of graph.vertices) {
    const asked = (body[id] as { parallelism?: { lowerBound?: unknown; upperBound?: unknown } } | null)?.parallelism;
    const { lowerBound = 1, upperBound } = asked ?? {};
    if (typeof lowerBound !== 'number' || typeof upperBound !== 'number')
      throw new UsageError(`Job vertex [${id}] needs {"parallelism": {"lowerBound": 1, "upperBound": N}}.`);
    if (lowerBound > upperBound)
      throw new UsageError(
        `The requested lower bound [${lowerBound}] for job vertex [${id}] is higher than the upper bound [${upperBound}].`,
      );
    if (upperBound !== parallelism) changes[operators[0]?.id as string] = upperBound;
  }
  return changes;
}

function overview(job: ControlledJob, now: number): unknown {
  const { id, graph, state, startedAt, changedAt, tasks } = job;
  const total = graph.vertices.reduce((sum, { parallelism }) => sum + parallelism, 0);
  const over = TERMINAL.has(state);
  return {
    jid: id,
    name: graph.name,
    jobType: 'STREAMING',
    schedulerType: 'Adaptive',
    'start-time': startedAt,
    'end-time': over ? changedAt : -1,
    duration: startedAt === 0 ? 0 : (over ? changedAt : now) - startedAt,
    state,
    'last-modification': changedAt,
    tasks: { total, ...Object.fromEntries(TASK_STATES.map((name) => [name.toLowerCase(), tasks[name] ?? 0])) },
    'pending-operators': 0,
  };
}
