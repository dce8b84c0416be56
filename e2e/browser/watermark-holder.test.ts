import { describe, expect, it } from 'vitest';
import { serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();

const LINE = `document.querySelector('[data-testid="watermark-holder"]').textContent`;

/** What the line under the graph says once it names somebody. */
async function named(visitor: Visitor): Promise<string> {
  await visitor.until(`${LINE}.includes('Held back by')`, 30_000);
  return visitor.read<string>(LINE);
}

describe('who holds the watermark back', () => {
  it('is named while a split is silent, in the line, the table and the verdict, and nobody is before and after', async () => {
    // Two devices in two splits: one device offline is one split silent.
    const serving = await serve([
      '--simulate',
      'devices=2,splits=2,rate=100,seed=1',
      '--window',
      '1s',
      '--out-of-orderness',
      '1s',
      '--idle-timeout',
      '5m',
    ]);
    const ada = await visitors.visit(`${serving.url}?range=1m`);
    await ada.live();
    await ada.until(`${LINE}.includes('Every split moves on')`);
    await ada.inject({ title: 'Offline devices', strength: 1, duration: '5 min' });
    const line = await named(ada);
    expect(line).toMatch(
      /Held back by readings, subtask \d, split simulator-0, device device-\d: no events for \d+ s, since \d\d:\d\d:\d\d\.$/,
    );

    await ada.page.getByRole('button', { name: 'Show as table' }).click();
    const cell = (operator: string): Promise<string | null> =>
      ada.page
        .getByRole('row', { name: new RegExp(`^${operator} `) })
        .locator('td')
        .nth(7)
        .textContent();
    expect(await cell('windows window')).toMatch(
      /^readings, subtask \d, split simulator-0, device device-\d: no events for \d+ s, since \d\d:\d\d:\d\d$/,
    );
    expect(await cell('validate process')).toBe('–');

    // The allowance of the verdict: bound, window and 10 s.
    await ada.until(
      `document.querySelector('[data-testid="verdict"]').textContent.includes('split simulator-0')`,
      60_000,
    );
    expect(await ada.page.getByRole('heading', { level: 1 }).textContent()).toContain('The watermark lags behind');

    await ada.breakIt.getByRole('button', { name: /^Stop .*#\d+$/ }).click();
    await ada.until(`${LINE}.includes('Every split moves on')`, 30_000);
    expect(await ada.troubles()).toEqual([]);
    await ada.context.close();
    await serving.stop('SIGTERM');
  });

  it('keeps the others near it with watermark alignment, and the page shows who waits, how far ahead it is, and that it goes on', async () => {
    const serving = await serve([
      '--simulate',
      'devices=2,splits=2,rate=100,seed=1',
      '--window',
      '1s',
      '--out-of-orderness',
      '1s',
      '--idle-timeout',
      '5m',
      '--watermark-alignment',
      '3s',
    ]);
    const ada = await visitors.visit(`${serving.url}?range=1m`);
    await ada.live();
    const panel = ada.page.getByRole('region', { name: 'Watermark alignment' }).first();
    const table = `[...document.querySelectorAll('section')].find((e) => e.querySelector('h2')?.textContent === 'Watermark alignment')`;
    const inState = (state: string, n: number): string =>
      `${table}.querySelectorAll('[data-state="${state}"]').length === ${n}`;
    expect(await panel.textContent()).toContain('a source may be 3 s ahead of the slowest, then it waits');
    await ada.until(inState('reading', 2));
    await ada.inject({ title: 'Offline devices', strength: 1, duration: '5 min' });
    await ada.until(inState('waiting for the others', 1), 30_000);
    const states = await panel
      .locator('tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? '')));
    expect(states).toHaveLength(2);
    const waiting = states.find(([, , state]) => state?.includes('waiting'));
    expect(waiting?.[0]).toMatch(/^readings #[12]$/);
    expect(waiting?.[1]).toBe('simulator-1');
    expect(waiting?.[3]).toMatch(/^[3-9]\.\d s ahead$/);
    // The one that is silent is named; the one that waits for it is not.
    expect(await named(ada)).toContain('split simulator-0');
    await ada.breakIt.getByRole('button', { name: /^Stop .*#\d+$/ }).click();
    await ada.until(inState('reading', 2), 30_000);
    expect(await ada.troubles()).toEqual([]);
    await ada.context.close();
    await serving.stop('SIGTERM');
  });

  it('is nobody once all are idle, or the input has ended, or time is processing time', async () => {
    const idle = await serve([
      '--simulate',
      'devices=2,splits=2,rate=100,seed=1',
      '--window',
      '1s',
      '--idle-timeout',
      '1s',
    ]);
    const ada = await visitors.visit(idle.url);
    await ada.live();
    await ada.inject({ title: 'Offline devices', strength: 2, duration: '5 min' });
    await ada.until(`${LINE}.includes('All splits are idle')`, 30_000);
    await ada.context.close();
    await idle.stop('SIGTERM');

    const ended = await serve(['--simulate', 'devices=2,events=100,seed=1', '--window', '1s']);
    const bob = await visitors.visit(ended.url);
    await bob.live();
    await bob.until(`${LINE}.includes('The input has ended')`, 30_000);
    await bob.context.close();
    await ended.stop('SIGTERM');

    const processing = await serve([
      '--simulate',
      'devices=2,rate=100,seed=1',
      '--window',
      '1s',
      '--time',
      'processing',
    ]);
    const eve = await visitors.visit(processing.url);
    await eve.live();
    await eve.until(`document.body.textContent.includes('processing time')`);
    expect(await eve.page.getByTestId('watermark-holder').count()).toBe(0);
    await eve.context.close();
    await processing.stop('SIGTERM');
  });
});
