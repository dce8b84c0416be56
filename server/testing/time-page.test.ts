import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { timeFigures } from './time-page.ts';

/** Spaces of a table are its formatter's. */
const plain = (text: string): string => text.replaceAll(/ +/g, ' ').replaceAll(/-+:/g, '-:');

it('server/docs/time.md shows what the job gives', async () => {
  const page = plain(readFileSync(new URL('../docs/time.md', import.meta.url), 'utf8'));
  const { table, summary } = await timeFigures();
  expect(page).toContain(plain(table));
  expect(page).toContain(summary);
});
