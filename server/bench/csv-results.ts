/** Results as CSV, read back to be compared. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Device and window start -> the other cells, by column. */
export type Results = Map<string, Record<string, number>>;

/** Averages depend on the order of their sums. */
const TOLERANCE = 1e-9;

/** All CSV files of a directory, or one file. Every file starts with the header. */
export function readResults(path: string): Results {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.csv'))
        .map((name) => join(path, name))
    : [path];
  const results: Results = new Map();
  for (const file of files) {
    const [header = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
    const columns = header.split(',');
    for (const line of lines) {
      const cells = line.split(',');
      const row: Record<string, number> = {};
      for (const [i, column] of columns.entries()) if (column !== 'device_id') row[column] = Number(cells[i]);
      const key = `${cells[columns.indexOf('device_id')]} ${row.window_start}`;
      if (results.has(key)) throw new Error(`${file}: ${key} has two results.`);
      results.set(key, row);
    }
  }
  return results;
}

/** Null: they are the same, averages to a relative 1e-9, all else exactly. */
export function firstDifference(a: Results, b: Results): string | null {
  if (a.size !== b.size) return `${a.size} results, not ${b.size}`;
  for (const [key, row] of a) {
    const other = b.get(key);
    if (other === undefined) return `${key} is missing`;
    const columns = Object.keys(other);
    if (columns.length !== Object.keys(row).length) return `${key} has other columns`;
    for (const column of columns) {
      const x = row[column] ?? Number.NaN;
      const y = other[column] ?? Number.NaN;
      const same = column.endsWith('_avg') ? Math.abs(x - y) <= TOLERANCE * Math.abs(y) : x === y;
      if (!same) return `${key}, ${column}: ${x}, not ${y}`;
    }
  }
  return null;
}
