/** Disposal of savepoints, as Flink's REST API has it (`flink-reference` §11.2): begun by one request, asked for by others. */

import type { FastifyInstance } from 'fastify';
import { messageOf, UsageError } from '#base/errors.ts';
import type { ControlledJob } from './jobs.ts';
import { Operations } from './operations.ts';

export function registerDisposal(app: FastifyInstance, job: ControlledJob | null): void {
  const disposals = new Operations();
  for (const prefix of ['/v1', '/api']) {
    app.post(`${prefix}/savepoint-disposal`, (request, reply) => {
      const path = (request.body as { 'savepoint-path'?: unknown } | null)?.['savepoint-path'];
      if (typeof path !== 'string' || !localPath(path).startsWith('/'))
        return reply
          .code(400)
          .send({ errors: ['Name the savepoint by its absolute path: {"savepoint-path": "/backups/savepoint-…"}.'] });
      // As in Flink the answer is the same where it will fail: the reason stands in the status.
      return { 'request-id': disposals.begin(dispose(job, localPath(path)), null) };
    });
    app.get<{ Params: { request: string } }>(`${prefix}/savepoint-disposal/:request`, ({ params }, reply) => {
      const disposal = disposals.get(params.request);
      if (disposal === null)
        return reply.code(404).send({ errors: [`Operation ${params.request.slice(0, 80)} not found.`] });
      if (disposal.status === 'IN_PROGRESS') return { status: { id: 'IN_PROGRESS' }, operation: null };
      const failure =
        disposal.status === 'FAILED'
          ? { 'failure-cause': { class: 'WeirError', 'stack-trace': disposal.error, 'serialized-throwable': null } }
          : {};
      return { status: { id: 'COMPLETED' }, operation: failure };
    });
  }
}

async function dispose(job: ControlledJob | null, path: string): Promise<Record<string, never>> {
  if (job === null) throw new UsageError('No job runs here: dispose of it with weir savepoints dispose.');
  try {
    await job.disposeSavepoint(path);
    return {};
  } catch (error) {
    throw new UsageError(`Could not dispose savepoint ${path}. ${messageOf(error)}`, { cause: error });
  }
}

/** `file:/backups/x` and `file:///backups/x` are `/backups/x`. */
function localPath(text: string): string {
  return text.replace(/^file:(?:\/\/)?(?=\/)/, '').replace(/(?<=.)\/+$/, '');
}
