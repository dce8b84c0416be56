/** Every job that `weir jobs --available` lists runs from the command line, explains itself, and gives the same files twice. */

import { describe, expect, it } from 'vitest';
import { readings } from './inputs.ts';
import { readParts, scratchFile, scratchPath, weir } from './weir.ts';

const limits = scratchFile('limits.ndjson', '{"sensor":"temperature","low":18,"high":20}\n');
const JOBS = [
  { name: 'iot', directory: 'windows', flags: [] },
  { name: 'sessions', directory: 'sessions', flags: ['--gap', '2s'] },
  { name: 'alerts', directory: 'alerts', flags: ['--silence', '2s'] },
  { name: 'trends', directory: 'trends', flags: ['--every', '1s'] },
  { name: 'thresholds', directory: 'breaches', flags: ['--thresholds', limits] },
];
const input = scratchFile('readings.ndjson', [...readings(2000), 'not json'].join('\n'));
const simulate = 'devices=50,events=50k,tick=0.5,seed=3,disorder=exp:1s,churn=2,malformed=0.001';

it('weir jobs --available lists them, one line each', async () => {
  const { stdout, code } = await weir(['jobs', '--available']);
  expect(code).toBe(0);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/\s+/)[0]),
  ).toEqual(JOBS.map(({ name }) => name));
});

describe.each(JOBS)('weir run $name', ({ name, directory, flags: own }) => {
  const run = async (...flags: string[]) => {
    const output = scratchPath('out');
    const finished = await weir(['run', name, ...own, ...flags, '--output', output]);
    expect(finished, finished.stderr).toMatchObject({ code: 0, stdout: '' });
    return {
      ...finished,
      rows: readParts(output, directory, 'csv').flatMap((part) => part.trimEnd().split('\n').slice(1)),
    };
  };

  it('reads a file, and sums up what came of it', async () => {
    const { stderr } = await run('--input', input);
    expect(stderr).toContain(`${name}: done`);
    expect(stderr).toMatch(/malformed_json +1\n/);
    const { stdout } = await weir(['run', name, '--input', input, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ job: name, state: 'FINISHED', events: 2001, resultName: directory });
  });

  it('gives the same rows twice at parallelism 1', async () => {
    const [first, second] = [await run('--simulate', simulate), await run('--simulate', simulate)];
    expect(first.rows.length).toBeGreaterThan(10);
    expect(second.rows).toEqual(first.rows);
    expect(first.stderr).toContain(directory);
  });

  it('runs at parallelism 2', async () => {
    expect((await run('--simulate', simulate, '--parallelism', '2')).rows.length).toBeGreaterThan(10);
  });

  it('explains itself', async () => {
    const { stdout, code } = await weir(['run', name, '--simulate', '--explain']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Job ${name}\n`);
    expect(stdout).toContain('hash(device_id)');
  });

  it.runIf(name === 'alerts')('gives the same rows with its state on disk', async () => {
    const many = 'devices=30k,events=90k,tick=0.5,seed=3,disorder=exp:1s';
    const onDisk = ['--state-backend', 'level', '--state-cache', '1MiB'];
    const [heap, level] = [await run('--simulate', many), await run('--simulate', many, ...onDisk)];
    expect(heap.rows.length).toBeGreaterThan(1000);
    expect(level.rows).toEqual(heap.rows);
  });

  it('refuses a flag that it does not have', async () => {
    const { stderr, code } = await weir(['run', name, '--nosuchflag']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--nosuchflag')]);
  });
});

it('weir run trends gives the same rows on one thread and on four, with both inputs of its join across threads', async () => {
  const rows = async (...flags: string[]) => {
    const output = scratchPath('out');
    const simulated = ['--simulate', `${simulate},late=0`, '--every', '1s', '--out-of-orderness', '60s'];
    const finished = await weir(['run', 'trends', ...simulated, ...flags, '--output', output]);
    expect(finished, finished.stderr).toMatchObject({ code: 0 });
    return readParts(output, 'trends', 'csv')
      .flatMap((part) => part.trimEnd().split('\n').slice(1))
      .sort();
  };
  const one = await rows();
  expect(one.length).toBeGreaterThan(100);
  expect(await rows('--parallelism', 'source=1,window=4')).toEqual(one);
});
