/** Where a Chromium is on this machine, and how one gets there. Shared by the test runner (plain JavaScript) and the browser tests. */

import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { installPackages, isExecutable } from '../debian.mjs';

const COMMANDS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const APPLICATIONS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const PLAYWRIGHT_CACHES = [
  process.env.PLAYWRIGHT_BROWSERS_PATH ?? '',
  join(homedir(), '.cache/ms-playwright'),
  join(homedir(), 'Library/Caches/ms-playwright'),
];
const IN_PLAYWRIGHT_CACHE = [
  'chrome-linux/chrome',
  'chrome-linux64/chrome',
  'chrome-linux/headless_shell',
  'chrome-headless-shell-linux64/chrome-headless-shell',
  'chrome-mac/Chromium.app/Contents/MacOS/Chromium',
];

/**
 * Path of a Chromium: `WEIR_CHROMIUM`, one on the PATH, an installed application, or one that Playwright downloaded. Null if there is none.
 *
 * @returns {string | null}
 */
export function findChromium() {
  if (process.env.WEIR_CHROMIUM) return process.env.WEIR_CHROMIUM;
  const onPath = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const candidates = [
    ...COMMANDS.flatMap((command) => onPath.map((directory) => join(directory, command))),
    ...APPLICATIONS,
  ];
  for (const cache of PLAYWRIGHT_CACHES.filter((path) => path !== '' && existsSync(path))) {
    // Newest revision first.
    const revisions = readdirSync(cache)
      .filter((name) => name.startsWith('chromium'))
      .sort()
      .reverse();
    candidates.push(...revisions.flatMap((revision) => IN_PLAYWRIGHT_CACHE.map((path) => join(cache, revision, path))));
  }
  return candidates.find(isExecutable) ?? null;
}

/**
 * Finds a Chromium, or installs Debian's where that needs no question (Debian, root). Throws one line that says what to do.
 *
 * @returns {string}
 */
export function ensureChromium() {
  const found = findChromium();
  if (found !== null) {
    if (!isExecutable(found)) throw new Error(`WEIR_CHROMIUM names ${found}, which is not a program that can be run.`);
    return found;
  }
  if (installPackages('chromium', 'fonts-liberation')) {
    const installed = findChromium();
    if (installed !== null) return installed;
  }
  throw new Error(
    'The browser tests need Chromium: install it (on Debian: apt-get install chromium) or name one in WEIR_CHROMIUM=/path/to/chromium.',
  );
}
