#!/usr/bin/env node
/**
 * The command `weir`: builds what is out of date (sources that changed since, or a fresh checkout) and hands over to `dist/server/main.js`.
 */

import { pathToFileURL } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`weir: needs Node.js 20.19 or newer, this is ${process.version}.`);
  process.exit(1);
}

let main;
try {
  const { ensureBuilt } = await import('./build.mjs');
  // On standard error: standard output belongs to the command.
  main = `${await ensureBuilt({ say: (line) => console.error(`weir: ${line}`) })}/server/main.js`;
} catch (error) {
  const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
  console.error(
    missing
      ? 'weir: the tools that build it are not installed: run `npm ci` in the checkout first.'
      : `weir: the build failed: ${error instanceof Error ? error.message : error}`,
  );
  process.exit(1);
}
await import(pathToFileURL(main).href);
