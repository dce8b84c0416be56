/** Starts `weir serve` as a user would, one real process per call, and stops it when the tests of the file are over. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_MS = 20_000;
const STOP_MS = 15_000;

/** The program with the dashboard beside it; the directory of a build does not change while tests run. */
const MAIN = builtMain();

function builtMain(): string {
  execFileSync(process.execPath, [join(ROOT, 'server/build.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // The test runner says `test`, with which React would be built for development.
    env: { ...process.env, NODE_ENV: 'production' },
  });
  return realpathSync(join(ROOT, 'dist/server/main.js'));
}

const running = new Set<Serving>();
afterAll(async () => {
  await Promise.all([...running].map((serving) => serving.stop('SIGKILL')));
});

/** A served job. `url` ends with a slash. */
export class Serving {
  readonly url: string;
  readonly port: number;
  /** `Date.now()` when it said that it listens. */
  readonly upAt = Date.now();
  readonly #said: () => string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  constructor(child: ChildProcess, url: string, said: () => string) {
    this.#child = child;
    this.#said = said;
    this.url = url;
    this.port = Number(new URL(url).port);
    this.#exited = new Promise((resolve) => child.on('exit', () => resolve()));
    running.add(this);
  }

  /** Everything it has said so far. */
  get log(): string {
    return this.#said();
  }

  /** Writes to the input of a job that reads `--input -`. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Resident memory in MB; NaN where the system does not tell. */
  residentMb(): number {
    const { pid } = this.#child;
    try {
      return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
    } catch {
      return Number.NaN;
    }
  }

  /** The whole process stands still until `goOn`, as on a machine that is out of breath. */
  standStill(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    running.delete(this);
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}

/** `weir serve` with these flags, listening on `port` (0: any free one). Its input stays open. */
export function serve(flags: readonly string[], port = 0): Promise<Serving> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', String(port), ...flags], { stdio: 'pipe' });
  // A process that was killed closes its input: not our failure.
  child.stdin.on('error', () => {});
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`weir serve does not listen after ${START_MS} ms: ${said}`));
    }, START_MS);
    let heard = false;
    const hear = (text: string): void => {
      said += text;
      if (heard) return;
      const url = /Weir is at (http:\S+)/.exec(said)?.[1];
      if (url === undefined) return;
      heard = true;
      clearTimeout(timer);
      resolve(new Serving(child, url, () => said));
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`weir serve ended with ${code}: ${said}`));
    });
  });
}
