import { beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serve } from './serving.ts';
import { type InjectionWish, type Mark, SlowLine, type Visitor, withVisitors } from './visitor.ts';

const DEVICES = 10;
const RATE = 500;
const visitors = withVisitors();
let serving: Serving;
/** Looks at the Overview and injects. */
let ada: Visitor;
/** Looks at Errors. */
let bob: Visitor;
/** Reads the numbers of the Events strip. */
let cleo: Visitor;
let injections = 0;

beforeAll(async () => {
  serving = await serve([
    '--simulate',
    `devices=${DEVICES},rate=${RATE},seed=1`,
    '--window',
    '1s',
    '--out-of-orderness',
    '2s',
  ]);
  ada = await visitors.visit(`${serving.url}?range=1m`);
  bob = await visitors.visit(`${serving.url}errors?range=1m`);
  cleo = await visitors.visit(`${serving.url}?range=1m`);
  for (const person of [ada, bob, cleo]) await person.live();
});

const CHARTS = ['events', 'lag', 'latency', 'windows', 'errors'];
const bandOn = (chart: string, id: number, open: boolean): string =>
  `__weir.marks.${chart}.some((mark) => mark.type === 'band' && mark.id === ${id} && (mark.to === null) === ${open})`;
const late = `Number(document.querySelector('[data-testid=late-total]').dataset.count)`;
const affected = (id: number): string =>
  `Number(document.querySelector('[data-injection="${id}"] [data-affected]').dataset.affected)`;

/** Starts one that lasts, and sees its open band on all charts of both pages. */
async function start(wish: Omit<InjectionWish, 'duration'>): Promise<number> {
  const id = ++injections;
  await ada.inject({ ...wish, duration: '1 min' });
  const seen = await ada.sinceClick(CHARTS.map((chart) => bandOn(chart, id, true)).join(' && '));
  expect(seen).toBeLessThan(1000);
  await bob.until(bandOn('refused', id, true), 1000);
  return id;
}

/** Stops it, which leaves an end on all charts, at the same time everywhere. Gives its number of affected events. */
async function stop(id: number): Promise<number> {
  const count = await ada.read<number>(affected(id));
  await ada.breakIt.getByRole('button', { name: new RegExp(`^Stop .*#${id}$`) }).click();
  const gone = await ada.sinceClick(
    `__weir.runningInjections === 0 && ${CHARTS.map((chart) => bandOn(chart, id, false)).join(' && ')}`,
  );
  expect(gone).toBeLessThan(1000);
  await bob.until(bandOn('refused', id, false), 1000);
  const band = (marks: Mark[] | undefined) => marks?.find((mark) => mark.type === 'band' && mark.id === id);
  const [mine, theirs] = [await ada.probe(), await bob.probe()];
  for (const chart of CHARTS) expect(band(mine.marks[chart])).toEqual(band(theirs.marks.refused));
  return count;
}

/** Affected events of one that ended, from the list of earlier ones: all of them, as soon as it is there. */
async function affectedInAll(id: number): Promise<number> {
  const again = ada.page.getByRole('button', { name: `Fill the form like injection ${id}`, exact: true });
  const text = await ada.breakIt.getByRole('listitem').filter({ has: again }).textContent();
  return Number(/([\d\u2009]+) affected/.exec(text ?? '')?.[1]?.replaceAll('\u2009', ''));
}

/** Waits until one of the newest `back` seconds of the strip says yes. */
async function someSecond(back: number, says: (value: number) => boolean): Promise<void> {
  let seconds: number[] = [];
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    seconds = (await cleo.secondsOf('Events')).slice(0, back);
    if (seconds.some(says)) return;
    await cleo.until(`__weir.newestSecond > ${(await cleo.probe()).newestSecond}`);
  }
  throw new Error(`None of the newest seconds is as expected: ${seconds.join(', ')}`);
}

