/** Starts `weir serve --supervise` as a user would, and says how its servers fare. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { afterEach } from 'vitest';
import { MAIN, scratchPath } from './weir.ts';

/** For a loaded machine. */
export const PATIENCE = { timeout: 60_000, interval: 20 };

/** A supervisor, and what it and its servers have said. */
export class Supervised {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  said = '';

  constructor(program: string, flags: readonly string[]) {
    const args = [program, 'serve', '--supervise', '--port', '0', ...flags];
    this.process = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: dirname(scratchPath('')) });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.said += text;
      });
    this.ended = new Promise((resolve) => this.process.on('exit', (code) => resolve(code)));
  }

  /** Pid of the server; null: none just now. */
  get server(): number | null {
    try {
      const pids = execFileSync('ps', ['-o', 'pid=', '--ppid', `${this.process.pid}`], { encoding: 'utf8' });
      return Number(pids.trim().split('\n')[0]) || null;
    } catch {
      return null;
    }
  }

  get urls(): string[] {
    return [...this.said.matchAll(/Weir is at (http:\S+)/g)].map(([, url]) => url as string);
  }

  async job(): Promise<{ jid: string; state: string } | null> {
    const answer = await fetch(`${this.urls.at(-1)}v1/jobs/overview`).catch(() => null);
    const { jobs } = ((await answer?.json()) ?? { jobs: [] }) as { jobs: { jid: string; state: string }[] };
    return jobs[0] ?? null;
  }

  async completed(): Promise<number> {
    const job = await this.job();
    const answer = await fetch(`${this.urls.at(-1)}v1/jobs/${job?.jid}/checkpoints`).catch(() => null);
    const { counts } = ((await answer?.json()) ?? {}) as { counts?: { completed: number } };
    return counts?.completed ?? 0;
  }
}

const started: Supervised[] = [];
/** Gone when the test is over. */
export function supervised(...flags: string[]): Supervised {
  return supervisedBy(MAIN, flags);
}

/** `program`: what is called instead of the built command line. */
export function supervisedBy(program: string, flags: readonly string[]): Supervised {
  const one = new Supervised(program, flags);
  started.push(one);
  return one;
}
afterEach(async () => {
  for (const one of started.splice(0)) {
    one.process.kill('SIGKILL');
    await one.ended;
  }
});
