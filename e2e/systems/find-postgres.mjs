/** Where the programs of a PostgreSQL server are, and how they get there. Shared by the test runner (plain JavaScript) and the tests. */

import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installPackages, isExecutable } from '../debian.mjs';

const DEBIAN = '/usr/lib/postgresql';

/**
 * Directory with `initdb` and `postgres`: `WEIR_POSTGRES`, the newest that Debian has, or one on the PATH. Null if there is none.
 *
 * @returns {string | null}
 */
export function findPostgres() {
  if (process.env.WEIR_POSTGRES) return process.env.WEIR_POSTGRES;
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
    '/opt/homebrew/bin',
    '/usr/local/pgsql/bin',
  ];
  return (
    candidates.find((directory) => ['initdb', 'postgres'].every((name) => isExecutable(join(directory, name)))) ?? null
  );
}

/**
 * Finds a PostgreSQL, or installs Debian's where that needs no question. Null: there is none, and it has been said what to do.
 *
 * @returns {string | null}
 */
export function ensurePostgres() {
  const found = findPostgres();
  if (found !== null) return found;
  try {
    if (installPackages('postgresql')) return findPostgres();
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
  }
  console.log(
    'No PostgreSQL on this machine: its tests are skipped. Install it (on Debian: apt-get install postgresql) or name the directory of its programs in WEIR_POSTGRES.',
  );
  return null;
}