describe('injections that last', () => {
  it('late events go to the late side output, every one of them, until they are stopped', async () => {
    const id = await start({ title: 'Late events', strength: 40 });
    await ada.until(`${affected(id)} >= 40`);
    expect(await stop(id)).toBeGreaterThanOrEqual(40);
    const made = await affectedInAll(id);
    expect(await bob.lane()).toContain(`Late events, 40 events/s stopped, ${made} events in all.`);
    await bob.becomes(late, made, 3000);
    await bob.until(`document.querySelectorAll('tr[data-late]').length > 20`);
  });

  it('late events all at once are counted to the event', async () => {
    const before = await bob.read<number>(late);
    injections++;
    await ada.inject({ title: 'Late events', strength: 33, duration: 'At once' });
    await bob.becomes(late, before + 33);
    expect(await affectedInAll(injections)).toBe(33);
    // And no event more, of this one or of the one before.
    await bob.aSecondOn();
    expect(await bob.read<number>(late)).toBe(before + 33);
  });

  it('an out-of-order burst fills windows that were nearly over, and nothing gets late', async () => {
    const before = await bob.read<number>(late);
    await cleo.goTo('Windows');
    const id = await start({ title: 'Out-of-order burst', strength: 80 });
    await ada.until(`${affected(id)} > ${RATE}`);
    // Every device sends at a steady rate, so a fuller window holds events that came after later ones.
    await cleo.until(
      `[...document.querySelectorAll('td.num:nth-child(3)')].some((cell) => Number(cell.textContent) > ${(1.2 * RATE) / DEVICES})`,
    );
    await stop(id);
    await bob.aSecondOn();
    expect(await bob.read<number>(late)).toBe(before);
    await cleo.goTo('Overview');
  });

  it('a traffic burst multiplies the rate, and it falls with the end', async () => {
    const id = await start({ title: 'Traffic burst', strength: 5 });
    await someSecond(3, (rate) => rate > 4 * RATE);
    await stop(id);
    await someSecond(2, (rate) => rate < 1.3 * RATE);
  });

  it('offline devices fall silent and send their backlog at once when they are back', async () => {
    const id = await start({ title: 'Offline devices', strength: 4 });
    await someSecond(3, (rate) => rate < (0.65 * RATE * (DEVICES - 4)) / (DEVICES - 4) && rate > 0.4 * RATE);
    await stop(id);
    await someSecond(4, (rate) => rate > 1.3 * RATE);
    await expect.poll(() => affectedInAll(id), { timeout: 5000 }).toBeGreaterThan(0.3 * RATE);
  });

  it('Shift+X stops all that run, with one event for each', async () => {
    const first = await start({ title: 'Late events', strength: 5 });
    const second = await start({ title: 'Malformed events', strength: 5 });
    await ada.page.keyboard.press('Escape');
    await ada.page.keyboard.press('Shift+X');
    await ada.until('__weir.runningInjections === 0', 1000);
    await bob.until('__weir.runningInjections === 0', 1000);
    const lane = await bob.lane();
    const stops = lane.filter((text) => text.includes(' stopped, '));
    expect(stops.slice(0, 2).map((text) => text.split(',')[0])).toEqual(['Malformed events', 'Late events']);
    expect(second).toBe(first + 1);
  });
});

describe('two people at the dashboard', () => {
  it('see one stop when both press the button before either hears of it', async () => {
    const line = new SlowLine();
    const dora = await visitors.visit(`${serving.url}?range=1m`, {}, (page) => line.install(page));
    await dora.live();
    await dora.openBreakIt();
    const id = await start({ title: 'Traffic burst', strength: 2 });
    const button = { name: new RegExp(`^Stop .*#${id}$`) };
    await dora.breakIt.getByRole('button', button).waitFor();
    const before = (await ada.probe()).eventSeq;
    line.hold();
    await stop(id);
    // What she sees is a moment old, so there still is a button to press.
    await dora.breakIt.getByRole('button', button).click();
    line.release();
    // Commands of one page are done in order: once her next one is, a second stop would have been news.
    injections++;
    await dora.inject({ title: 'Late events', strength: 1, duration: 'At once' });
    for (const person of [ada, bob, dora]) {
      await person.becomes('__weir.eventSeq', before + 3);
      await person.becomes('__weir.runningInjections', 0);
    }
    expect(await dora.troubles()).toEqual([]);
    await dora.context.close();
  });

  it('see the same events in the same order', async () => {
    const [mine, theirs] = [await ada.lane(), await bob.lane()];
    expect(mine.length).toBeGreaterThan(2 * injections);
    expect(mine).toEqual(theirs);
    expect(await ada.troubles()).toEqual([]);
    expect(await bob.troubles()).toEqual([]);
  });
});
