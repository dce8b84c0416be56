/** Runs that are killed and go on, and what they have committed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '#base/random.ts';
import { MAIN, readParts } from './weir.ts';

const OUTPUTS = [
  ['windows', 'csv'],
  ['errors', 'ndjson'],
  ['late', 'ndjson'],
] as const;

/** Every visible row, sorted; of errors without the time of their arrival. */
export function committedRows(directory: string): Record<string, string[]> {
  return Object.fromEntries(
    OUTPUTS.map(([output, extension]) => {
      const rows = readParts(directory, output, extension).flatMap((part) => {
        const lines = part.trimEnd().split('\n');
        return extension === 'csv' ? lines.slice(1) : lines;
      });
      return [output, rows.map((row) => row.replace(/"ingested_at":\d+/, '"ingested_at":0')).sort()];
    }),
  );
}

/** Averages are sums over counts, and sums of doubles depend on their order in the last digits. */
export function withoutAverages({ windows = [], ...others }: Record<string, string[]>): Record<string, string[]> {
  const cut = (row: string): string =>
    row
      .split(',')
      .filter((_, i) => ![6, 9, 12].includes(i))
      .join(',');
  return { ...others, windows: windows.map(cut) };
}

export interface KilledRun {
  /** Arguments of every attempt; resumed ones get `--resume latest` besides. */
  readonly args: (attempt: number) => readonly string[];
  readonly kills: number;
  readonly seed: number;
  /** Between the start of an attempt and its end, ms. */
  readonly lifetimeMs: readonly [least: number, most: number];
  readonly cwd: string;
}

export interface KilledRunResult {
  readonly kills: number;
  /** Exit code of the attempt that was left alone. */
  readonly code: number | null;
  /** What the attempts said on standard error. */
  readonly said: readonly string[];
}

/** SIGKILLs a run at moments drawn from a seed and resumes it, then lets it end. An attempt that ends by itself is the last one. */
export async function runKilled({ args, kills, seed, lifetimeMs, cwd }: KilledRun): Promise<KilledRunResult> {
  const random = new Random(seed);
  const said: string[] = [];
  for (let attempt = 0; ; attempt++) {
    const resume = attempt === 0 ? [] : ['--resume', 'latest'];
    const child = spawn(process.execPath, [MAIN, ...args(attempt), ...resume], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = endOf(child, said);
    if (attempt === kills) return { kills: attempt, code: await ended, said };
    const [least, most] = lifetimeMs;
    const survived = await Promise.race([
      ended,
      sleep(least + random.next() * (most - least)).then(() => 'alive' as const),
    ]);
    if (survived !== 'alive') return { kills: attempt, code: survived, said };
    child.kill('SIGKILL');
    await ended;
  }
}

function endOf(child: ChildProcess, said: string[]): Promise<number | null> {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      said.push(text);
      resolve(code);
    });
  });
}
