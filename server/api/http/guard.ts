/** What holds for every HTTP answer: who may ask, with which methods, and what a browser may do with the answer. */

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Access } from '../access.ts';

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** What programs read; the pages hold no data. */
const isData = (url: string): boolean => url.startsWith('/v1/') || url.startsWith('/api/');

function bearer({ authorization }: IncomingHttpHeaders): string | null {
  return /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? null;
}

export function registerGuard(app: FastifyInstance, access: Access): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (!access.allows(request.headers)) {
      return reply.code(403).send({ error: 'This server answers only to its own address and its own pages.' });
    }
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (!reads && !request.is404) {
      // Whoever may not change things on the pages may not change them here.
      if (access.rights(bearer(request.headers)).command) return undefined;
      return reply
        .code(401)
        .send({ error: 'Changing something needs the token: send it as "Authorization: Bearer TOKEN".' });
    }
    if (reads && isData(request.url) && !access.rights(bearer(request.headers)).read)
      return reply.code(401).send({ error: 'Reading needs the token: send it as "Authorization: Bearer TOKEN".' });
    if (!reads) {
      return reply
        .code(405)
        .header('allow', 'GET, HEAD')
        .send({ error: `There is nothing to ${request.method} here.` });
    }
    return undefined;
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `There is no ${request.url.split('?', 1)[0]?.slice(0, 200)} here.` }),
  );
}
