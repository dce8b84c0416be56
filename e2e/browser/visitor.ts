/**
 * Somebody at the dashboard: a page of one browser context, the words of its probe, and what went wrong on it.
 *
 * Conditions are expressions of JavaScript that the page evaluates; waiting is always for one of them, never for a time.
 */

import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { launchChromium } from './chromium.ts';

/** Long enough for a loaded machine; what has to be fast is measured, not timed out. */
const PATIENCE_MS = 15_000;

export interface Mark {
  type: 'band' | 'line';
  id: number;
  from: number;
  to: number | null;
  text: string;
}

/** `window.__weir`, as `web/live/probe.ts` has it. */
export interface Probe {
  seq: number;
  paintedSeq: number;
  dataAgeMs: number;
  state: string;
  epoch: string;
  eventSeq: number;
  paused: boolean;
  runningInjections: number;
  newestSecond: number | null;
  marks: Record<string, Mark[]>;
  loadId: string;
}

/** What the page under test remembers for us, from before its first script on. */
const WITNESS = `{
  const witness = { clickedAt: 0, violations: [], shift: 0, states: [] };
  window.__witness = witness;
  addEventListener('click', () => { witness.clickedAt = performance.now(); }, true);
  addEventListener('securitypolicyviolation', (event) => {
    witness.violations.push(event.violatedDirective + ' ' + event.blockedURI);
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) witness.shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  witness.sinceClick = (holds) => new Promise((resolve) => {
    const look = () => { if (holds()) resolve(performance.now() - witness.clickedAt); else setTimeout(look, 8); };
    look();
  });
  setInterval(() => {
    const state = window.__weir?.state;
    if (state !== undefined && witness.states.at(-1)?.state !== state) witness.states.push({ state, at: Date.now() });
  }, 10);
}`;

export interface InjectionWish {
  /** As the form names it: `Malformed events`, `Late events`, … */
  title: string;
  strength: number;
  /** `At once`, `10 s`, `30 s`, `1 min`, `5 min`. */
  duration: string;
  /** Value of the kind of malformed; empty for all in turn. */
  malformed?: string;
}

export class Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of scripts and dialogs that opened; there should be none. */
  readonly problems: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on('pageerror', (error) => this.problems.push(`page error: ${error.stack ?? error.message}`));
    page.on('dialog', (dialog) => {
      this.problems.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** Problems so far, those with the content security policy included. */
  async troubles(): Promise<string[]> {
    return [...this.problems, ...(await this.read<string[]>('__witness.violations'))];
  }

  read<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>;
  }

  probe(): Promise<Probe> {
    return this.read<Probe>('({ ...__weir, marks: JSON.parse(JSON.stringify(__weir.marks)) })');
  }

  /** Waits until the page says yes; an expression that throws says no. */
  async until(expression: string, timeoutMs = PATIENCE_MS): Promise<void> {
    const end = Date.now() + timeoutMs;
    // A page that is still on its way to another document takes the question with it: then it is asked again.
    for (let left = timeoutMs; left > 0; left = end - Date.now()) {
      const asked = this.read<boolean>(waitFor(expression, left)).catch((error: Error) => {
        if (!/context was destroyed|Cannot find context|navigation/i.test(error.message)) throw error;
        return null;
      });
      const held = await asked;
      if (held === true) return;
      if (held === false) break;
    }
    const probe = await this.probe().catch(() => null);
    throw new Error(`Never true in ${timeoutMs} ms: ${expression}\n${JSON.stringify(probe)}`);
  }

  /** Waits until the page reads this value; a failure says which one it read in the end. */
  async becomes(expression: string, value: number, timeoutMs = PATIENCE_MS): Promise<void> {
    try {
      await this.until(`${expression} === ${value}`, timeoutMs);
    } catch (error) {
      const found = await this.read<unknown>(expression).catch((cause: Error) => cause.message);
      throw new Error(`It is ${found} and not ${value}.\n${(error as Error).message}`, { cause: error });
    }
  }

  /** Lets a whole second of the job pass on this page, so that it shows whatever was on its way. */
  async aSecondOn(): Promise<void> {
    const { newestSecond } = await this.probe();
    await this.until(`__weir.newestSecond > ${newestSecond} + 1`);
  }

  /** Milliseconds from the last click until this held. */
  async sinceClick(expression: string): Promise<number> {
    await this.until(expression);
    return this.read<number>(`__witness.sinceClick(() => ${expression})`);
  }

  /** The first frame has been painted with numbers on it. */
  async live(): Promise<void> {
    await this.until(`window.__weir?.state === 'live' && __weir.paintedSeq > 0`);
  }

  async goTo(
    name: 'Overview' | 'Windows' | 'Errors & late' | 'Checkpoints' | 'Savepoints' | 'Faults' | 'Scaling',
  ): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
    await this.page.getByRole('heading', { level: 1 }).waitFor();
  }

  get breakIt(): Locator {
    return this.page.getByRole('dialog', { name: 'Break it' });
  }

  async openBreakIt(): Promise<Locator> {
    if (!(await this.breakIt.isVisible())) await this.page.getByRole('button', { name: 'Break it' }).click();
    await this.breakIt.waitFor();
    return this.breakIt;
  }

  /** Fills the form; the click is the caller's. */
  async fill({ title, strength, duration, malformed }: InjectionWish): Promise<Locator> {
    const form = await this.openBreakIt();
    await form.getByRole('radio', { name: title }).check();
    if (malformed !== undefined) {
      await form.getByRole('combobox', { name: 'Kind of malformed' }).selectOption(malformed);
    }
    await form.getByRole('textbox', { name: 'Strength' }).fill(String(strength));
    await form.getByRole('radio', { name: duration, exact: true }).check();
    return form.getByRole('button', { name: `Inject ${title.toLowerCase()}` });
  }

  async inject(wish: InjectionWish): Promise<void> {
    await (await this.fill(wish)).click();
  }

  /** Seconds of a strip as its table shows them, newest first; missing ones are NaN. */
  async secondsOf(title: string): Promise<number[]> {
    return (await this.tableOf(title)).map(([first = '']) => readRate(first));
  }

  /** The cells of a strip's table behind the time, newest second first. */
  async tableOf(title: string): Promise<string[][]> {
    const region = this.page.getByRole('region', { name: title, exact: true });
    const toggle = region.getByRole('button', { name: `Show ${title} as table` });
    if ((await toggle.getAttribute('aria-pressed')) === 'false') await toggle.click();
    // All at once: the table moves on every second.
    const rows = await region
      .locator('tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? '')));
    return rows.map((cells) => cells.slice(1));
  }

  /** What the event lane lists, newest first, without times. */
  async lane(): Promise<string[]> {
    const lane = this.page.getByRole('region', { name: 'Event lane' });
    const list = lane.getByRole('button', { name: /^List/ });
    if (await list.isVisible()) await list.click();
    return lane.locator('ol li span').allTextContents();
  }
}

