import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const JOB = ['--simulate', 'devices=20,rate=400,seed=1,disorder=exp:200ms'];
const visitors = withVisitors();
let serving: Serving;

beforeAll(async () => {
  serving = await serve(JOB);
});
afterAll(() => serving?.stop('SIGKILL'));

/** Milliseconds from `at` until the page was in this state. */
async function stateAfter(visitor: Visitor, state: string, at: number): Promise<number> {
  const first = `__witness.states.find((one) => one.at >= ${at} && one.state === '${state}')`;
  await visitor.until(first);
  return visitor.read<number>(`${first}.at - ${at}`);
}

describe('a page that loses its server', () => {
  it('notices within 1 s, is live 2 s after the server is up, without a page load or an event twice', async () => {
    const visitor = await visitors.visit(serving.url);
    await visitor.live();
    const begun = (await visitor.probe()).newestSecond ?? 0;
    await visitor.until(`__weir.newestSecond >= ${begun} + 2`);
    await visitor.inject({ title: 'Malformed events', strength: 3, duration: 'At once' });
    await visitor.until('__weir.eventSeq >= 3');
    const before = await visitor.probe();

    const killedAt = Date.now();
    await serving.stop('SIGKILL');
    const noticed = await stateAfter(visitor, 'reconnecting', killedAt);
    const dimmed = await visitor.page.locator('[data-stale=true]').count();
    // A fast machine has the server back within a second: one whole second without it makes a gap for certain.
    await sleep(Math.max(0, (Math.floor(killedAt / 1000) + 2) * 1000 - Date.now()));
    serving = await serve(JOB, serving.port);
    expect(noticed).toBeLessThan(1000);
    expect(dimmed).toBe(1);
    await visitor.until(`['live', 'restarted'].includes(__weir.state) && __weir.epoch !== '${before.epoch}'`);
    expect(await stateAfter(visitor, 'restarted', serving.upAt)).toBeLessThan(2000);
    await visitor.page.getByText('Server restarted, history reloaded').waitFor();
    await visitor.until(`__weir.newestSecond > ${before.newestSecond} + 1 && __weir.paintedSeq > 0`);

    const after = await visitor.probe();
    expect(after.loadId).toBe(before.loadId);
    const marks = after.marks.events ?? [];
    expect(marks.map(({ id }) => id)).toEqual([...new Set(marks.map(({ id }) => id))]);
    expect(await visitor.lane()).toEqual(['Job iot is RUNNING.']);
    // The time without a server is a gap, neither a zero nor a line; what was before it is still there.
    const goesOnBehindTheGap = async (): Promise<boolean> => {
      const seconds = await visitor.secondsOf('Events');
      const gap = seconds.findIndex(Number.isNaN);
      return gap > 0 && seconds.slice(gap).some((rate) => rate > 0);
    };
    await expect.poll(goesOnBehindTheGap, { timeout: 5000 }).toBe(true);
    await visitor.until(`__weir.state === 'live'`);
    expect(visitor.problems).toEqual([]);
    await visitor.context.close();
  });
});

describe('a page that is offline', () => {
  it('says so, dims, sends nothing and queues nothing, and shows the truth within 2 s of being back', async () => {
    const offline = await visitors.visit(`${serving.url}errors`);
    const other = await visitors.visit(serving.url);
    await offline.live();
    await other.live();
    await offline.openBreakIt();
    const errors = `Number(document.querySelector('[data-testid=errors-total]').dataset.count)`;
    const before = await offline.read<number>(errors);

    await offline.context.setOffline(true);
    await offline.until(`__weir.state === 'reconnecting'`);
    const blocked = offline.breakIt.getByRole('button', {
      name: /^Cannot inject: not connected since \d\d:\d\d:\d\d$/,
    });
    await blocked.waitFor();
    expect(await blocked.isDisabled()).toBe(true);
    expect(await offline.page.locator('[data-stale=true]').count()).toBe(1);
    const opacity = `Number(getComputedStyle(document.querySelector('.panel canvas')).opacity)`;
    expect(await offline.read<number>(opacity)).toBeLessThan(1);

    await other.inject({ title: 'Malformed events', strength: 25, duration: 'At once' });
    await other.inject({ title: 'Traffic burst', strength: 2, duration: '1 min' });
    await other.until('__weir.runningInjections === 1');
    // Pressed here, it must not arrive later.
    await offline.page.keyboard.press('Shift+X');
    await offline.until(`__weir.state === 'offline'`);
    await offline.page
      .getByTestId('connection')
      .getByText(/^Offline since \d\d:\d\d:\d\d$/)
      .waitFor();
    expect(await offline.read<number>(errors)).toBe(before);

    const backAt = Date.now();
    await offline.context.setOffline(false);
    await offline.until(`__weir.state === 'live' && ${errors} === ${before + 25} && __weir.runningInjections === 1`);
    expect(Date.now() - backAt).toBeLessThan(2000);
    await offline.breakIt.getByRole('button', { name: 'Inject malformed events' }).waitFor();
    expect(await other.read<number>('__weir.runningInjections')).toBe(1);
    expect(await offline.lane()).toEqual(await other.lane());

    await offline.page.keyboard.press('Shift+X');
    await other.until('__weir.runningInjections === 0');
    for (const visitor of [offline, other]) {
      expect(visitor.problems).toEqual([]);
      await visitor.context.close();
    }
  });
});

