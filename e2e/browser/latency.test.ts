import { describe, expect, it } from 'vitest';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
const STALL_MS = 1500;

interface Second {
  p50: number;
  p95: number;
  p99: number;
}

/** `0.4 ms`, `1.3 s` in milliseconds; NaN for none. */
function milliseconds(text: string): number {
  const [, number = '', unit = ''] = /^<?([\d.]+) (ms|s)$/.exec(text) ?? [];
  return number === '' ? Number.NaN : Number(number) * (unit === 's' ? 1000 : 1);
}

/** The strip's seconds that have results, newest first. */
async function latencies(visitor: Visitor): Promise<Second[]> {
  const rows = await visitor.tableOf('Latency');
  return rows
    .map((cells) => cells.map(milliseconds) as [number, number, number])
    .filter(([p50]) => !Number.isNaN(p50))
    .map(([p50, p95, p99]) => ({ p50, p95, p99 }));
}

async function newest(visitor: Visitor, says: (second: Second) => boolean): Promise<Second> {
  let last: Second | undefined;
  await expect
    .poll(
      async () => {
        [last] = await latencies(visitor);
        return last !== undefined && says(last);
      },
      { timeout: 30_000, interval: 250 },
    )
    .toBe(true);
  return last as Second;
}

describe('latency on the Overview', () => {
  it('fills the strip with window results and every node with markers, in numbers that make sense', async () => {
    const serving = await serve([
      '--simulate',
      'devices=20,rate=2000,seed=1',
      '--window',
      '1s',
      '--out-of-orderness',
      '1s',
    ]);
    const ada = await visitors.visit(`${serving.url}?range=1m`);
    await ada.live();
    await newest(ada, () => true);
    // A watermark comes every 200 ms, and the machine may be busy; the 1 s of the bound is not in it.
    const seconds = await latencies(ada);
    for (const { p50, p95, p99 } of seconds) {
      expect(p50).toBeGreaterThanOrEqual(0);
      expect(p95).toBeGreaterThanOrEqual(p50);
      expect(p99).toBeGreaterThanOrEqual(p95);
    }
    expect(Math.min(...seconds.map((s) => s.p50))).toBeLessThan(1000);

    const words = (operator: string) => `document.querySelector('[data-latency="${operator}"]').textContent`;
    for (const operator of ['validate', 'watermarks', 'windows', 'results-live', 'errors-live', 'late-live']) {
      await ada.until(`/^p50 <?[\\d.]+( m?s)? · p99 <?[\\d.]+ m?s$/.test(${words(operator)})`);
    }
    expect(await ada.read<string>(words('readings'))).toBe('latency from here');
    await ada.page.getByRole('button', { name: 'Show as table' }).click();
    const row = ada.page.getByRole('row', { name: /^windows window/ });
    const p99 = milliseconds((await row.locator('td').nth(10).textContent()) ?? '');
    expect(p99).toBeGreaterThan(0);
    expect(p99).toBeLessThan(5000);
    expect(await ada.troubles()).toEqual([]);
    await ada.context.close();
    await serving.stop('SIGTERM');
  });

  it('rises when the job is held up, and falls again', async () => {
    // So short that every watermark lets windows go.
    const serving = await serve([
      '--simulate',
      'devices=20,rate=2000,seed=1',
      '--window',
      '100ms',
      '--out-of-orderness',
      '0s',
    ]);
    const ada = await visitors.visit(`${serving.url}?range=1m`);
    await ada.live();
    await newest(ada, ({ p99 }) => p99 < STALL_MS / 2);
    // Of a busy machine some may be so already. The table keeps a minute, so that none is missed.
    const high = async () => (await latencies(ada)).filter(({ p99 }) => p99 >= STALL_MS * 0.9).length;
    const before = await high();
    // It may be held up at a moment when no event is on its way: then nothing is late, and it is held up again.
    for (let attempt = 0; attempt < 5 && (await high()) <= before; attempt++) {
      await heldUp(serving);
      const end = Date.now() + 6000;
      while (Date.now() < end && (await high()) <= before)
        await ada.until(`__weir.newestSecond > ${(await ada.probe()).newestSecond}`);
    }
    expect(await high()).toBeGreaterThan(before);
    await newest(ada, ({ p99 }) => p99 < STALL_MS / 2);
    await ada.context.close();
    await serving.stop('SIGTERM');
  });

  it('says so while there is no result, though markers go by', async () => {
    const serving = await serve(['--simulate', 'devices=20,rate=200,seed=1', '--window', '1d']);
    const ada = await visitors.visit(`${serving.url}?range=1m`);
    await ada.live();
    await ada.until(`document.querySelector('[data-latency="windows"]').textContent.startsWith('p50')`);
    await ada.until(`/p50: no data/.test(document.querySelector('[aria-label^="Latency"][role=img]').ariaLabel)`);
    expect(await latencies(ada)).toEqual([]);
    await ada.context.close();
    await serving.stop('SIGTERM');
  });
});

/** The cause itself takes that long; nothing is waited for. */
async function heldUp(serving: Serving): Promise<void> {
  serving.standStill();
  await new Promise((resolve) => setTimeout(resolve, STALL_MS));
  serving.goOn();
}
