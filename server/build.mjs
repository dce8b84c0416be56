/**
 * Builds what runs: the server (esbuild) and the dashboard (vite).
 *
 *   dist/server ─┐                    ┌─ server/{main,worker,bench}.js and shared chunks beside them
 *                ├─> dist/builds/<id>/┤
 *   dist/web    ─┘                    └─ web/index.html …
 *
 * A build is written to a directory of its own and becomes the current one by renaming two links, so nobody ever sees half of one, builds
 * that run at the same time do not disturb each other, and a server that is running keeps the files it was started from. The fingerprint
 * of the sources lies in the build: `ensureBuilt` builds only when it no longer matches.
 *
 *   node server/build.mjs            builds what is out of date
 *   node server/build.mjs server     the server only; the dashboard is taken over from the build before
 */

import { createHash } from 'node:crypto';
import {
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const BUILDS = join(DIST, 'builds');

/** What each part is made from; a test file changes neither. */
const SOURCES = {
  server: ['server', 'shared', 'package.json', 'package-lock.json'],
  web: ['web', 'shared', 'vite.config.ts', 'package.json', 'package-lock.json'],
};
const PARTS = /** @type {(keyof typeof SOURCES)[]} */ (Object.keys(SOURCES));

/** Older builds are kept this long and at most this many: a process may still be running from one. */
const KEEP_MS = 60 * 60 * 1000;
const KEEP_COUNT = 12;

/**
 * Makes sure that `dist` is what the sources say, and gives the directory of that build (which never changes afterwards).
 *
 * @param {{ parts?: ('server' | 'web')[], say?: (line: string) => void }} [options] `say` is told when there is something to build
 * @returns {Promise<string>}
 */
export async function ensureBuilt({ parts = PARTS, say = () => {} } = {}) {
  const before = await currentBuild();
  // Without sources (an image that ships `dist` only) there is nothing to compare with.
  if (before !== null && !(await exists(join(ROOT, 'server/main.ts')))) return before.directory;
  const wanted = { server: await fingerprint('server'), web: await fingerprint('web') };
  const stale = parts.filter((part) => before?.fingerprints[part] !== wanted[part]);
  if (before !== null && stale.length === 0) return before.directory;

  say(`building ${stale.join(' and ')} …`);
  const directory = join(BUILDS, `${Date.now().toString(36)}-${process.pid}`);
  await mkdir(directory, { recursive: true });
  try {
    /** @type {Record<string, string>} */
    const fingerprints = {};
    for (const part of PARTS) {
      if (stale.includes(part)) {
        await (part === 'server' ? buildServer : buildWeb)(join(directory, part));
        fingerprints[part] = wanted[part];
      } else if (before?.fingerprints[part] !== undefined) {
        await cp(join(before.directory, part), join(directory, part), { recursive: true });
        fingerprints[part] = before.fingerprints[part];
      }
    }
    await writeFile(join(directory, 'build.json'), JSON.stringify(fingerprints));
    for (const part of Object.keys(fingerprints)) await point(part, directory);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  await removeOldBuilds(directory);
  return directory;
}

/** @param {string} outdir */
async function buildServer(outdir) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: await entryPoints(),
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // Commands are imported when they are called, so that `weir run` need not load a web server. Chunks lie beside the entries, so
    // that `new URL('./worker.js', import.meta.url)` is right in every one of them.
    splitting: true,
    chunkNames: '[name]-[hash]',
    sourcemap: true,
    logLevel: 'silent',
  });
}

/**
 * The programs. One whose source is not there is not built, so that an image may leave out the benches.
 *
 * @returns {Promise<Record<string, string>>}
 */
async function entryPoints() {
  const all = {
    main: 'server/main.ts',
    worker: 'server/worker.ts',
    bench: 'server/bench/main.ts',
    'bench-worker': 'server/bench/worker.ts',
    simulate: 'server/testing/simulation/main.ts',
  };
  const there = await Promise.all(Object.values(all).map((path) => exists(join(ROOT, path))));
  return Object.fromEntries(Object.entries(all).filter((_, i) => there[i]));
}

/** @param {string} outDir */
async function buildWeb(outDir) {
  // Whoever started us (a test runner, say) may have another one; what is built is for people either way.
  process.env.NODE_ENV = 'production';
  const vite = await import('vite');
  await vite.build({
    configFile: join(ROOT, 'vite.config.ts'),
    root: join(ROOT, 'web'),
    logLevel: 'error',
    build: { outDir, emptyOutDir: true },
  });
}

/**
 * Name, size and time of every file that a part is made from. Times are compared for equality only, so a clock that was wrong does no harm.
 *
 * @param {keyof typeof SOURCES} part
 */
async function fingerprint(part) {
  const hash = createHash('sha256');
  /** @param {string} path */
  const visit = async (path) => {
    const status = await stat(path).catch(() => null);
    if (status === null) return;
    if (status.isDirectory()) {
      for (const name of (await readdir(path)).sort()) await visit(join(path, name));
    } else if (!/\.test\.tsx?$|\.md$/.test(path)) {
      hash.update(`${relative(ROOT, path)}\0${status.size}\0${status.mtimeMs}\n`);
    }
  };
  for (const source of SOURCES[part]) await visit(join(ROOT, source));
  return hash.digest('hex');
}

/** @returns {Promise<{ directory: string, fingerprints: Record<string, string> } | null>} */
async function currentBuild() {
  try {
    const directory = dirname(await realpath(join(DIST, 'server')));
    return { directory, fingerprints: JSON.parse(await readFile(join(directory, 'build.json'), 'utf8')) };
  } catch {
    return null;
  }
}

/**
 * Points `dist/<part>` at a build. Renaming a link over another is atomic.
 *
 * @param {string} part
 * @param {string} directory
 */
async function point(part, directory) {
  const link = join(DIST, part);
  const before = await lstat(link).catch(() => null);
  if (before?.isDirectory()) await rm(link, { recursive: true, force: true });
  const staged = join(directory, `${part}.link`);
  await symlink(relative(DIST, join(directory, part)), staged);
  await rename(staged, link);
}

/** @param {string} current */
async function removeOldBuilds(current) {
  const served = await Promise.all(PARTS.map((part) => readlink(join(DIST, part)).catch(() => '')));
  const builds = [];
  for (const name of await readdir(BUILDS)) {
    const directory = join(BUILDS, name);
    const status = await stat(directory).catch(() => null);
    if (
      status === null ||
      directory === current ||
      served.some((target) => join(DIST, target).startsWith(`${directory}/`))
    )
      continue;
    builds.push({ directory, ms: status.mtimeMs });
  }
  builds.sort((a, b) => b.ms - a.ms);
  const old = builds.filter((build, i) => i >= KEEP_COUNT || Date.now() - build.ms > KEEP_MS);
  await Promise.all(old.map((build) => rm(build.directory, { recursive: true, force: true })));
}

/** @param {string} path */
async function exists(path) {
  return (await stat(path).catch(() => null)) !== null;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(await realpath(process.argv[1])).href) {
  const asked = process.argv.slice(2);
  const unknown = asked.find((part) => !PARTS.some((known) => known === part));
  if (unknown !== undefined) {
    console.error(`build: there is no part called '${unknown}'; parts are ${PARTS.join(' and ')}.`);
    process.exitCode = 2;
  } else {
    try {
      const parts = asked.length === 0 ? PARTS : PARTS.filter((part) => asked.includes(part));
      const directory = await ensureBuilt({ parts, say: (line) => console.log(line) });
      console.log(`dist/ is up to date (${relative(ROOT, directory)})`);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    }
  }
}