describe('a page that sleeps', () => {
  it('shows the truth within 2 s of waking up', async () => {
    const sleeper = await visitors.visit(`${serving.url}errors`);
    const other = await visitors.visit(serving.url);
    await sleeper.live();
    await other.live();
    const errors = `Number(document.querySelector('[data-testid=errors-total]').dataset.count)`;
    const before = await sleeper.read<number>(errors);
    const session = await sleeper.context.newCDPSession(sleeper.page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    await other.inject({ title: 'Malformed events', strength: 25, duration: 'At once' });
    const { newestSecond } = await other.probe();
    await other.until(`__weir.newestSecond >= ${newestSecond} + 5 * 1`);

    const wokeAt = Date.now();
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    await sleeper.until(
      `__weir.state === 'live' && ${errors} === ${before + 25} && __weir.dataAgeMs < 500 && __weir.newestSecond >= ${newestSecond} + 4`,
    );
    expect(Date.now() - wokeAt).toBeLessThan(2000);
    // It was told of the seconds in between: there is no gap.
    await sleeper.goTo('Overview');
    expect((await sleeper.secondsOf('Events')).slice(0, 6).some(Number.isNaN)).toBe(false);
    for (const visitor of [sleeper, other]) await visitor.context.close();
  });

  it('goes on receiving while nobody looks, and paints the newest when somebody does', async () => {
    const hidden = await visitors.visit(serving.url);
    await hidden.live();
    // Animation frames stop in a tab that is not in front; messages do not.
    await hidden.read(`void (window.frames_ = [], window.realFrame_ = requestAnimationFrame,
      window.requestAnimationFrame = (paint) => frames_.push(paint))`);
    const before = await hidden.probe();
    await hidden.until(`__weir.seq > ${before.seq + 20}`);
    const unseen = await hidden.probe();
    expect(unseen.paintedSeq).toBeLessThan(before.seq + 5);
    expect(await hidden.read<number>('frames_.length')).toBe(1);
    await hidden.read(`void (window.requestAnimationFrame = realFrame_, frames_.forEach(realFrame_))`);
    await hidden.until(`__weir.paintedSeq >= ${unseen.seq}`, 1000);
    await hidden.context.close();
  });
});

describe('a page on a slow line', () => {
  it('says so, costs nobody else anything, and is up to date as soon as the line is', async () => {
    const slow = await visitors.visit(`${serving.url}windows`);
    const other = await visitors.visit(serving.url);
    await slow.live();
    await other.live();
    const session = await slow.context.newCDPSession(slow.page);
    const before = serving.residentMb();
    await session.send('Network.enable');
    const line = { offline: false, latency: 0, downloadThroughput: 20_000, uploadThroughput: 20_000 };
    await session.send('Network.emulateNetworkConditions', line);
    await slow.until(`['slow', 'reduced'].includes(__weir.state)`);
    const others = await other.probe();
    const asked = Date.now();
    await other.until(`__weir.seq >= ${others.seq + 20}`);
    expect(Date.now() - asked).toBeLessThan(3000);
    expect((await other.probe()).state).toBe('live');
    expect(serving.residentMb() - before).toBeLessThan(60);

    await session.send('Network.emulateNetworkConditions', { ...line, downloadThroughput: -1, uploadThroughput: -1 });
    await slow.until(`__weir.dataAgeMs < 500 && __weir.newestSecond >= ${others.newestSecond}`, 4000);
    await slow.until(`__weir.state === 'live'`);
    for (const visitor of [slow, other]) await visitor.context.close();
  });
});
