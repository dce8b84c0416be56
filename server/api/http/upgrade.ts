/** Upgrade of the server by another version of itself: begun by one request, looked at by others, also of the server that comes after. */

import type { FastifyInstance } from 'fastify';
import { messageOf, UsageError } from '#base/errors.ts';
import type { UpgradeView, UpgradeWish } from '#shared/upgrade.ts';

export interface ServedUpgrade {
  readonly view: UpgradeView;
  /** Throws `UsageError`s and `WeirError`s for people where it cannot begin. */
  begin(wish: UpgradeWish): void;
}

const WITHIN_MS = 60_000;
const MOST_FLAGS = 100;

export function registerUpgrade(app: FastifyInstance, upgrade: ServedUpgrade): void {
  app.get('/api/upgrade', () => upgrade.view);
  app.post('/api/upgrade', ({ body }, reply) => {
    try {
      upgrade.begin(wishOf(body));
      return reply.code(202).send(upgrade.view);
    } catch (error) {
      return reply.code(error instanceof UsageError ? 400 : 409).send({ error: messageOf(error) });
    }
  });
}

function wishOf(body: unknown): UpgradeWish {
  const { flags = [], withinMs = WITHIN_MS } = (body ?? {}) as { flags?: unknown; withinMs?: unknown };
  if (!Array.isArray(flags) || flags.length > MOST_FLAGS || flags.some((flag) => typeof flag !== 'string'))
    throw new UsageError('flags must be a list of texts, as on a command line.');
  if (typeof withinMs !== 'number' || !(withinMs >= 1000 && withinMs <= 86_400_000))
    throw new UsageError('withinMs must be from 1000 to 86400000.');
  return { flags, withinMs };
}
