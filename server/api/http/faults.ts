/** Faults for programs: begin one, stop one or all, read their verdicts. */

import type { FastifyInstance, FastifyReply } from 'fastify';
import { messageOf, UsageError, WeirError } from '#base/errors.ts';
import type { Faults } from '#lab/faults/faults.ts';

export function registerFaults(app: FastifyInstance, faults: Faults | null): void {
  const on =
    (handler: (faults: Faults, body: unknown, id: number) => unknown) =>
    (request: { body: unknown; params: unknown }, reply: FastifyReply): unknown => {
      if (faults === null) return reply.code(404).send({ error: 'No job runs that faults could strike.' });
      const { id } = request.params as { id?: string };
      try {
        return handler(faults, request.body, Number(id));
      } catch (error) {
        const code = error instanceof UsageError ? 400 : error instanceof WeirError ? 409 : 500;
        return reply.code(code).send({ error: messageOf(error) });
      }
    };
  app.get(
    '/api/faults',
    on((all) => all.view),
  );
  app.post(
    '/api/faults',
    on((all, body) => all.start(body)),
  );
  app.delete(
    '/api/faults',
    on((all) => ({ stopped: all.stopAll() })),
  );
  app.delete(
    '/api/faults/:id',
    on((all, _, id) => {
      const stopped = all.stop(id);
      if (!stopped && !all.knows(id)) throw new UsageError('There is no fault with this number.');
      return { stopped: stopped ? 1 : 0 };
    }),
  );
}
