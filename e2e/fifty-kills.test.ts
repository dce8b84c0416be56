/** Nothing lost and nothing doubled by fifty kills, whatever they hit: what is committed in the end is what an undisturbed run has committed. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { IOT } from '#jobs/iot.ts';
import { iotInThreads } from './iot-in-threads.ts';
import { filesIn, KILLED, SIMULATE, serveKilled, serveToEnd } from './killed-server.ts';
import { committedRows } from './recovery.ts';
import { scratchPath } from './weir.ts';

const KILLS = 50;
/** Every wait here is for something that comes at once, unless it hangs. */
const PATIENCE = { timeout: 60_000, interval: 2 };

let expected: Record<string, string[]>;
beforeAll(async () => {
  const output = scratchPath('undisturbed');
  expect(await serveToEnd([...KILLED, '--output', output, '--parallelism', '1'])).toBe('FINISHED');
  expected = committedRows(output);
  for (const rows of Object.values(expected)) expect(rows.length).toBeGreaterThan(1000);
});

describe('fifty kills', () => {
  it('FS2 of the server cost neither windows nor errors nor late events, and double none, whatever the parallelism of the windows is each time', async () => {
    const output = scratchPath('killed');
    const checkpoints = join(output, 'checkpoints');
    const inProgress = (): boolean => filesIn(join(output, 'windows')).some((name) => name.endsWith('.inprogress'));
    const { moments, said, state } = await serveKilled({
      flags: (attempt) => [...KILLED, '--output', output, '--parallelism', `source=1,window=${1 + (attempt % 3)}`],
      checkpoints,
      kills: KILLS,
      seed: 1,
      begun: inProgress,
    });
    expect([moments.length, state]).toEqual([KILLS, 'FINISHED']);
    expect(said[1]).toContain('Starting from the beginning: there is no checkpoint');
    const goneOn = said.flatMap((text) => /Going on from checkpoint (\d+)/.exec(text)?.[1] ?? []);
    expect(new Set(goneOn).size).toBeGreaterThan(KILLS / 5);
    expect(committedRows(output)).toEqual(expected);
    // Nothing of all the attempts is left but what is kept on purpose.
    expect(filesIn(join(checkpoints, 'iot')).filter((name) => !/^(chk-\d+|shared)$/.test(name))).toEqual([]);
    expect(filesIn(join(checkpoints, 'iot')).filter((name) => name.startsWith('chk-')).length).toBeLessThanOrEqual(2);
  });

  it('SR1 of task managers, running and while they restart, cost nothing and double nothing', async () => {
    const output = scratchPath('threads');
    // The same job in this process: its source in one thread, windows in two.
    const { master, taskManagers } = iotInThreads({
      simulate: SIMULATE,
      windowMs: 1000,
      sources: 1,
      output,
      attempts: 1000,
    });
    const random = new Random(2);
    const completed = (): number => master.checkpoints?.counts.completed ?? 0;
    await master.start();
    for (let kill = 0; kill < KILLS; kill++) {
      // One in four hits a job that is being restarted.
      if (kill % 4 !== 3) {
        const before = completed();
        await expect.poll(() => master.state === 'RUNNING' && completed() > before, PATIENCE).toBe(true);
        await sleep(random.next() * 30);
      }
      expect(['RUNNING', 'RESTARTING']).toContain(master.state);
      taskManagers.kill(random.below(2), 'the test killed it');
      await expect.poll(() => master.state, PATIENCE).toBe('RESTARTING');
    }
    await expect.poll(() => master.state, PATIENCE).toBe('RUNNING');
    master.control(IOT.source, { type: 'settings', rate: null });
    expect(await master.done).toBe('FINISHED');
    expect(master.failures.total).toBeGreaterThan(KILLS / 2);
    expect(master.failures.latest[0]?.message).toMatch(/^Task manager \d is lost: the test killed it\.$/);
    await taskManagers.close();
    expect(committedRows(output)).toEqual(expected);
  });
});
