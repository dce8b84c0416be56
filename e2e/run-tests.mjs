/**
 * `npm test`: builds, makes sure there is a browser, runs the projects of vitest.config.ts one after the other and sums them up in one
 * plain last line, 'N passed, N failed'.
 *
 *   node e2e/run-tests.mjs                     unit, integration and browser
 *   node e2e/run-tests.mjs systems             the named projects
 *   node e2e/run-tests.mjs unit -- schema      what follows -- goes to vitest (here: only files whose path has `schema`)
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureChromium } from './browser/find-chromium.mjs';
import { ensurePostgres } from './systems/find-postgres.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const VITEST = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const PROJECTS = ['unit', 'integration', 'browser', 'systems'];

/** Folders of the projects that a checkout may have no tests for; unit and integration tests there always are. */
const OPTIONAL = { browser: 'e2e/browser', systems: 'e2e/systems' };

const { projects, rest } = readArguments(process.argv.slice(2));
const total = { passed: 0, failed: 0, skipped: 0 };
/** What failed, by project, file and name: said once more at the end, where whoever reads only that finds it. @type {string[]} */
const failures = [];
const started = Date.now();

prepare();
const directory = mkdtempSync(join(tmpdir(), 'weir-tests-'));
try {
  for (const project of projects) add(runProject(project));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
console.log(`\nTook ${Math.round((Date.now() - started) / 1000)} s.`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 ? 1 : 0;

/** @param {string[]} args */
function readArguments(args) {
  const separator = args.indexOf('--');
  const named = separator < 0 ? args : args.slice(0, separator);
  const unknown = named.find((name) => !PROJECTS.includes(name));
  if (unknown !== undefined) stop(2, `There is no project '${unknown}'; projects are ${PROJECTS.join(', ')}.`);
  const wanted = named.length === 0 ? ['unit', 'integration', 'browser'] : named;
  const present = wanted.filter((name) => {
    const folder = OPTIONAL[/** @type {keyof typeof OPTIONAL} */ (name)];
    const empty = folder !== undefined && !hasTests(join(ROOT, folder));
    if (empty) console.log(`${name}: there are no tests in ${folder} yet, nothing to run.`);
    return !empty;
  });
  if (present.length === 0) process.exit(0);
  return { projects: present, rest: separator < 0 ? [] : args.slice(separator + 1) };
}

function prepare() {
  if (projects.some((name) => name !== 'unit')) {
    const { status } = spawnSync(process.execPath, [join(ROOT, 'server/build.mjs')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status !== 0) stop(1, 'The build failed, so nothing was tested.');
  }
  if (projects.includes('systems')) {
    const postgres = ensurePostgres();
    if (postgres !== null) console.log(`systems: ${postgres}`);
  }
  if (projects.includes('browser')) {
    try {
      console.log(`browser: ${ensureChromium()}`);
    } catch (error) {
      stop(1, error instanceof Error ? error.message : String(error));
    }
  }
}

/**
 * @param {string} project
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
function runProject(project) {
  console.log(`\n── ${project} ${'─'.repeat(Math.max(0, 70 - project.length))}`);
  const file = join(directory, `${project}.json`);
  const args = [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...rest,
  ];
  if (rest.length > 0) args.push('--passWithNoTests');
  const { status } = spawnSync(process.execPath, [VITEST, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (!existsSync(file)) {
    console.log(`${project}: the test runner ended without a result (exit code ${status}); counted as one failure.`);
    failures.push(`${project}: no result`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const result = JSON.parse(readFileSync(file, 'utf8'));
  failures.push(...failedTests(result.testResults).map((test) => `${project}: ${test}`));
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: pending, numTodoTests: todo } = result;
  if (status !== 0 && failed === 0) {
    // A file that does not load, or an error outside of any test.
    console.log(`${project}: failed outside of its tests (see above); counted as one failure.`);
    return { passed, failed: 1, skipped: pending + todo };
  }
  return { passed, failed, skipped: pending + todo };
}

/**
 * Names of the failed tests, and of the files that failed outside of any.
 *
 * @param {{ name: string, status: string, assertionResults: { status: string, fullName: string }[] }[]} files
 */
function failedTests(files) {
  return files.flatMap(({ name, status, assertionResults }) => {
    const file = relative(ROOT, name);
    const tests = assertionResults.filter((test) => test.status === 'failed').map((test) => test.fullName);
    return status === 'failed' && tests.length === 0 ? [file] : tests.map((test) => `${file} > ${test}`);
  });
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
function add(counts) {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

/** @param {string} folder */
function hasTests(folder) {
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.test.ts'));
}

/**
 * @param {number} code
 * @param {string} message
 * @returns {never}
 */
function stop(code, message) {
  console.error(message);
  process.exit(code);
}
