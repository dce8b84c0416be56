import { beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
let serving: Serving;
let visitor: Visitor;

const MARKUP = '<img src=x onerror="alert(1)">';
const RTL_OVERRIDE = '\u202egnp.txt';
const NAMES = [
  MARKUP,
  RTL_OVERRIDE,
  'nul\u0000id',
  'emoji 🌡️🔥',
  'مرحبا بالعالم',
  'two\nlines\tand a tab',
  '=cmd()|calc!A0',
  'x'.repeat(5000),
  '__proto__',
];
const PAYLOADS = [
  '<script>alert(1)</script>',
  `{"device_id":"\u202e<b>bold</b>","temperature":"${MARKUP.replaceAll('"', '\\"')}"}`,
  '\u0000\u0000{',
  '🔥'.repeat(400),
  `{"device_id":"${'y'.repeat(1_000_000)}","event_timestamp":"x"}`,
  `"${'\\u202e'.repeat(30)}`,
];
const TOO_WIDE = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

beforeAll(async () => {
  serving = await serve(['--input', '-', '--format', 'ndjson', '--window', '1s', '--out-of-orderness', '0s']);
  const lines: string[] = [];
  for (let i = 0; i < 60; i++) {
    for (const device_id of NAMES) {
      const reading = {
        device_id,
        event_timestamp: 1_700_000_000_000 + i * 250,
        temperature: 20 + (i % 7),
        humidity: 50,
        pressure: 1000,
      };
      lines.push(JSON.stringify(reading));
    }
  }
  serving.write(`${[...lines, ...PAYLOADS].join('\n')}\n`);
  visitor = await visitors.visit(`${serving.url}errors`);
  await visitor.until(`document.querySelectorAll('tr[data-error]').length === ${PAYLOADS.length}`);
});

/** The page is what it would be without such data: no element, dialog or request came out of it. */
async function unharmed(): Promise<void> {
  expect(await visitor.read<number>(`document.querySelectorAll('main img, main script, main b').length`)).toBe(0);
  expect(await visitor.read<number>(TOO_WIDE)).toBe(0);
  expect(await visitor.troubles()).toEqual([]);
}

describe('hostile data', () => {
  it('in payloads is text, cut and expanded on request', async () => {
    await unharmed();
    const cells = visitor.page.locator('tr[data-error] code');
    // Newest first.
    expect(await cells.nth(PAYLOADS.length - 1).textContent()).toBe('<script>alert(1)</script>');
    expect(await cells.nth(PAYLOADS.length - 2).textContent()).toContain('\\u202e<b>bold</b>');
    expect(await cells.nth(PAYLOADS.length - 3).textContent()).toBe('\\0\\0{');
    const heights = await visitor.read<number[]>(
      `[...document.querySelectorAll('tr[data-error]')].map((row) => row.getBoundingClientRect().height)`,
    );
    // The last has no line below it.
    expect(Math.max(...heights) - Math.min(...heights)).toBeLessThanOrEqual(1);

    const long = visitor.page.locator('tr[data-error]').nth(1);
    await long.getByRole('button', { name: 'Show the whole payload' }).click();
    await long.getByText(/cut here; the error log has all 976\.\d KiB/).waitFor();
    expect((await long.locator('code').textContent())?.length).toBeGreaterThan(2000);
    await unharmed();
  });

  it('in names of devices is text that cannot turn around or hide', async () => {
    await visitor.goTo('Windows');
    await visitor.until(`document.querySelectorAll('[aria-label="Window results, scrolls"] tbody tr').length > 50`);
    for (const more = visitor.page.getByRole('button', { name: /^Show more of/ }); await more.isVisible(); ) {
      await more.click();
    }
    const names = await visitor.read<string[]>(
      `[...new Set([...document.querySelectorAll('[aria-label="Window results, scrolls"] td.stick')].map((cell) => cell.textContent.trim()))]`,
    );
    expect(names).toContain(MARKUP);
    expect(names).toContain('\\u202egnp.txt');
    expect(names).toContain('nul\\0id');
    expect(names).toContain('two\\nlines\\tand a tab');
    expect(names).toContain('مرحبا بالعالم');
    expect(names).toContain('emoji 🌡️🔥');
    expect(names).toContain('__proto__');
    expect(names).toHaveLength(NAMES.length);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThan(200);
    await unharmed();
  });

  it('can be pinned and drawn, however it is called', async () => {
    const pins = [MARKUP, RTL_OVERRIDE, 'x'.repeat(900), 'emoji 🌡️🔥'];
    await visitor.page.goto(`${serving.url}windows?${pins.map((name) => `dev=${encodeURIComponent(name)}`).join('&')}`);
    await visitor.until(`document.querySelectorAll('.recharts-surface').length === ${pins.length}`);
    await visitor.page.getByRole('heading', { name: MARKUP }).waitFor();
    await unharmed();
    await visitor.page.setViewportSize({ width: 320, height: 640 });
    await visitor.until(`${TOO_WIDE} === 0`, 2000);
    await visitor.page.goto(`${serving.url}errors`);
    await visitor.until(
      `document.querySelectorAll('tr[data-error]').length === ${PAYLOADS.length} && ${TOO_WIDE} === 0`,
    );
    await unharmed();
  });

  it('is still there when the input has ended and the job is over', async () => {
    serving.endInput();
    await visitor.page.goto(serving.url);
    await visitor.page.getByRole('heading', { name: 'The job finished' }).waitFor();
    await visitor.page.getByText(`${NAMES.length * 60 + PAYLOADS.length} events`).waitFor();
    await visitor.goTo('Errors & late');
    await visitor.until(`document.querySelectorAll('tr[data-error]').length === ${PAYLOADS.length}`);
    await visitor.goTo('Windows');
    await visitor.until(`document.querySelectorAll('[aria-label="Window results, scrolls"] tbody tr').length > 50`);
    await unharmed();
  });
});
