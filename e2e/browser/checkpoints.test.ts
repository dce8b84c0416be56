import { describe, expect, it } from 'vitest';
import { formatSize } from '../../shared/quantities.ts';
import type { StateSizes } from '../../shared/state-sizes.ts';
import { serve } from './serving.ts';
import { withVisitors } from './visitor.ts';

const visitors = withVisitors();

interface Checkpoints {
  counts: { completed: number; failed: number };
  history: { id: number; status: string; is_savepoint: boolean; external_path?: string }[];
}

/** As a program reads them. */
async function checkpointsOf(url: string): Promise<Checkpoints> {
  const { jobs } = await json<{ jobs: { id: string }[] }>(`${url}v1/jobs`);
  return json<Checkpoints>(`${url}v1/jobs/${jobs[0]?.id}/checkpoints`);
}

async function json<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

const ROW = (id: number): string => `document.querySelector('[data-row="${id}"]')?.textContent ?? ''`;

describe('the page Checkpoints', () => {
  it('takes a checkpoint and shows its subtasks, takes a savepoint, and stops the job behind one; all as the server has it', async () => {
    const serving = await serve([
      '--simulate',
      'devices=5,rate=100,seed=1',
      '--window',
      '1s',
      '--checkpoint-interval',
      '1h',
      '--state-alert',
      '1kB',
    ]);
    const ada = await visitors.visit(serving.url);
    await ada.live();
    await ada.goTo('Checkpoints');
    const page = ada.page;

    // One is taken when the job starts to run, or none yet: what counts is the one that was asked for.
    const before = (await checkpointsOf(serving.url)).history[0]?.id ?? 0;
    await page.getByRole('button', { name: 'Take a checkpoint' }).click();
    const first = before + 1;
    await ada.until(`(${ROW(first)}).includes('completed')`, 30_000);
    await ada.until(`document.querySelector('[data-testid="checkpoint-shown"]').dataset.id === '${first}'`);
    const subtasks = page.getByRole('region', { name: 'Subtasks of the checkpoint, scrolls' }).locator('tbody tr');
    expect(await subtasks.count()).toBe(4);
    const statuses = await page.locator(`[data-checkpoint="${first}"]`).getAttribute('data-status');
    expect(statuses).toBe('COMPLETED');

    await page.getByRole('button', { name: 'Take a savepoint' }).click();
    await ada.until(`(${ROW(first + 1)}).includes('savepoint')`, 30_000);
    await ada.until(`(${ROW(first + 1)}).includes('completed')`, 30_000);
    const { history } = await checkpointsOf(serving.url);
    const savepoint = history.find(({ id }) => id === first + 1);
    expect(savepoint?.is_savepoint).toBe(true);
    expect(await page.locator(`[data-row="${first + 1}"]`).textContent()).toContain(savepoint?.external_path);
    expect((await ada.lane()).some((line) => line.startsWith(`Savepoint ${first + 1} is in `))).toBe(true);

    // The state, key group by key group, is what the server says of the last one.
    const { jobs } = await json<{ jobs: { id: string }[] }>(`${serving.url}api/jobs`);
    const sizes = await json<StateSizes>(`${serving.url}api/jobs/${jobs[0]?.id}/state`);
    expect([sizes.checkpoint, sizes.operators.map(({ id }) => id)]).toEqual([first + 1, ['windows']]);
    const { bytes, groups } = sizes.operators[0] as StateSizes['operators'][number];
    expect(groups.length).toBeGreaterThan(1);
    await ada.until(`document.querySelector('[data-state="windows"] [data-bytes]').dataset.bytes === '${bytes}'`);
    expect(await page.locator('[data-state="windows"] [data-bytes]').textContent()).toBe(formatSize(bytes));
    expect(await page.locator('[data-state="windows"]').textContent()).toContain(`${groups.length} of 128`);
    await ada.until(`document.querySelector('[data-state="windows"]').textContent.includes('▲')`);
    expect((await ada.lane()).some((line) => line.startsWith('State of windows has grown beyond 1000 B: '))).toBe(true);

    // Pinned: the newest does not take its place.
    await page.getByRole('button', { name: `Show the subtasks of checkpoint ${first}`, exact: true }).click();
    await ada.until(`document.querySelector('[data-testid="checkpoint-shown"]').dataset.id === '${first}'`);
    await page.getByRole('button', { name: /^Pinned to/ }).click();
    await ada.until(`document.querySelector('[data-testid="checkpoint-shown"]').dataset.id !== '${first}'`);

    await page.getByRole('button', { name: /^Stop with savepoint/ }).click();
    await page.getByRole('button', { name: 'Stop the job', exact: true }).click();
    await ada.until(`document.querySelector('header').textContent.includes('FINISHED')`, 30_000);
    await ada.until(`(${ROW(first + 2)}).includes('the job stopped')`, 30_000);
    expect(await page.getByRole('button', { name: 'Take a checkpoint' }).isDisabled()).toBe(true);
    const end = await checkpointsOf(serving.url);
    await ada.until(`document.body.textContent.includes('${end.counts.completed} of ')`);
    const path = end.history[0]?.external_path as string;
    expect(await ada.troubles()).toEqual([]);
    await serving.stop('SIGTERM');

    // Somebody goes on from it.
    const resumed = await serve(['--simulate', 'devices=5,rate=100,seed=1', '--window', '1s', '--resume', path]);
    const bob = await visitors.visit(`${resumed.url}checkpoints`);
    await bob.live();
    await bob.until(`document.body.textContent.includes('#${first + 2} at')`, 30_000);
    expect((await bob.lane()).some((line) => line.includes(`Going on from checkpoint ${first + 2}.`))).toBe(true);
    expect(await bob.troubles()).toEqual([]);
    await ada.context.close();
    await bob.context.close();
    await resumed.stop('SIGTERM');
  });

  it('says why there are none', async () => {
    const serving = await serve(['--simulate', 'devices=5,rate=100,seed=1', '--checkpoint-interval', 'off']);
    const ada = await visitors.visit(`${serving.url}checkpoints`);
    await ada.live();
    await ada.until(`document.body.textContent.includes('This job takes no checkpoints')`);
    expect(await ada.troubles()).toEqual([]);
    await ada.context.close();
    await serving.stop('SIGTERM');
  });
});
