/** `weir upgrade`: the job of a supervised server goes on in another version of it, or, where that gets nowhere, in the one before. */

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { committedRows, withoutAverages } from './recovery.ts';
import { PATIENCE, type Supervised, supervised, supervisedBy } from './supervised.ts';
import { MAIN, scratchFile, scratchPath, weir } from './weir.ts';

const SIMULATE = 'devices=50,rate=20k,events=200k,seed=5,disorder=uniform:2s,malformed=0.001';
const FLAGS = ['--simulate', SIMULATE, '--parallelism', '1', '--checkpoint-interval', '200ms'];

let expected: Record<string, string[]>;
beforeAll(async () => {
  const output = scratchPath('undisturbed');
  await weir(['run', 'iot', ...FLAGS, '--output', output]);
  expected = withoutAverages(committedRows(output));
});

async function reading(one: Supervised): Promise<void> {
  await expect.poll(() => one.urls.length, PATIENCE).toBe(1);
  await expect.poll(() => one.completed(), PATIENCE).toBeGreaterThan(0);
}

const upgrade = (one: Supervised, ...args: string[]) =>
  weir(['upgrade', '--url', one.urls[0] as string, ...args], { timeoutMs: 120_000 });

async function ends(one: Supervised, output: string): Promise<void> {
  await expect.poll(async () => (await one.job())?.state, PATIENCE).toBe('FINISHED');
  expect(withoutAverages(committedRows(output))).toEqual(expected);
}

describe('an upgrade', () => {
  it('has the job go on in the next version, with other flags, at the same address, and nothing is lost or doubled', async () => {
    const output = scratchPath('upgraded');
    const one = supervised(...FLAGS, '--output', output);
    await reading(one);
    const before = one.server;
    const { code, stdout, stderr } = await upgrade(one, '--', '--parallelism', '2');
    expect([code, stdout, stderr]).toEqual([
      0,
      expect.stringMatching(/^Upgraded\. The job goes on from \/.*savepoint-/),
      '',
    ]);
    expect([one.server === before, new Set(one.urls).size]).toEqual([false, 1]);
    const { jid = '' } = (await one.job()) ?? {};
    const { tasks } = (await (await fetch(`${one.urls[0]}api/jobs/${jid}/parallelism`)).json()) as {
      tasks: { parallelism: number }[];
    };
    expect(tasks.map(({ parallelism }) => parallelism)).toEqual([2, 2]);
    // It is what is started again when it dies.
    process.kill(one.server as number, 'SIGKILL');
    await ends(one, output);
    expect(one.said).toContain('the new version gets on: upgraded.');
  });

  it('is rolled back where the new version does not start, and says why', async () => {
    const output = scratchPath('wrong-flag');
    const one = supervised(...FLAGS, '--output', output);
    await reading(one);
    const { code, stdout } = await upgrade(one, '--', '--parallelism', '0');
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^Rolled back, .* it ended with code 2: .*--parallelism/),
    ]);
    await ends(one, output);
  });

  it('is rolled back where the new version runs and gets nowhere', async () => {
    const broken = scratchPath('broken');
    const program = scratchFile(
      'weir.mjs',
      `import { existsSync } from 'node:fs';
       if (existsSync(${JSON.stringify(broken)})) setInterval(() => {}, 1000);
       else await import(${JSON.stringify(MAIN)});`,
    );
    const output = scratchPath('stuck');
    const one = supervisedBy(program, [...FLAGS, '--output', output]);
    await reading(one);
    writeFileSync(broken, '');
    const { code, stdout } = await upgrade(one, '--within', '1s', '--json');
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({ phase: 'rolled-back', reason: 'its job did not run within 1 s' }),
    ]);
    expect(existsSync(broken)).toBe(true);
    await ends(one, output);
    rmSync(broken);
  });

  it('is refused where it could not be had: without a supervisor, with flags that are not its business', async () => {
    const one = supervised('--simulate', 'devices=2,rate=10');
    await expect.poll(async () => (await one.job())?.state, PATIENCE).toBe('RUNNING');
    const { code, stderr } = await upgrade(one, '--', '--output', '/elsewhere');
    expect([code, stderr]).toEqual([1, expect.stringContaining('--output cannot change with an upgrade')]);
    expect((await one.job())?.state).toBe('RUNNING');
  });
});
