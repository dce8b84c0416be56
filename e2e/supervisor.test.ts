/** A served job outlasts its server: whatever kills the process, the supervisor starts it again, and the job goes on where it was. */

import { describe, expect, it } from 'vitest';
import type { FaultsView, FaultVerdict } from '#shared/faults.ts';
import { committedRows } from './recovery.ts';
import { PATIENCE, supervised } from './supervised.ts';
import { scratchPath, weir } from './weir.ts';

const SIMULATE = 'devices=200,rate=max,events=1M,seed=5,disorder=exp:2s,malformed=0.001,late=0.01';
describe('a supervised server', () => {
  it('that is killed comes back at the same address, and the job ends with the rows of an undisturbed one', async () => {
    const undisturbed = scratchPath('undisturbed');
    const flags = ['--simulate', SIMULATE, '--parallelism', '1'];
    await weir(['run', 'iot', ...flags, '--output', undisturbed]);
    const output = scratchPath('supervised');
    const one = supervised(...flags, '--output', output, '--checkpoint-interval', '50ms');
    let kills = 0;
    for (; kills < 4; kills++) {
      await expect.poll(() => one.urls.length, PATIENCE).toBe(kills + 1);
      // What is killed right away has to be right as well.
      if (kills % 2 === 0) await expect.poll(() => one.completed(), PATIENCE).toBeGreaterThan(0);
      if ((await one.job())?.state === 'FINISHED') break;
      process.kill(one.server as number, kills === 1 ? 'SIGABRT' : 'SIGKILL');
      await expect.poll(() => one.said.match(/starting it again/g)?.length ?? 0, PATIENCE).toBe(kills + 1);
    }
    await expect.poll(async () => (await one.job())?.state, PATIENCE).toBe('FINISHED');
    expect(kills).toBeGreaterThan(1);
    expect(new Set(one.urls).size).toBe(1);
    expect(one.said).toContain('weir: the server was killed by SIGKILL; starting it again in ');
    expect(committedRows(output)).toEqual(committedRows(undisturbed));
    one.process.kill('SIGTERM');
    expect(await one.ended).toBe(0);
    expect(one.server).toBe(null);
  });

  it('that a fault kills gives its verdict when it is back: detected, recovered, and what became of the rows', async () => {
    const one = supervised('--simulate', 'devices=10,rate=1000,seed=1', '--checkpoint-interval', '300ms');
    await expect.poll(() => one.urls.length, PATIENCE).toBe(1);
    await expect.poll(() => one.completed(), PATIENCE).toBeGreaterThan(0);
    const url = `${one.urls[0]}api/faults`;
    const headers = { 'content-type': 'application/json' };
    const asked = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ kind: 'kill-server' }) });
    expect(asked.status).toBe(200);
    const verdicts = async (): Promise<readonly FaultVerdict[]> => {
      const answer = await fetch(url).catch(() => null);
      return ((await answer?.json()) as FaultsView | undefined)?.verdicts ?? [];
    };
    await expect.poll(async () => (await verdicts()).length, PATIENCE).toBe(1);
    const [verdict] = (await verdicts()) as [FaultVerdict];
    expect(verdict).toMatchObject({
      fault: { id: 1, kind: 'kill-server' },
      outcome: 'recovered',
      sign: 'The server was killed by SIGKILL.',
      restarts: 1,
      lost: 0,
      doubled: 0,
    });
    const { detectedAfterMs, recoveredAfterMs, restoredFrom, auditedAt, emitted } = verdict;
    expect(recoveredAfterMs).toBeGreaterThan(detectedAfterMs as number);
    expect(auditedAt).toBeGreaterThan(restoredFrom as number);
    expect(emitted).toBeGreaterThan(0);
    expect(verdict.rateBefore).toBeGreaterThan(0);
  });

  it('ends with its supervisor, so that nothing is left that nobody can stop', async () => {
    const one = supervised('--simulate', 'devices=2,rate=10');
    await expect.poll(() => one.urls.length, PATIENCE).toBe(1);
    const { server } = one;
    one.process.kill('SIGKILL');
    await one.ended;
    await expect.poll(() => alive(server as number), PATIENCE).toBe(false);
  });

  it('is not started again where it could not start: a wrong flag, a directory that another one uses', async () => {
    const wrong = supervised('--simulate', 'devices=none');
    expect(await wrong.ended).toBe(2);
    const directory = scratchPath('checkpoints');
    const flags = ['--simulate', 'devices=2,rate=10', '--checkpoint-dir', directory];
    const first = supervised(...flags);
    await expect.poll(() => first.urls.length, PATIENCE).toBe(1);
    await expect.poll(async () => (await first.job())?.state, PATIENCE).toBe('RUNNING');
    const second = supervised(...flags);
    expect(await second.ended).toBe(1);
    expect(second.said).toMatch(/checkpoints.*(uses|used|use)/i);
    expect(second.said).not.toContain('starting it again');
    expect((await first.job())?.state).toBe('RUNNING');
  });

  it('refuses what it could not go on with', async () => {
    for (const [flags, says] of [
      [['--checkpoint-interval', 'off'], '--supervise needs checkpoints'],
      [['--input', '-', '--format', 'csv'], '--supervise cannot start a job on standard input again'],
    ] as const) {
      const { code, stderr } = await weir(['serve', '--supervise', ...flags]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
    }
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
