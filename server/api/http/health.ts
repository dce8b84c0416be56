/** `/healthz`: the process answers. `/readyz`: the job it was started with is not broken. */

import type { FastifyInstance } from 'fastify';
import type { JobState } from '#shared/live.ts';

const READY: ReadonlySet<JobState> = new Set(['RUNNING', 'FINISHED']);

export function registerHealth(app: FastifyInstance, job: { readonly state: JobState } | null): void {
  app.get('/healthz', (_, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }));
  app.get('/readyz', (_, reply) => {
    const ready = job === null || READY.has(job.state);
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: ready ? 'ready' : 'not ready', job: job?.state ?? null });
  });
}
