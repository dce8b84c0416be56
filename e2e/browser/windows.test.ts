import { beforeAll, describe, expect, it } from 'vitest';
import { parseCsv } from '../csv.ts';
import { readResults, scratchPath } from '../weir.ts';
import { type Serving, serve } from './serving.ts';
import { type Visitor, withVisitors } from './visitor.ts';

const visitors = withVisitors();
const output = scratchPath('windows');
let serving: Serving;
let visitor: Visitor;
/** Everything that was exported from the page, to be found in the files of the job. */
const exported: string[][] = [];

beforeAll(async () => {
  serving = await serve([
    '--simulate',
    // A third of the late events are late enough to be refused, the others make their windows fire again.
    'devices=12,rate=300,seed=3,disorder=exp:200ms,late=0.05,behind=2s',
    '--window',
    '2s',
    '--out-of-orderness',
    '1s',
    '--allowed-lateness',
    '40s',
    '--output',
    output,
  ]);
  visitor = await visitors.visit(`${serving.url}windows`);
  await visitor.live();
});

const results = () => visitor.page.getByRole('region', { name: 'Results', exact: true });

/** Pauses, so that page and export speak of the same moment, and exports. */
async function exportPaused(): Promise<{ header: string[]; rows: string[][]; shown: string[][] }> {
  await visitor.page.getByRole('button', { name: 'Pause' }).click();
  const [download] = await Promise.all([
    visitor.page.waitForEvent('download'),
    results().getByRole('button', { name: 'Export CSV' }).click(),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  const [header = [], ...rows] = parseCsv(Buffer.concat(chunks).toString());
  const shown = await visitor.read<string[][]>(
    `[...document.querySelectorAll('[aria-label="Window results, scrolls"] tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText.split(/\\n?, count was/)[0]))`,
  );
  await visitor.page.getByRole('button', { name: 'Resume' }).click();
  exported.push(...rows);
  return { header, rows, shown };
}

/** A row of the export as the table writes it. */
function asShown(header: string[], row: string[]): string[] {
  const cell = (name: string) => row[header.indexOf(name)] ?? '';
  const number = (name: string) => Number(cell(name)).toFixed(1).replace('-', '−');
  const clock = (ms: number, digits: number) => new Date(ms).toISOString().slice(11, digits);
  const sensor = (name: string) => ['min', 'avg', 'max'].map((one) => number(`${name}_${one}`)).join(' / ');
  return [
    cell('device_id'),
    `[${clock(Number(cell('window_start')), 19)}, ${clock(Number(cell('window_end')), 19)})`,
    cell('count'),
    sensor('temperature'),
    sensor('humidity'),
    sensor('pressure'),
    cell('pane') === 'on-time' ? 'on time' : '▲ late update',
    clock(Number(cell('emitted_at')), 23),
  ];
}

describe('the Windows page', () => {
  it('fills charts and table, and shows how the open windows fill', async () => {
    await visitor.until(`document.querySelectorAll('.recharts-surface').length === 6`);
    await visitor.until(`document.querySelectorAll('[aria-label="Window results, scrolls"] tbody tr').length >= 24`);
    await visitor.until(`document.querySelectorAll('path.recharts-line-curve').length === 6`);
    const bar = `Number(document.querySelector('[role=progressbar]').getAttribute('aria-valuenow'))`;
    await visitor.until(`${bar} > 0 && ${bar} < 60`);
    const before = await visitor.read<number>(bar);
    await visitor.until(`${bar} > ${before}`);
    expect(await visitor.troubles()).toEqual([]);
  });

  it('shows a late update in the row of its window, with what was there before', async () => {
    // It flashes when it comes; the row keeps the word and the former numbers.
    await visitor.until(`document.querySelector('tr.flash')`);
    const updated = `[...document.querySelectorAll('tbody tr')].find((row) => /late update/.test(row.innerText) && row.cells[2].title.startsWith('was '))`;
    await visitor.until(updated);
    const [count, was] = await visitor.read<[string, string]>(
      `((row) => [row.cells[2].innerText, row.cells[2].title])(${updated})`,
    );
    expect(Number(count)).toBeGreaterThan(Number(was.replace('was ', '')));
    const keys = await visitor.read<string[]>(
      `[...document.querySelectorAll('tbody tr')].map((row) => row.cells[0].innerText + row.cells[1].innerText)`,
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('exports what is on screen', async () => {
    await visitor.until(`document.querySelectorAll('[aria-label="Window results, scrolls"] tbody tr').length >= 55`);
    const { header, rows, shown } = await exportPaused();
    expect(shown.length).toBeGreaterThan(30);
    expect(rows.slice(0, shown.length).map((row) => asShown(header, row))).toEqual(shown);
  });

  it('stands still under the pointer and says what waits', async () => {
    const firstRow = `document.querySelector('[aria-label="Window results, scrolls"] tbody tr').innerText`;
    await results().locator('tbody tr').nth(2).hover();
    const held = await visitor.read<string>(firstRow);
    await results().getByText('when you leave the table').waitFor();
    expect(await visitor.read<string>(firstRow)).toBe(held);
    await visitor.page.mouse.move(5, 5);
    await visitor.until(`${firstRow} !== ${JSON.stringify(held)}`);
  });

  it('switches sensors, filters rows and pins devices, all in the address', async () => {
    // The address tells, and then the button: so a click is all there is to wait for.
    await visitor.page.getByRole('radio', { name: 'Humidity' }).click();
    await visitor.until(`document.querySelector('.recharts-surface title').textContent.startsWith('Humidity of ')`);
    await visitor.page.getByRole('textbox', { name: 'Filter rows by device' }).fill('device-1');
    const devices = `[...new Set([...document.querySelectorAll('[aria-label="Window results, scrolls"] tbody tr')].map((row) => row.cells[0].innerText))].sort().join()`;
    await visitor.until(`${devices} === 'device-1,device-10,device-11'`);

    await visitor.page.getByRole('combobox', { name: 'Device to pin' }).fill('device-11');
    await visitor.page.getByRole('button', { name: 'Pin', exact: true }).click();
    await visitor.until(`${devices} === 'device-11' && document.querySelectorAll('.recharts-surface').length === 1`);
    expect(new URL(visitor.page.url()).search).toBe('?metric=humidity&q=device-1&dev=device-11');
    const { rows } = await exportPaused();
    expect(new Set(rows.map(([device]) => device))).toEqual(new Set(['device-11']));

    await visitor.page.reload();
    await visitor.until(`${devices} === 'device-11' && document.querySelectorAll('.recharts-surface').length === 1`);
    expect(await visitor.page.getByRole('radio', { name: 'Humidity' }).isChecked()).toBe(true);
    await visitor.page.getByRole('button', { name: 'Unpin device-11' }).click();
    await visitor.until(`document.querySelectorAll('.recharts-surface').length === 6`);
    expect(await visitor.troubles()).toEqual([]);
  });

  it('has shown exactly the numbers that are in the files of the job', async () => {
    await serving.stop('SIGTERM');
    const firings = new Map<string, string[]>();
    for (const [device, start, end, ...values] of readResults(output).windows) {
      const key = [device, start, end].join();
      firings.set(key, [...(firings.get(key) ?? []), values.join()]);
    }
    expect(exported.length).toBeGreaterThan(50);
    for (const [device, start, end, ...rest] of exported) {
      const values = rest.slice(0, -2).join();
      const written = firings.get([device, start, end].join()) ?? [];
      if (rest.at(-2) === 'on-time') expect(values).toBe(written[0]);
      else expect(written.slice(1)).toContain(values);
    }
  });
});
