import { beforeAll, describe, expect, it } from 'vitest';
import type { SavepointsView } from '../../shared/savepoints.ts';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
let serving: Serving;
let ada: Visitor;

beforeAll(async () => {
  serving = await serve(['--simulate', 'devices=10,rate=300,seed=1', '--window', '1s', '--out-of-orderness', '1s']);
  ada = await visitors.visit(`${serving.url}savepoints`);
  await ada.live();
});

const button = (name: string) => ada.page.getByRole('button', { name, exact: true });
const rows = `document.querySelectorAll('tr[data-savepoint]').length`;

async function asked<T>(path: string): Promise<T> {
  return (await (await fetch(`${serving.url}api/${path}`)).json()) as T;
}

async function job(): Promise<{ id: string; status: string }> {
  const { jobs } = await asked<{ jobs: { id: string; status: string }[] }>('jobs');
  return jobs[0] as { id: string; status: string };
}

describe('savepoints', () => {
  it('one takes one and looks into it: what the page says is what the server has', async () => {
    await ada.page.getByText(/^No savepoints\./).waitFor();
    await button('Take a savepoint').click();
    await ada.until(`${rows} === 1 && document.querySelector('tr[data-task]')`);
    const [kept] = (await asked<SavepointsView>('savepoints')).savepoints;
    const { tasks } = await asked<{ tasks: { name: string; bytes: number }[] }>(`savepoints/${kept?.name}`);
    const shown = await ada.read<{ name: string; bytes: number }>(
      `(({ dataset, cells }) => ({ name: dataset.savepoint, bytes: Number(cells[4].dataset.bytes) }))(document.querySelector('tr[data-savepoint]'))`,
    );
    expect(shown).toEqual({ name: kept?.name, bytes: kept?.bytes });
    expect(
      await ada.read(
        `[...document.querySelectorAll('tr[data-task]')].map(({ dataset, cells }) => ({ name: dataset.task, bytes: Number(cells[3].dataset.bytes) }))`,
      ),
    ).toEqual(tasks.map(({ name, bytes }) => ({ name, bytes })));
    expect(tasks.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(kept?.bytes);
  });

  it('one stops the job behind one and goes on from it, on the same page', async () => {
    const { loadId } = await ada.probe();
    const before = await job();
    await button('Stop with savepoint …').click();
    await button('Stop the job').click();
    await ada.until(`${rows} === 2 && document.querySelector('tr[data-task]')`);
    expect(await job()).toEqual({ id: before.id, status: 'FINISHED' });
    await expect.poll(() => button('Take a savepoint').isDisabled()).toBe(true);
    const [newest] = (await asked<SavepointsView>('savepoints')).savepoints;
    const { epoch } = await ada.probe();
    await button('Resume from it').click();
    await ada.until(`__weir.epoch !== '${epoch}' && __weir.state === 'live'`);
    await expect.poll(async () => (await job()).status, { timeout: 10_000 }).toBe('RUNNING');
    const after = await job();
    expect(after.id).not.toBe(before.id);
    const { latest } = await asked<{ latest: { restored: { external_path: string } } }>(`jobs/${after.id}/checkpoints`);
    expect(latest.restored.external_path).toBe(newest?.path);
    expect((await ada.probe()).loadId).toBe(loadId);
    expect(await ada.read(rows)).toBe(2);
  });

  it('one disposes of one, having typed the end of its name', async () => {
    const [, oldest] = (await asked<SavepointsView>('savepoints')).savepoints;
    const name = oldest?.name as string;
    await button(name).click();
    await button('Dispose …').click();
    const sure = button('Dispose of it for good');
    expect(await sure.isDisabled()).toBe(true);
    await ada.page.getByRole('textbox', { name: /^Type the end of its name/ }).fill(name.slice(-4));
    await sure.click();
    await ada.until(`${rows} === 1`);
    expect((await asked<SavepointsView>('savepoints')).savepoints.map((row) => row.name)).not.toContain(name);
    expect(await ada.troubles()).toEqual([]);
  });

  it('without a connection it keeps what it shows, and offers nothing', async () => {
    await ada.context.setOffline(true);
    await ada.until(`__weir.state !== 'live'`);
    expect(await ada.read(rows)).toBe(1);
    expect(await button('Take a savepoint').isDisabled()).toBe(true);
    await ada.context.setOffline(false);
    await ada.live();
    await expect.poll(() => button('Take a savepoint').isDisabled()).toBe(false);
  });
});
