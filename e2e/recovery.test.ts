/** Nothing lost and nothing doubled, whatever is killed: a run that was killed and went on has committed what an undisturbed one has. */

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JobNews } from '#runtime/job/job-news.ts';
import { iotInThreads } from './iot-in-threads.ts';
import { committedRows, runKilled, withoutAverages } from './recovery.ts';
import { scratchPath, weir } from './weir.ts';

/** At a rate that makes a run outlast the lives of those that are killed, on a fast machine too. */
const SIMULATE = 'devices=200,rate=250k,events=1M,seed=5,disorder=uniform:2s,malformed=0.001';
/** One split, whose watermark moves with every event: what is late, and against which watermark, is the same in every run. */
const LATE = `${SIMULATE},late=0.01,splits=1`;

const iot = (simulate: string, output: string, parallelism: number): string[] => [
  ...['run', 'iot', '--simulate', simulate, '--output', output, '--parallelism', `${parallelism}`],
  ...['--watermark-emit', 'on-event', '--idle-timeout', 'off', '--checkpoint-interval', '100ms'],
];

async function undisturbed(simulate: string): Promise<Record<string, string[]>> {
  const output = scratchPath('undisturbed');
  const { code, stderr } = await weir(iot(simulate, output, 1));
  expect([code, stderr.includes('weir:')]).toEqual([0, false]);
  return committedRows(output);
}

describe('a process that is killed', () => {
  it('has committed the rows of an undisturbed run once it has been resumed to its end, late ones included', async () => {
    const expected = await undisturbed(LATE);
    expect(expected.late?.length).toBeGreaterThan(1000);
    const output = scratchPath('killed');
    const run = {
      args: () => iot(LATE, output, 1),
      kills: 6,
      seed: 1,
      lifetimeMs: [400, 1500],
      cwd: dirname(output),
    } as const;
    const { code, said } = await runKilled(run);
    expect([code, said.at(-1)]).toEqual([0, expect.stringContaining('going on from checkpoint')]);
    expect(committedRows(output)).toEqual(expected);
  });

  it('may go on with another parallelism each time', async () => {
    const expected = await undisturbed(SIMULATE);
    const output = scratchPath('rescaled');
    const run = {
      args: (attempt: number) => iot(SIMULATE, output, [2, 1, 3][attempt % 3] as number),
      kills: 6,
      seed: 2,
      lifetimeMs: [500, 1500],
      cwd: dirname(output),
    } as const;
    expect((await runKilled(run)).code).toBe(0);
    expect(withoutAverages(committedRows(output))).toEqual(withoutAverages(expected));
  });

  it('CS10 goes on from incremental checkpoints, which refer to files of earlier ones', async () => {
    const expected = await undisturbed(SIMULATE);
    const output = scratchPath('incremental');
    const run = {
      args: () => [...iot(SIMULATE, output, 1), '--checkpoint-incremental'],
      kills: 4,
      seed: 3,
      lifetimeMs: [600, 1500],
      cwd: dirname(output),
    } as const;
    const { code, said } = await runKilled(run);
    expect([code, said.at(-1)]).toEqual([0, expect.stringContaining('going on from checkpoint')]);
    expect(withoutAverages(committedRows(output))).toEqual(withoutAverages(expected));
    expect(readdirSync(join(output, 'checkpoints', 'iot', 'shared')).length).toBeGreaterThan(0);
  });

  it('is refused where other settings would give other results, and says which', async () => {
    const output = scratchPath('other');
    await weir(iot(SIMULATE, output, 1));
    const other = await weir([...iot(SIMULATE, output, 1), '--window', '10s', '--resume', 'latest']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--window or --session (was ')]);
  });
});

describe('task managers that are killed', () => {
  let expected: Record<string, string[]>;
  beforeAll(async () => {
    expected = await undisturbed(SIMULATE);
  });

  it('cost nothing but time: the job goes on from its last checkpoint, with the standby in the place of the lost one', async () => {
    const output = scratchPath('threads');
    const news: JobNews[] = [];
    const { master, taskManagers } = iotInThreads({
      simulate: SIMULATE,
      windowMs: 5000,
      sources: 2,
      output,
      attempts: 10,
    });
    master.onNews((one) => news.push(one));
    const completed = (): number => master.checkpoints?.counts.completed ?? 0;
    await master.start();
    for (let kill = 0; kill < 3; kill++) {
      const before = completed();
      await expect.poll(completed, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before);
      if (master.state === 'FINISHED') break;
      taskManagers.kill(kill % 2, 'the test killed it');
      await expect.poll(() => master.state, { timeout: 30_000, interval: 2 }).toBe('RESTARTING');
      await expect.poll(() => master.state, { timeout: 30_000, interval: 5 }).not.toBe('RESTARTING');
    }
    expect(await master.done).toBe('FINISHED');
    // Not when it was last seen to run.
    expect(master.changedAt).toBeGreaterThan(master.failures.latest[0]?.at ?? Number.POSITIVE_INFINITY);
    expect(news.filter(({ type }) => type === 'failure').length).toBeGreaterThan(0);
    expect(master.failures.latest[0]?.message).toMatch(/^Task manager \d is lost: the test killed it\.$/);
    expect(master.checkpoints?.counts.restored).toBe(master.failures.total);
    expect(withoutAverages(committedRows(output))).toEqual(withoutAverages(expected));
    await taskManagers.close();
  });
});