/** A promise of the page; Playwright's own polling would need `eval`, which the page's security policy forbids. */
function waitFor(expression: string, timeoutMs: number): string {
  return `new Promise((done) => {
    const end = performance.now() + ${timeoutMs};
    const look = () => {
      let holds = false;
      try { holds = Boolean(${expression}); } catch {}
      if (holds || performance.now() > end) done(holds);
      else setTimeout(look, 15);
    };
    look();
  })`;
}

/** A line from the server to one page on which everything can be made to wait, so that the page shows what was true a while ago. */
export class SlowLine {
  #waiting: (() => void)[] | null = null;

  async install(page: Page): Promise<void> {
    await page.routeWebSocket(/./, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        const deliver = () => socket.send(message);
        if (this.#waiting === null) deliver();
        else this.#waiting.push(deliver);
      });
    });
  }

  hold(): void {
    this.#waiting = [];
  }

  release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const deliver of waiting) deliver();
  }
}

/** `4.21k` is 4210. */
function readRate(text: string): number {
  const [, number = '', unit = ''] = /^(?:<)?([\d.\u2009]+)([kM]?)$/.exec(text) ?? [];
  if (number === '') return Number.NaN;
  return Number(number.replaceAll('\u2009', '')) * (unit === 'k' ? 1e3 : unit === 'M' ? 1e6 : 1);
}

const DESK: BrowserContextOptions = {
  viewport: { width: 1366, height: 900 },
  locale: 'en-GB',
  timezoneId: 'UTC',
  colorScheme: 'light',
};

/** One browser for the tests of a file; every visitor has a context, and so a storage and a connection, of their own. */
export function withVisitors(): {
  /** `prepare` sees the page before it goes anywhere. */
  visit(url: string, options?: BrowserContextOptions, prepare?: (page: Page) => Promise<unknown>): Promise<Visitor>;
} {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
  });
  return {
    async visit(url, options = {}, prepare) {
      const context = await browser.newContext({ ...DESK, ...options });
      await context.addInitScript(WITNESS);
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const visitor = new Visitor(context, page);
      await prepare?.(page);
      await page.goto(url, { waitUntil: 'commit' });
      return visitor;
    },
  };
}
