/** Exit codes (0 done, 1 failed, 2 bad usage), messages of one line, and manners: pipes, output directories. */

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readings } from './inputs.ts';
import { readParts, readResults, scratchFile, scratchPath, shell, weir } from './weir.ts';

const ONE_LINE = /^[^\n]+\n$/;
const input = scratchFile('good.ndjson', readings(2000).join('\n'));

describe('bad usage is one line on standard error that names it, and exit code 2', () => {
  const cases: [args: string[], named: string][] = [
    [['run'], 'iot'],
    [['run', 'nosuchjob'], 'nosuchjob'],
    [['nosuchcommand'], 'nosuchcommand'],
    [['run', 'iot', '--nosuchflag'], '--nosuchflag'],
    [['run', 'iot', '--input'], '--input'],
    [['run', 'iot', '--input', input, '--simulate', 'events=10'], '--simulate'],
    [['run', 'iot', '--input', input, '--window', '5'], '--window'],
    [['run', 'iot', '--input', input, '--window', '0s'], '--window'],
    [['run', 'iot', '--input', input, '--window', 'x'], 'x'],
    [['run', 'iot', '--input', input, '--window', '2s/10s'], 'The slide must not be longer than the window'],
    [['run', 'iot', '--input', input, '--window', '10s/2s/1s'], 'length/slide'],
    [['run', 'iot', '--input', input, '--session', '0s'], '--session'],
    [['run', 'iot', '--input', input, '--window', '5s', '--session', '3s'], 'exclude each other'],
    [['run', 'iot', '--input', input, '--allowed-lateness', '-1s'], '--allowed-lateness'],
    [['run', 'iot', '--input', input, '--out-of-orderness', 'lots'], 'lots'],
    [['run', 'iot', '--input', input, '--parallelism', '0'], '--parallelism'],
    [['run', 'iot', '--input', input, '--parallelism', '1.5'], '--parallelism'],
    [['run', 'iot', '--input', input, '--parallelism', 'sauce=2'], 'sauce'],
    [['run', 'iot', '--input', input, '--format', 'xml'], 'xml'],
    [['run', 'iot', '--input', input, '--time', 'local'], 'local'],
    [['run', 'iot', '--input', input, '--max-line', '1XB'], '1XB'],
    [['run', 'iot', '--input', input, '--watermark-emit', 'never'], 'never'],
    [['run', 'iot', '--input', input, '--slots', '1', '--task-managers', '1', '--parallelism', '2'], 'slots'],
    [['run', 'iot', '--simulate', 'devices=0'], 'devices'],
    [['run', 'iot', '--simulate', 'planets=9'], 'planets'],
    [['run', 'iot', '--simulate', 'events=10,disorder=gauss:1s'], 'gauss'],
  ];
  for (const [args, named] of cases) {
    it(`weir ${args.join(' ').replace(input, 'FILE')}`, async () => {
      const { code, stdout, stderr } = await weir(args);
      expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(ONE_LINE) });
      expect(stderr).toContain(named);
    });
  }
});

