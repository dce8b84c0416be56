/** The same input gives the same files: a run can be repeated to look at it again. */

import { describe, expect, it } from 'vitest';
import { windowBorders } from './inputs.ts';
import { readParts, runIot, scratchFile } from './weir.ts';

/** Rows of all parts in order, without headers: how rows are cut into parts is nobody's promise. */
function rows(directory: string, output: string, extension: string): string[] {
  return readParts(directory, output, extension).flatMap((part) => {
    const lines = part.trimEnd().split('\n');
    return extension === 'csv' ? lines.slice(1) : lines;
  });
}

async function twice(flags: readonly string[]) {
  const [first, second] = [await runIot(flags), await runIot(flags)];
  for (const [output, extension] of [
    ['windows', 'csv'],
    ['late', 'ndjson'],
  ] as const) {
    expect(rows(first.directory, output, extension)).toEqual(rows(second.directory, output, extension));
  }
  const errors = [first, second].map(({ directory }) =>
    rows(directory, 'errors', 'ndjson').map((row) => row.replace(/"ingested_at":\d+/, '"ingested_at":0')),
  );
  expect(errors[0]).toEqual(errors[1]);
  return first;
}

describe('at parallelism 1 two runs give identical windows and late files, and errors that differ in ingested_at only', () => {
  const simulate = (seed: number) =>
    `devices=200,rate=max,events=100k,seed=${seed},disorder=exp:2s,malformed=0.01,late=0.01`;
  const replayable = ['--parallelism', '1', '--watermark-emit', 'on-event', '--idle-timeout', 'off'];

  it('of the simulator with the same seed', async () => {
    const { windows, errors, late } = await twice(['--simulate', simulate(7), ...replayable]);
    const counted = new Map(windows.map(([device, start, , count]) => [`${device} ${start}`, count]));
    const inWindows = [...counted.values()].reduce((sum, count) => sum + count, 0);
    // Nothing gets lost on the way: every event is in a window, in the error log or late.
    expect(inWindows + errors.length + late.length).toBe(100_000);
    expect(errors.length).toBeGreaterThan(500);
    expect(late.length).toBeGreaterThan(500);
  });

  it('but not with another seed', async () => {
    const [first, second] = [
      await runIot(['--simulate', simulate(7), ...replayable]),
      await runIot(['--simulate', simulate(8), ...replayable]),
    ];
    expect(rows(first.directory, 'windows', 'csv')).not.toEqual(rows(second.directory, 'windows', 'csv'));
  });

  it('of a file with late events', async () => {
    const input = scratchFile('late.ndjson', [...windowBorders(5000, 20_000), 'not json'].join('\n'));
    const { late, errors } = await twice(['--input', input, '--allowed-lateness', '2s', ...replayable]);
    expect(late.length).toBeGreaterThan(10);
    expect(errors.length).toBe(1);
  });
});

it('the clock of ingested_at is the wall clock', async () => {
  const before = Date.now();
  const { errors, directory } = await runIot(['--input', scratchFile('bad.ndjson', 'not json'), '--parallelism', '1']);
  expect(errors[0]?.ingestedAt).toBeGreaterThanOrEqual(before);
  expect(errors[0]?.ingestedAt).toBeLessThanOrEqual(Date.now());
  expect(rows(directory, 'errors', 'ndjson')[0]).toMatch(/"ingested_at":\d{13}[,}]/);
});
