import { beforeAll, describe, expect, it } from 'vitest';
import { MALFORMED_KINDS } from '#shared/injections.ts';
import { readResults, scratchPath } from '../weir.ts';
import { type Serving, serve } from './serving.ts';
import { type Mark, type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
const output = scratchPath('malformed');
let serving: Serving;
let visitor: Visitor;
/** What was injected so far, by reason and field; nothing else makes errors here. */
const injected = new Map<string, number>();
let injections = 0;

beforeAll(async () => {
  serving = await serve(['--simulate', 'devices=20,rate=500,seed=1,malformed=0,late=0', '--output', output]);
  visitor = await visitors.visit(`${serving.url}errors`);
  await visitor.live();
});

const total = `Number(document.querySelector('[data-testid=errors-total]').dataset.count)`;
const countOf = (reason: string): string =>
  `Number(document.querySelector('tr[data-reason="${reason}"] td[data-count]')?.dataset.count ?? 0)`;
const rowsOf = (injection: number): string =>
  `[...document.querySelectorAll('tr[data-error]')].filter((row) => row.querySelector('[aria-label="Only errors of injection ${injection}"]'))`;

/** 25 at once; gives the milliseconds from the click until totals, counts and rows on the page hold them all. */
async function injectTwentyFive(kind: string): Promise<number> {
  const before = [...injected.values()].reduce((sum, count) => sum + count, 0);
  const kinds: readonly string[] = kind === '' ? MALFORMED_KINDS : [kind];
  for (let i = 0; i < 25; i++) {
    const reason = kinds[i % kinds.length] ?? '';
    injected.set(reason, (injected.get(reason) ?? 0) + 1);
  }
  injections++;
  await visitor.inject({ title: 'Malformed events', strength: 25, duration: 'At once', malformed: kind });
  const reasons = [...injected].map(([reason, count]) => `${countOf(reason)} === ${count}`);
  const latency = await visitor.sinceClick(
    `${total} === ${before + 25} && ${rowsOf(injections)}.length === 25 && ${reasons.join(' && ')}`,
  );
  expect(
    await visitor.breakIt
      .getByRole('listitem')
      .filter({ hasText: `#${injections}` })
      .textContent(),
  ).toContain('25 affected');
  return latency;
}

describe('malformed events injected from the page', () => {
  it.each(['wrong_type:pressure', 'malformed_json', 'missing_field:device_id', ''])(
    'appear under Errors within 1 s, exactly 25 of kind "%s"',
    async (kind) => {
      // Each of them is exact; the fastest says how long it takes where nothing else keeps the machine busy.
      const latencies: number[] = [];
      for (let i = 0; i < 3; i++) latencies.push(await injectTwentyFive(kind));
      expect(Math.min(...latencies)).toBeLessThan(1000);
      expect(await visitor.troubles()).toEqual([]);
    },
  );

  it('come with their payload, in which the named field is what the reason says', async () => {
    const rows = await visitor.read<[string, string][]>(
      `${rowsOf(injections)}.map((row) => [row.cells[1].textContent, row.querySelector('code').textContent])`,
    );
    expect(rows).toHaveLength(25);
    expect(new Set(rows.map(([reason]) => reason)).size).toBe(MALFORMED_KINDS.length);
    for (const [words, payload] of rows) expect(agrees(words, payload), `${words}: ${payload}`).toBe(true);
  });

  it('are marked with the same bands on every chart of every page', async () => {
    await visitor.until(`__weir.marks.refused?.filter((mark) => mark.type === 'band').length === ${injections}`);
    const errors = bands(await visitor.probe(), 'refused');
    await visitor.goTo('Overview');
    await visitor.until(`Object.keys(__weir.marks).length === 5`);
    const overview = await visitor.probe();
    for (const chart of ['events', 'lag', 'windows', 'errors']) expect(bands(overview, chart)).toEqual(errors);
    expect(errors.map(({ id }) => id)).toEqual(Array.from({ length: injections }, (_, i) => i + 1));
    const labels = await visitor.read<string[]>(
      `[...document.querySelectorAll('[aria-label="Event lane"] button[title]')].map((button) => button.getAttribute('aria-label'))`,
    );
    const inLane = labels.filter((label) => label.includes('Malformed events'));
    const counted = inLane.map((label) => 1 + Number(/And (\d+) more/.exec(label)?.[1] ?? 0));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(injections);

    await visitor.goTo('Windows');
    await visitor.until(`document.querySelectorAll('.recharts-reference-area').length > 0`);
  });

  it('can be filtered by reason and injection, and exported as they are on screen', async () => {
    await visitor.goTo('Errors & late');
    await visitor.page.keyboard.press('Escape');
    await visitor.page.getByRole('button', { name: 'wrong type, pressure', exact: true }).last().click();
    const [download] = await Promise.all([
      visitor.page.waitForEvent('download'),
      visitor.page.getByRole('button', { name: 'Export errors as NDJSON' }).click(),
    ]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
    const exported = lines.map((line) => JSON.parse(line) as { reason: string; field: string; payload: string });
    const shown = await visitor.page.locator('tr[data-error] code').allTextContents();
    expect(exported.length).toBeGreaterThanOrEqual(shown.length);
    for (const { reason, field } of exported) expect(`${reason}:${field}`).toBe('wrong_type:pressure');
    expect(exported.slice(0, shown.length).map(({ payload }) => payload)).toEqual(shown);
  });

  it('are as many in the error log of the job as on the page', async () => {
    await serving.stop('SIGTERM');
    const counts = new Map<string, number>();
    for (const { reason, field } of readResults(output).errors) {
      const key = field === null ? reason : `${reason}:${field}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(Object.fromEntries([...counts].sort())).toEqual(Object.fromEntries([...injected].sort()));
  });
});

function bands(probe: { marks: Record<string, Mark[]> }, chart: string): Mark[] {
  return (probe.marks[chart] ?? []).filter((mark) => mark.type === 'band');
}

/** Whether a payload is malformed in the way that the words of its row say. */
function agrees(words: string, payload: string): boolean {
  const [reason, field = ''] = words.split(', ');
  let event: unknown;
  try {
    event = JSON.parse(payload);
  } catch {
    return reason === 'malformed json';
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return reason === 'malformed json';
  const value = new Map(Object.entries(event)).get(field);
  if (reason === 'missing field') return value === undefined || value === null;
  if (value === Number.POSITIVE_INFINITY) return reason === 'wrong type' || reason === 'out of range';
  // An id that names nobody is no id, and time has no fractions of a millisecond.
  const right =
    field === 'device_id'
      ? typeof value === 'string' && value !== ''
      : typeof value === 'number' && (field !== 'event_timestamp' || Number.isInteger(value));
  return reason === (right ? 'out of range' : 'wrong type');
}