describe('an input that cannot be read stops the run before it starts', () => {
  const directory = scratchPath('places');
  mkdirSync(join(directory, 'empty'), { recursive: true });
  symlinkSync('loop.ndjson', join(directory, 'loop.ndjson'));
  symlinkSync('gone.ndjson', join(directory, 'dangling.ndjson'));
  writeFileSync(join(directory, 'notes.xyz'), readings(3).join('\n'));
  writeFileSync(join(directory, 'false.ndjson.gz'), readings(3).join('\n'));
  const cases: [title: string, path: string][] = [
    ['missing file', join(directory, 'missing.ndjson')],
    ['directory without inputs', join(directory, 'empty')],
    ['file used as a directory', join(input, 'x.ndjson')],
    ['link to itself', join(directory, 'loop.ndjson')],
    ['link to nothing', join(directory, 'dangling.ndjson')],
    ['name too long', join(directory, `${'x'.repeat(300)}.ndjson`)],
    ['name that does not tell the format', join(directory, 'notes.xyz')],
    ['.gz that is no gzip', join(directory, 'false.ndjson.gz')],
  ];
  for (const [title, path] of cases) {
    it(title, async () => {
      const output = scratchPath('out');
      const { code, stderr } = await weir(['run', 'iot', '--input', path, '--output', output]);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(ONE_LINE) });
      expect(stderr).toContain(path);
    });
  }

  it.runIf(process.platform === 'linux')('file that opens but fails when read', async () => {
    const { code, stderr } = await weir(['run', 'iot', '--input', '/proc/self/mem', '--format', 'ndjson']);
    expect([1, 2]).toContain(code);
    expect(stderr).toContain('/proc/self/mem');
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('an output directory', () => {
  const run = (output: string, ...flags: string[]) =>
    weir(['run', 'iot', '--input', input, '--output', output, ...flags]);

  it('that holds results is refused, and left as it was', async () => {
    const output = scratchPath('out');
    expect((await run(output)).code).toBe(0);
    const before = readParts(output, 'windows', 'csv');
    expect(before.length).toBeGreaterThan(0);
    const { code, stderr } = await run(output);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(ONE_LINE) });
    expect(stderr).toContain('--overwrite');
    expect(readParts(output, 'windows', 'csv')).toEqual(before);
  });

  it('is emptied of results by --overwrite, and of nothing else', async () => {
    const output = scratchPath('out');
    expect((await run(output, '--parallelism', '2')).code).toBe(0);
    writeFileSync(join(output, 'windows', 'notes.txt'), 'mine');
    writeFileSync(join(output, 'windows', '.part-7-3.csv.inprogress'), 'left by a run that was killed');
    expect((await run(output, '--overwrite', '--parallelism', '1')).code).toBe(0);
    expect(readFileSync(join(output, 'windows', 'notes.txt'), 'utf8')).toBe('mine');
    const names = readdirSync(join(output, 'windows')).filter((name) => name !== 'notes.txt');
    expect(names.every((name) => /^part-0-\d+\.csv$/.test(name))).toBe(true);
  });

  it('may exist, empty', async () => {
    const output = scratchPath('out');
    mkdirSync(output);
    expect((await run(output)).code).toBe(0);
  });

  it('that cannot be made is refused', async () => {
    const { code, stderr } = await run(join(input, 'below-a-file'));
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(ONE_LINE) });
  });
});

describe('in a pipeline', () => {
  it('results go to standard output, one line a window, and progress does not', async () => {
    const { code, stdout } = await weir(['run', 'iot', '--input', input, '--parallelism', '1']);
    expect(code).toBe(0);
    const windows = stdout.split('\n').filter((line) => line.startsWith('device_id='));
    expect(windows.length).toBeGreaterThan(50);
  });

  it('a reader that has enough ends the run quietly', async () => {
    const large = scratchFile('large.ndjson', readings(100_000, { devices: 1000, stepMs: 100 }).join('\n'));
    const { stdout, stderr } = await shell(`weir run iot --input '${large}' | head -n 3`);
    expect(stdout.trimEnd().split('\n').length).toBe(3);
    expect(stderr).not.toMatch(/EPIPE|Error|\n\s+at /);
  });

  it('--json gives one JSON document with the counts', async () => {
    const mixed = scratchFile('mixed.ndjson', [...readings(500), 'not json', '{}'].join('\n'));
    const { code, stdout } = await weir(['run', 'iot', '--input', mixed, '--output', scratchPath('out'), '--json']);
    expect(code).toBe(0);
    expect(JSON.stringify(JSON.parse(stdout))).toContain('"malformed_json":1');
  });
});

describe('Ctrl-C', () => {
  it('stops cleanly: what was read is finished and committed, and the run says where it is', async () => {
    const output = scratchPath('out');
    const flags = ['run', 'iot', '--simulate', 'devices=100,rate=50k,malformed=0.01', '--output', output, '--json'];
    const { code, stdout, stderr } = await weir(flags, { interruptAfterMs: 1500 });
    expect(code).toBe(0);
    const { windows, errors, late } = readResults(output);
    const counted = windows.reduce((sum, row) => sum + row[3], 0);
    expect(counted).toBeGreaterThan(1000);
    expect(counted + errors.length + late.length).toBe(JSON.parse(stdout).events);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('before the end of an input that has one is no success', async () => {
    const { code } = await weir(['run', 'iot', '--simulate', 'events=10M,rate=10k', '--output', scratchPath('out')], {
      interruptAfterMs: 1500,
    });
    expect(code).toBe(130);
  });
});

describe('help', () => {
  for (const args of [['--help'], ['run', '--help'], ['run', 'iot', '--help'], ['serve', '--help']]) {
    it(`weir ${args.join(' ')} goes to standard output and is no failure`, async () => {
      const { code, stdout, stderr } = await weir(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/usage/i);
    });
  }

  it('the help of run names every flag and gives examples', async () => {
    const { stdout } = await weir(['run', 'iot', '--help']);
    const flags = [
      'input',
      'simulate',
      'format',
      'window',
      'out-of-orderness',
      'allowed-lateness',
      'idle-timeout',
      'watermark-emit',
    ];
    for (const flag of [...flags, 'parallelism', 'output', 'overwrite', 'json']) expect(stdout).toContain(`--${flag}`);
    expect(stdout).toMatch(/example/i);
  });
});
