/** Savepoints for the dashboard: those of this server's directory, what is in them, and what one may do with them. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf, UsageError, WeirError } from '#base/errors.ts';
import type { ResumeWish, SavepointDetails, SavepointsView } from '#shared/savepoints.ts';

/** Names are those of the list. Errors are `UsageError`s and `WeirError`s for people. */
export interface ServedSavepoints {
  list(): Promise<SavepointsView>;
  details(name: string): Promise<SavepointDetails>;
  /** Behind `stop` and `drain` the job ends. Resolves when it is complete. */
  take(kind: 'savepoint' | 'stop' | 'drain'): Promise<{ readonly path: string }>;
  dispose(name: string): Promise<void>;
  /** Resolves when it is certain that the job can go on from it; then the one that runs is ended, and the server begins anew. */
  resume(name: string, wish: ResumeWish): Promise<void>;
}

type NamedRequest = FastifyRequest<{ Params: { name: string } }>;

export function registerSavepoints(app: FastifyInstance, savepoints: ServedSavepoints | null): void {
  const on =
    (handler: (all: ServedSavepoints, request: NamedRequest) => Promise<unknown>) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      if (savepoints === null)
        return reply
          .code(404)
          .send({ error: 'This server has no job that takes checkpoints, so it keeps no savepoints.' });
      try {
        return (await handler(savepoints, request as NamedRequest)) ?? {};
      } catch (error) {
        const code = error instanceof UsageError ? 400 : error instanceof WeirError ? 409 : 500;
        return reply.code(code).send({ error: messageOf(error) });
      }
    };
  app.get(
    '/api/savepoints',
    on((all) => all.list()),
  );
  app.post(
    '/api/savepoints',
    on((all, { body }) => all.take(kindOf(body))),
  );
  app.get(
    '/api/savepoints/:name',
    on((all, { params }) => all.details(params.name)),
  );
  app.delete(
    '/api/savepoints/:name',
    on((all, { params }) => all.dispose(params.name)),
  );
  app.post(
    '/api/savepoints/:name/resume',
    on((all, { params, body }) => all.resume(params.name, wishOf(body))),
  );
}

function kindOf(body: unknown): 'savepoint' | 'stop' | 'drain' {
  const { kind = 'savepoint' } = (body ?? {}) as { kind?: unknown };
  if (kind === 'savepoint' || kind === 'stop' || kind === 'drain') return kind;
  throw new UsageError('kind must be savepoint, stop or drain.');
}

function wishOf(body: unknown): ResumeWish {
  const { claim, allowNonRestoredState } = (body ?? {}) as Partial<Record<keyof ResumeWish, unknown>>;
  return { claim: claim === true, allowNonRestoredState: allowNonRestoredState === true };
}
