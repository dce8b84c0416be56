/** Journeys on Faults and Scaling: break it, read the verdict, rescale; what is on screen is what the server's log and REST say. */

import { AxeBuilder } from '@axe-core/playwright';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FaultsView } from '#shared/faults.ts';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
let serving: Serving;
let ada: Visitor;
let bob: Visitor;

beforeAll(async () => {
  serving = await serve([
    '--simulate',
    'devices=10,rate=500,seed=1',
    '--window',
    '1s',
    '--out-of-orderness',
    '1s',
    '--parallelism',
    '2',
    '--task-managers',
    '2',
    '--checkpoint-interval',
    '300ms',
    '--restart',
    'fixed-delay,attempts=100,delay=500ms',
    '--verbose',
  ]);
  ada = await visitors.visit(`${serving.url}faults?range=1m`, { reducedMotion: 'reduce' });
  bob = await visitors.visit(`${serving.url}?range=1m`);
  for (const person of [ada, bob]) await person.live();
});

const figure = (fault: number, name: string): string =>
  `document.querySelector('[data-verdict="${fault}"] [data-figure="${name}"]').dataset.value`;

async function begin(title: string): Promise<void> {
  await ada.page.getByRole('radio', { name: title, exact: true }).check();
  await ada.page.getByRole('button', { name: title, exact: true }).click();
}

async function serious(visitor: Visitor): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page: visitor.page }).withTags(TAGS).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary}`),
    );
}

async function inBothThemes(visitor: Visitor): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await visitor.page.emulateMedia({ colorScheme });
    await visitor.until(`document.documentElement.dataset.theme === '${colorScheme}'`);
    expect(await serious(visitor), colorScheme).toEqual([]);
  }
}

describe('the Faults page', () => {
  it('kills a task manager and shows the verdict that the server has logged', async () => {
    await begin('Kill a task manager');
    const band = `__weir.marks.events.some((mark) => mark.type === 'band' && mark.of === 'fault' && mark.id === 1)`;
    await bob.until(band);
    await ada.until(`document.querySelector('[data-verdict="1"]') !== null`, 30_000);
    const view = (await (await fetch(`${serving.url}api/faults`)).json()) as FaultsView;
    const verdict = view.verdicts[0];
    expect(verdict).toMatchObject({ outcome: 'recovered', lost: 0, doubled: 0 });
    expect(serving.log).toContain(`weir: ${verdict?.text}\n`);
    expect(await ada.lane()).toContain(verdict?.text);
    for (const [name, value] of [
      ['Detected after', verdict?.detectedAfterMs],
      ['Recovered after', verdict?.recoveredAfterMs],
      ['Rows lost', 0],
      ['Rows doubled', 0],
      ['Rows replayed', verdict?.replayed],
    ] as const)
      expect(await ada.read(figure(1, name))).toBe(String(value));
  });

  it('shows what is active on every page, and Shift+X stops all of it, injections too', async () => {
    await ada.page.getByRole('radio', { name: 'Slow operator' }).check();
    await ada.page.getByRole('combobox', { name: 'Target' }).selectOption('windows');
    await ada.page.getByRole('textbox', { name: 'Strength' }).fill('5');
    await ada.page.getByRole('textbox', { name: 'Duration' }).fill('300');
    await ada.page.getByRole('button', { name: 'Slow operator', exact: true }).click();
    await ada.until('__weir.activeFaults === 1');
    await bob.inject({ title: 'Late events', strength: 5, duration: '5 min' });
    await bob.page.keyboard.press('Escape');
    await bob.page.getByRole('link', { name: '1 fault active' }).waitFor();
    await inBothThemes(ada);
    await bob.page.keyboard.press('Shift+X');
    for (const person of [ada, bob]) await person.until('__weir.activeFaults === 0 && __weir.runningInjections === 0');
    await ada.until(`document.querySelector('[data-verdict="2"]') !== null`, 60_000);
  });

  it('asks once more before all threads are killed, and says what a killed server means', async () => {
    await begin('Kill all task managers');
    expect(await ada.page.getByRole('alert').filter({ hasText: 'Press again' }).count()).toBe(1);
    await ada.page.getByRole('button', { name: 'Leave it' }).click();
    await ada.page.getByRole('radio', { name: 'Kill the server' }).check();
    expect(await ada.page.getByTestId('fault-preview').textContent()).toContain('nobody starts it again');
    expect(await ada.read('__weir.activeFaults')).toBe(0);
  });

  it('works by keyboard alone, and at 320 px without a second direction to scroll', async () => {
    const phone = await visitors.visit(`${serving.url}faults`, { viewport: { width: 320, height: 800 } });
    await phone.live();
    await phone.page.getByRole('radio', { name: 'Hang a task manager' }).focus();
    await phone.page.keyboard.press('ArrowUp');
    await phone.page.keyboard.press('ArrowUp');
    expect(await phone.page.getByRole('radio', { name: 'Kill a task manager' }).isChecked()).toBe(true);
    await phone.page.getByRole('textbox', { name: 'Expected to recover within' }).focus();
    await phone.page.keyboard.type('60');
    await phone.page.keyboard.press('Enter');
    await phone.until(`document.querySelector('[data-verdict="3"]') !== null`, 30_000);
    expect(await phone.page.locator('[data-verdict="3"]').textContent()).toContain('as expected');
    for (const path of ['faults', 'scaling']) {
      await phone.page.goto(`${serving.url}${path}`);
      await phone.live();
      expect(await phone.read('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
    }
    expect(await phone.troubles()).toEqual([]);
    await phone.context.close();
  });
});

describe('the Scaling page', () => {
  it('rescales the window operator, says before what it costs and behind what it has cost', async () => {
    await ada.page.keyboard.press('g');
    await ada.page.keyboard.press('a');
    const field = ada.page.getByRole('textbox', { name: /^Subtasks of windows/ });
    await field.fill('500');
    expect(await ada.page.getByText('Its max parallelism is 128.').count()).toBe(1);
    await field.fill('2');
    await field.press('+');
    await ada.page.getByTestId('scaling-cost').getByText('the job stands').waitFor();
    await inBothThemes(ada);
    await ada.page.getByRole('button', { name: 'Apply 1 change (1 restart)' }).click();
    await ada.until(`Number(document.querySelector('[data-rescale="1"] [data-gap]').dataset.gap) > 0`, 30_000);
    const gap = await ada.read<string>(`document.querySelector('[data-rescale="1"] [data-gap]').dataset.gap`);
    expect(serving.log).toMatch(
      new RegExp(`^weir: Rescale #1 is done: windows .* from 2 to 3, gap ${gap} ms\\.$`, 'm'),
    );
    await ada.until(`document.querySelector('[data-task="windows"] [data-parallelism]').dataset.parallelism === '3'`);
    await ada.until(`document.querySelector('[data-rescale="1"]').dataset.phase === 'done'`, 30_000);
    // The next one is foretold by it.
    await field.press('+');
    await ada.page.getByTestId('scaling-cost').getByText('estimate: the middle of the last 1 change').waitFor();
    const jobs = (await (await fetch(`${serving.url}v1/jobs`)).json()) as { jobs: { id: string }[] };
    const told = await (await fetch(`${serving.url}api/jobs/${jobs.jobs[0]?.id}/parallelism`)).json();
    expect(told).toMatchObject({ tasks: [{}, { id: 'windows', parallelism: 3 }] });
    for (const person of [ada, bob]) expect(await person.troubles()).toEqual([]);
  });
});
