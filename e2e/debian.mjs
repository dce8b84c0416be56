/** Packages of Debian, where they can be installed without a question. Shared by the test runner (plain JavaScript) and the tests. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';

/**
 * Installs packages; false: this is no Debian, or not ours to change. Throws when it does not work.
 *
 * @param {string[]} packages
 * @returns {boolean}
 */
export function installPackages(...packages) {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false;
  console.log(`Installing ${packages.join(', ')} …`);
  aptGet('update', '-q');
  aptGet('install', '-q', '-y', '--no-install-recommends', ...packages);
  return true;
}

/** @param {string[]} args */
function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, error } = spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  if (status !== 0)
    throw new Error(`apt-get ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}.`);
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
