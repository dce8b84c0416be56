/** Starts the Chromium of this machine for a browser test. */

import { type Browser, chromium } from 'playwright-core';
import { ensureChromium } from './find-chromium.mjs';

const FLAGS = [
  '--headless',
  // Tests run as root in containers, where Chromium's sandbox cannot start and /dev/shm is small.
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  // A test browser talks to the server under test and to nobody else.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The caller closes it. `extra` are further command line flags, e.g. `--force-prefers-reduced-motion`. */
export function launchChromium(extra: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: ensureChromium(), args: [...FLAGS, ...extra] });
}
