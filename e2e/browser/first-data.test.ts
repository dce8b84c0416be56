import { beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serve } from './serving.ts';
import { withVisitors } from './visitor.ts';

const visitors = withVisitors();
let serving: Serving;

/** The graph has numbers and the strip has a line. */
const MEANINGFUL = `window.__weir?.paintedSeq >= 1 && __weir.marks.events !== undefined && __weir.newestSecond !== null
  && [...document.querySelectorAll('[aria-label=Operators] li')].some((li) => /[1-9][\\d.]*k? records/.test(li.innerText))`;
/** Told by the page itself, from the start of the navigation. */
const TIMED = `new Promise((done) => {
  const look = () => { if (${MEANINGFUL}) done(performance.now()); else requestAnimationFrame(look); };
  look();
})`;

beforeAll(async () => {
  serving = await serve(['--simulate', 'devices=24,rate=1000,seed=1,disorder=exp:300ms,malformed=0.01']);
});

interface TickFrame {
  seq: number;
  serverTime: number;
}

describe('opening the dashboard', () => {
  it('shows a graph with numbers and a moving strip within 2 s, and within 1 s the next time', async () => {
    // The job itself has to have a second of history first.
    const before = await visitors.visit(serving.url);
    await before.until(MEANINGFUL);
    await before.context.close();

    const visitor = await visitors.visit(serving.url);
    expect(await visitor.read<number>(TIMED)).toBeLessThan(2000);
    const first = await visitor.probe();
    await visitor.until(`__weir.paintedSeq > ${first.paintedSeq} && __weir.newestSecond > ${first.newestSecond}`);

    const again: number[] = [];
    for (let i = 0; i < 3; i++) {
      await visitor.page.reload({ waitUntil: 'commit' });
      again.push(await visitor.read<number>(TIMED));
    }
    expect(Math.min(...again)).toBeLessThan(1000);
    expect(await visitor.troubles()).toEqual([]);
    await visitor.context.close();
  });

  it('gets at most one tick per 100 ms, at most 12 frames a second, and paints without moving its layout', async () => {
    const frames: { at: number; text: string }[] = [];
    const visitor = await visitors.visit('about:blank');
    visitor.page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => frames.push({ at: Date.now(), text: String(payload) })),
    );
    await visitor.page.goto(serving.url);
    await visitor.live();
    const from = await visitor.probe();
    await visitor.until(`__weir.seq >= ${from.seq + 30}`);

    const ticks = frames
      .filter(({ text }) => text.startsWith('42["tick",'))
      .map(({ text }) => (JSON.parse(text.slice(2)) as [string, TickFrame])[1]);
    expect(ticks.length).toBeGreaterThan(20);
    for (const [i, tick] of ticks.slice(1).entries()) {
      expect(tick.seq).toBeGreaterThan(ticks[i]?.seq ?? 0);
      // A timer may fire a millisecond early by the clock.
      expect(tick.serverTime - (ticks[i]?.serverTime ?? 0)).toBeGreaterThanOrEqual(98);
    }
    const seconds = ((frames.at(-1)?.at ?? 0) - (frames[0]?.at ?? 0)) / 1000;
    expect(frames.length / seconds).toBeLessThanOrEqual(12);
    expect(await visitor.read<number>('__witness.shift')).toBeLessThan(0.02);
    expect(await visitor.troubles()).toEqual([]);
    await visitor.context.close();
  });

  it('allows no inline script and no other origin', async () => {
    const answer = await fetch(serving.url);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/script-src 'self'(;|$)/);
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(policy).toContain("default-src 'self'");
  });

  it('freezes everything on pause, goes on receiving, and catches up on resume', async () => {
    const visitor = await visitors.visit(serving.url);
    await visitor.live();
    await visitor.until('__weir.newestSecond !== null');
    const texts = `[document.querySelector('[aria-label=Operators]').innerText, document.querySelector('dl').innerText].join('|')`;
    await visitor.page.getByRole('button', { name: 'Pause' }).click();
    await visitor.until('__weir.paused');
    const frozen = await visitor.read<string>(texts);
    const paused = await visitor.probe();
    await visitor.until(`__weir.seq > ${paused.seq + 15} && __weir.newestSecond > ${paused.newestSecond}`);
    expect(await visitor.read<string>(texts)).toBe(frozen);
    expect((await visitor.probe()).paintedSeq).toBeLessThanOrEqual(paused.paintedSeq + 1);
    await visitor.page.getByRole('button', { name: 'Resume' }).click();
    await visitor.until(`!__weir.paused && __weir.paintedSeq > ${paused.seq + 15}`);
    expect(await visitor.read<string>(texts)).not.toBe(frozen);
    await visitor.context.close();
  });

  it('keeps what a link says: range, filters, pins; and Back works', async () => {
    const visitor = await visitors.visit(`${serving.url}?range=1m`);
    const checked = (name: string) => visitor.page.getByRole('radio', { name, exact: true }).isChecked();
    await visitor.live();
    expect(await checked('1 min')).toBe(true);
    await visitor.goTo('Errors & late');
    expect(visitor.page.url()).toContain('/errors?range=1m');
    await visitor.page.goBack();
    await visitor.until(`location.pathname === '/' && document.querySelector('[aria-label=Operators]')`);

    await visitor.page.goto(`${serving.url}windows?dev=device-3&dev=device-5&metric=humidity`);
    await visitor.page.getByRole('button', { name: 'Unpin device-5' }).waitFor();
    expect(await checked('Humidity')).toBe(true);
    await visitor.page.goto(`${serving.url}errors?reason=malformed_json&q=nothing-like-this`);
    await visitor.page.getByRole('textbox', { name: 'Filter errors by payload or source' }).waitFor();
    expect(await visitor.page.getByRole('textbox', { name: /Filter errors/ }).inputValue()).toBe('nothing-like-this');
    expect(await visitor.troubles()).toEqual([]);
    await visitor.context.close();
  });
});
