/** Nothing lost and nothing doubled, whatever is killed: a run that was killed and went on has committed what an undisturbed one has. */

import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#base/clock.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import type { IotParams } from '#jobs/iot.ts';
import { buildJob } from '#jobs/registry.ts';
import { checkpointSettings } from '#runtime/checkpoint/checkpoint-settings.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { parseRestart } from '#runtime/job/restart-settings.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import { committedRows, runKilled } from './recovery.ts';
import { MAIN, scratchPath, weir } from './weir.ts';

const SIMULATE = 'devices=200,rate=max,events=1M,seed=5,disorder=uniform:2s,malformed=0.001';
/** Late events are late against a watermark that moves with every event: at parallelism 1 they are the same in every run. */
const LATE = `${SIMULATE},late=0.01`;

const iot = (simulate: string, output: string, parallelism: number): string[] => [
  ...['run', 'iot', '--simulate', simulate, '--output', output, '--parallelism', `${parallelism}`],
  ...['--checkpoint-interval', '100ms'],
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
    const { master, taskManagers } = job(output);
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
    expect(news.filter(({ type }) => type === 'failure').length).toBeGreaterThan(0);
    expect(master.failures.latest[0]?.message).toMatch(/^Task manager \d is lost: the test killed it\.$/);
    expect(master.checkpoints?.counts.restored).toBe(master.failures.total);
    expect(withoutAverages(committedRows(output))).toEqual(withoutAverages(expected));
    await taskManagers.close();
  });
});

/** Averages are sums over counts, and sums of doubles depend on their order in the last digits. */
function withoutAverages({ windows = [], ...others }: Record<string, string[]>): Record<string, string[]> {
  const cut = (row: string): string =>
    row
      .split(',')
      .filter((_, i) => ![6, 9, 12].includes(i))
      .join(',');
  return { ...others, windows: windows.map(cut) };
}

function job(output: string): { master: JobMaster; taskManagers: TaskManagers } {
  const params: IotParams = {
    source: { kind: 'simulator', options: parseSimulate(SIMULATE) },
    time: 'event',
    window: { kind: 'tumbling', sizeMs: 5000 },
    outOfOrdernessMs: 5000,
    allowedLatenessMs: 0,
    idleTimeoutMs: null,
    watermarkEmit: 'on-event',
    parallelism: { source: 2, window: 2 },
    output,
    postgres: null,
    console: null,
    live: false,
    rollIntervalMs: 10_000,
  };
  const spec = { name: 'iot', params };
  const entry = pathToFileURL(`${dirname(MAIN)}/worker.js`);
  const taskManagers = new TaskManagers({ count: 2, slots: 1, entry, standby: true });
  const master = new JobMaster({
    spec,
    graph: buildJob(spec),
    taskManagers,
    clock: systemClock,
    checkpoints: {
      settings: checkpointSettings({ intervalMs: 50, retained: 2 }),
      directory: `${output}/checkpoints`,
      disk: new NodeDisk(),
      resume: { from: 'beginning' },
    },
    restart: parseRestart('fixed-delay,attempts=10,delay=10ms'),
  });
  return { master, taskManagers };
}
