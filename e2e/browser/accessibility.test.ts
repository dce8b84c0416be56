import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
const PAGES = ['Overview', 'Windows', 'Errors & late', 'Checkpoints', 'Savepoints', 'Faults', 'Scaling'] as const;
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
let full: Serving;
let empty: Serving;

beforeAll(async () => {
  [full, empty] = await Promise.all([
    serve([
      '--simulate',
      'devices=20,rate=400,seed=1,malformed=0.02,late=0.01',
      '--window',
      '1s',
      '--out-of-orderness',
      '1s',
      '--watermark-alignment',
      '5s',
    ]),
    serve(['--no-job']),
  ]);
});
afterAll(() => Promise.all([full, empty].map((serving) => serving?.stop('SIGKILL'))));

async function findings(visitor: Visitor): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page: visitor.page })
    .withTags(TAGS)
    .options({ resultTypes: ['violations'] })
    .analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary}`),
    );
}

async function seen(visitor: Visitor): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const page of PAGES) {
    await visitor.goTo(page);
    for (const colorScheme of ['light', 'dark'] as const) {
      await visitor.page.emulateMedia({ colorScheme });
      await visitor.until(`document.documentElement.dataset.theme === '${colorScheme}'`);
      found[`${page}, ${colorScheme}`] = await findings(visitor);
    }
  }
  return found;
}

const NOTHING = Object.fromEntries(
  PAGES.flatMap((page) => ['light', 'dark'].map((theme) => [`${page}, ${theme}`, []])),
);

describe('axe finds nothing serious', () => {
  let visitor: Visitor;
  beforeAll(async () => {
    visitor = await visitors.visit(full.url, { reducedMotion: 'reduce' });
    await visitor.live();
    await visitor.inject({ title: 'Late events', strength: 5, duration: '5 min' });
    await visitor.page.keyboard.press('Escape');
    await visitor.goTo('Windows');
    await visitor.until(`document.querySelectorAll('.recharts-surface').length === 6`);
  });

  it('on live pages', async () => expect(await seen(visitor)).toEqual(NOTHING));

  it('in the panel that breaks things, and in the help', async () => {
    await visitor.openBreakIt();
    for (const colorScheme of ['light', 'dark'] as const) {
      await visitor.page.emulateMedia({ colorScheme });
      expect(await findings(visitor)).toEqual([]);
    }
    await visitor.page.keyboard.press('Escape');
    await visitor.page.keyboard.press('?');
    await visitor.page.getByRole('dialog').waitFor();
    expect(await findings(visitor)).toEqual([]);
    await visitor.page.keyboard.press('Escape');
    await visitor.page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('on pages without a job', async () => {
    const nobody = await visitors.visit(empty.url);
    await nobody.live();
    expect(await seen(nobody)).toEqual(NOTHING);
    expect(await nobody.troubles()).toEqual([]);
    await nobody.context.close();
  });

  it('on pages that are disconnected', async () => {
    await visitor.context.setOffline(true);
    await visitor.until(`__weir.state !== 'live'`);
    expect(await seen(visitor)).toEqual(NOTHING);
    await visitor.context.setOffline(false);
    await visitor.context.close();
  });
});

/** How far the document is wider than the window, and which elements stick out of it. */
const TOO_WIDE = `(() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > width + 1);
  return ['scrolls by ' + (document.documentElement.scrollWidth - width), ...out.slice(0, 8).map((e) => e.outerHTML.slice(0, 120))];
})()`;

describe('narrow and zoomed', () => {
  // 320 is a phone, or 1280 at 400 %; 683 is 1366 at 200 %.
  it.each([
    [320, 640],
    [683, 450],
    [1024, 700],
  ])('no page scrolls sideways at %s pixels, nor does the panel', async (width, height) => {
    const visitor = await visitors.visit(full.url, { viewport: { width, height }, hasTouch: width === 320 });
    await visitor.live();
    for (const page of PAGES) {
      await visitor.goTo(page);
      if (page === 'Windows') await visitor.until(`document.querySelector('.recharts-surface')`);
      expect(await visitor.read<string[]>(TOO_WIDE), page).toEqual([]);
    }
    await visitor.openBreakIt();
    expect(await visitor.read<string[]>(TOO_WIDE)).toEqual([]);
    await visitor.context.close();
  });

  it('the page that is open is named in the row of pages, also where the row is longer than the screen', async () => {
    const visitor = await visitors.visit(`${full.url}scaling`, { viewport: { width: 320, height: 640 } });
    await visitor.live();
    const current = `document.querySelector('[aria-current=page]').getBoundingClientRect()`;
    expect(await visitor.read<boolean>(`${current}.left >= 0 && ${current}.right <= innerWidth`)).toBe(true);
    await visitor.context.close();
  });

  it('everything that can be pressed is at least 24 pixels wide and high, or has that room', async () => {
    const visitor = await visitors.visit(full.url, { viewport: { width: 320, height: 640 } });
    await visitor.live();
    for (const page of PAGES) {
      await visitor.goTo(page);
      // The narrowest of all: the number of a checkpoint, while it has one digit.
      if (page === 'Checkpoints') await visitor.until(`document.querySelector('[data-row] button')`);
      const small = await visitor.read<string[]>(
        `[...document.querySelectorAll('button, a[href], select, input:not([type=radio])')]
          .map((e) => [e, e.getBoundingClientRect()])
          .filter(([e, box]) => box.width > 1 && (box.width < 24 || box.height < 24) && getComputedStyle(e).display !== 'inline')
          .map(([e, box]) => e.outerHTML.slice(0, 100) + ' ' + box.width + 'x' + box.height)`,
      );
      expect(small, page).toEqual([]);
    }
    await visitor.context.close();
  });

  it('nothing moves for people who asked for that', async () => {
    const visitor = await visitors.visit(full.url, { reducedMotion: 'reduce', forcedColors: 'active' });
    await visitor.live();
    for (const page of PAGES) {
      await visitor.goTo(page);
      expect(await visitor.read<number>('document.getAnimations().length')).toBe(0);
    }
    expect(await visitor.troubles()).toEqual([]);
    await visitor.context.close();
  });
});

describe('with the keyboard only', () => {
  /** Presses Tab until the focused control has this name; every stop on the way must be visible. */
  async function tabTo(visitor: Visitor, name: string | RegExp, key = 'Tab'): Promise<void> {
    for (let i = 0; i < 150; i++) {
      const focused = await visitor.read<{ name: string; visible: boolean }>(`(() => {
        const e = document.activeElement;
        const box = e.getBoundingClientRect();
        const label = e.labels?.[0]?.textContent ?? '';
        const top = document.elementFromPoint(box.x + Math.min(box.width, 20) / 2, box.y + Math.min(box.height, 20) / 2);
        const around = e.closest('label') ?? e;
        return {
          name: e.getAttribute('aria-label') ?? (label || e.textContent.trim()),
          visible: e === document.body || around.contains(top) || top === null || top.contains(e),
        };
      })()`);
      if (typeof name === 'string' ? focused.name === name : name.test(focused.name)) return;
      expect(focused.visible, `focus on "${focused.name.slice(0, 60)}" can be seen`).toBe(true);
      await visitor.page.keyboard.press(key);
    }
    throw new Error(`Tab never came to ${name}.`);
  }

  it('one can inject, stop, close and be back where one was', async () => {
    const visitor = await visitors.visit(full.url);
    const { keyboard } = visitor.page;
    await visitor.live();
    const before = (await visitor.probe()).runningInjections;
    await tabTo(visitor, 'Pause');
    await keyboard.press('i');
    await visitor.breakIt.waitFor();
    await tabTo(visitor, /Malformed events$/);
    await keyboard.press('ArrowDown');
    expect(await visitor.breakIt.getByRole('radio', { name: 'Late events' }).isChecked()).toBe(true);
    await tabTo(visitor, 'Strength');
    await keyboard.press('ControlOrMeta+A');
    await keyboard.type('7');
    await tabTo(visitor, /^(At once|10 s|30 s|1 min)$/);
    await keyboard.press('ArrowRight');
    await tabTo(visitor, 'Inject late events');
    await keyboard.press('Enter');
    await visitor.until(`__weir.runningInjections === ${before + 1}`);
    await tabTo(visitor, /^Stop late events #\d+$/);
    await keyboard.press('Enter');
    await visitor.until(`__weir.runningInjections === ${before}`);
    await keyboard.press('Escape');
    await visitor.breakIt.waitFor({ state: 'detached' });
    expect(await visitor.read<string>(`document.activeElement.getAttribute('aria-label')`)).toBe('Pause');
    await visitor.context.close();
  });

  it('one can change pages, switch graph and table, pause, and skip to the page', async () => {
    const visitor = await visitors.visit(full.url);
    const { keyboard } = visitor.page;
    await visitor.live();
    await keyboard.press('Tab');
    expect(await visitor.read<string>('document.activeElement.textContent')).toBe('Skip to the page');
    await keyboard.press('t');
    await visitor.page.getByRole('region', { name: 'Subtasks' }).waitFor();
    await keyboard.press('t');
    await keyboard.press('p');
    await visitor.until('__weir.paused');
    await keyboard.press('p');
    await keyboard.press('g');
    await keyboard.press('w');
    await visitor.until(`location.pathname === '/windows'`);
    await tabTo(visitor, 'Export CSV');
    const [download] = await Promise.all([visitor.page.waitForEvent('download'), keyboard.press('Enter')]);
    expect(download.suggestedFilename()).toBe('weir-windows.csv');
    await keyboard.press('g');
    await keyboard.press('e');
    await visitor.until(`location.pathname === '/errors'`);
    await tabTo(visitor, 'Show the whole payload');
    await keyboard.press('Enter');
    await visitor.page.getByRole('button', { name: 'Show one line of the payload' }).first().waitFor();
    expect(await visitor.troubles()).toEqual([]);
    await visitor.context.close();
  });
});
