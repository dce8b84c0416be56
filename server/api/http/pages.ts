/** The dashboard's files. Names with a hash in them never change and may be kept for ever; the page itself is asked for each time. */

import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Routes of the dashboard's pages; each is the same document. */
const PAGES = ['/', '/windows', '/errors', '/checkpoints', '/savepoints', '/faults', '/scaling'];

const MISSING = 'The dashboard has not been built: run `npm run build` in the checkout, then start Weir again.\n';

/** `directory` holds `index.html` and `assets/`. */
export async function registerPages(app: FastifyInstance, directory: string): Promise<void> {
  if (!existsSync(join(directory, 'index.html'))) {
    for (const page of PAGES)
      app.get(page, (_, reply) => reply.code(503).type('text/plain; charset=utf-8').send(MISSING));
    return;
  }
  const hashed = join(directory, 'assets') + sep;
  await app.register(fastifyStatic, {
    root: directory,
    index: false,
    cacheControl: false,
    dotfiles: 'ignore',
    setHeaders: (reply, path) => {
      reply.setHeader('cache-control', path.startsWith(hashed) ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  for (const page of PAGES) app.get(page, (_, reply) => reply.sendFile('index.html'));
}
