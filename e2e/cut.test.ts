/** However an input is cut into files, blocks and subtasks, the windows are the same. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runModel, tumbling } from '#testing/reference-model.ts';
import { errorDifferences, sortErrors, windowDifferences } from './compare.ts';
import { readings } from './inputs.ts';
import { runIot, scratchFile, scratchPath } from './weir.ts';

const WINDOW_MS = 2000;
const FLAGS = ['--watermark-emit', 'on-event', '--window', `${WINDOW_MS}ms`];

/** About 300 KB: out of order within the bound, lines of uneven length, bad lines in between, CRLF here and there. */
function input(): Buffer {
  const lines = readings(2500, { devices: 40, stepMs: 20, disorderMs: 4000, seed: 3 }).flatMap((line, i) => [
    i % 7 === 0 ? line.replace('}', `,"note":"${'x'.repeat((i * 31) % 900)}"}`) : line,
    ...(i % 50 === 0 ? [['', '{', `"${'y'.repeat(i)}"`][i % 3] ?? ''] : []),
  ]);
  return Buffer.from(lines.map((line, i) => line + (i % 11 === 0 ? '\r\n' : '\n')).join(''));
}

const file = input();
const model = runModel(file, { assign: tumbling(WINDOW_MS), outOfOrdernessMs: 5000, allowedLatenessMs: 0 });

const parallelism = fc.oneof(
  fc.integer({ min: 1, max: 4 }).map(String),
  fc
    .record({ source: fc.integer({ min: 1, max: 4 }), window: fc.integer({ min: 1, max: 4 }) })
    .map(({ source, window }) => `source=${source},window=${window}`),
);

it('a file cut into blocks of any size, read by any number of subtasks, gives the same windows and errors', async () => {
  expect(model.late).toEqual([]);
  const path = scratchFile('cut.ndjson', file);
  await fc.assert(
    fc.asyncProperty(parallelism, fc.integer({ min: 64, max: 200_000 }), async (subtasks, blockBytes) => {
      const results = await runIot([
        '--input',
        path,
        '--parallelism',
        subtasks,
        '--block-size',
        String(blockBytes),
        ...FLAGS,
      ]);
      expect(windowDifferences(results.windows, model.windows)).toEqual([]);
      expect(errorDifferences(sortErrors(results.errors), model.errors, path)).toEqual([]);
      expect(results.late).toEqual([]);
    }),
    {
      numRuns: 16,
      seed: 42,
      endOnFailure: true,
      examples: [
        ['2', 64],
        ['source=4,window=1', 4096],
        ['source=1,window=4', 1000],
      ],
    },
  );
});

it('a directory of files gives the same windows as one file', async () => {
  const directory = scratchPath('directory');
  mkdirSync(directory);
  const lines = file.toString().split(/(?<=\n)/);
  for (let i = 0; i < 5; i++) {
    // In the order of their names, and one without a line break at its end.
    const part = lines.slice(i * 500, i === 4 ? lines.length : (i + 1) * 500).join('');
    writeFileSync(join(directory, `hour-${i}.ndjson`), i === 2 ? part.replace(/\r?\n$/, '') : part);
  }
  writeFileSync(join(directory, 'notes.txt'), 'not an input');
  const results = await runIot(['--input', directory, '--parallelism', '1', ...FLAGS]);
  expect(windowDifferences(results.windows, model.windows)).toEqual([]);
  expect(results.errors.length).toBe(model.errors.length);
});

it('task managers and slots change nothing but where subtasks run', async () => {
  const path = scratchFile('cut.ndjson', file);
  for (const where of [
    ['--task-managers', '1', '--slots', '3'],
    ['--task-managers', '3'],
  ]) {
    const results = await runIot(['--input', path, '--parallelism', '3', ...where, ...FLAGS]);
    expect(windowDifferences(results.windows, model.windows)).toEqual([]);
  }
});

it('nothing is lost or doubled: every simulated event is in one window, in the error log or late, at any parallelism', async () => {
  for (const subtasks of ['1', '2', '4', 'source=1,window=3']) {
    const settings = 'devices=2000,rate=max,events=200k,seed=9,disorder=exp:2s,malformed=0.01,late=0.01';
    const { windows, errors, late } = await runIot(['--simulate', settings, '--parallelism', subtasks]);
    const keys = new Set(windows.map(([device, start]) => `${device} ${start}`));
    expect(keys.size).toBe(windows.length);
    const counted = windows.reduce((sum, row) => sum + row[3], 0);
    expect(counted + errors.length + late.length).toBe(200_000);
  }
});
