/**
 * `weir serve --supervise`: runs the server as a process of its own and starts it again when it dies, whatever kills it (SIGKILL, a crash, no
 * memory left). The job goes on from its latest checkpoint by itself, under the same address.
 *
 * Not the default of `weir serve`: who runs it under systemd, in a container or from a script has a supervisor already, and counts on the process
 * it starts being the server. `npm start` is for people, and uses it.
 *
 *   starting ──job runs──> up ──dies──> waiting (0.1 s, 0.2 s … 10 s) ──> starting      ten deaths in a row without a checkpoint between: given up
 *      └── exits before any job ever ran: starting it again would not help; its exit code is ours
 *
 * Which version of the server that is, is told by `versions.ts`.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '#base/errors.ts';
import type { InheritedFault, KilledServer } from '#lab/faults/faults.ts';
import { formatDuration } from '#shared/quantities.ts';
import { removeTemporary, servedCheckpoints } from './serve-checkpoints.ts';
import type { ServeFlags } from './serve-iot.ts';
import { ORDERS, type Orders, type SupervisedNews, type UpgradeNews } from './supervised.ts';
import { Versions } from './versions.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** A server that has lived so long has got on, checkpoint or not. */
const STEADY_MS = 60_000;
const MOST_DEATHS = 10;
/** Runs until the server ends by itself or is told to; gives the exit code. */
export async function supervise(flags: ServeFlags): Promise<number> {
  const temporary = checkpointDirectory(flags);
  try {
    return await new Supervisor(flags, temporary).run();
  } finally {
    if (temporary !== null) for (const path of removeTemporary(temporary)) say(`kept: ${path}`);
  }
}

/** Of the supervisor, so that it outlasts the server; null: the user has said where, or there is no job. */
function checkpointDirectory(flags: ServeFlags): string | null {
  if (flags.input === '-')
    throw new UsageError('--supervise cannot start a job on standard input again: give a file with --input FILE.');
  if (flags.job === false) return null;
  const { flags: filled, temporary } = servedCheckpoints(flags, flags.output ?? null);
  if (filled.checkpointInterval === 'off')
    throw new UsageError('--supervise needs checkpoints to go on from: leave out --checkpoint-interval off.');
  return temporary;
}

class Supervisor {
  readonly #flags: ServeFlags;
  readonly #checkpointDir: string | null;
  #child: ChildProcess | null = null;
  #stopping = false;
  readonly #stop = new AbortController();
  #port: number | null = null;
  /** What the servers so far have told. */
  #ran = false;
  #checkpointed = false;
  #ended = false;
  /** Deaths in a row without getting on. */
  #deaths = 0;
  /** Where the job goes on before it has a checkpoint of its own; null: as the flags say. */
  #origin: string | null = null;
  /** By a fault, just now; and what the next server is told of it. */
  #killed: KilledServer | null = null;
  #fault: InheritedFault | null = null;
  readonly #versions = new Versions({
    goOnFrom: (savepoint) => this.#goOnFrom(savepoint),
    kill: () => this.#child?.kill('SIGKILL'),
    tell: (view) => {
      const news: UpgradeNews = { type: 'upgrade', view };
      if (this.#child?.connected) this.#child.send(news);
    },
    say,
  });

  constructor(flags: ServeFlags, checkpointDir: string | null) {
    this.#flags = flags;
    this.#checkpointDir = checkpointDir;
  }

  async run(): Promise<number> {
    const forward = (signal: NodeJS.Signals): void => {
      this.#stopping = true;
      this.#stop.abort();
      this.#child?.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.on(signal, forward);
    try {
      for (;;) {
        const started = performance.now();
        const { code, signal } = await this.#runOnce();
        if (this.#stopping) return code ?? 1;
        const cause = signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
        this.#fault =
          this.#killed === null ? null : { ...this.#killed, detectedAt: Date.now(), sign: `The server ${cause}.` };
        this.#killed = null;
        if (this.#versions.takeOver(cause)) continue;
        if (code === 0) return 0;
        if (signal === null && !this.#cameUp) return code ?? 1;
        if (performance.now() - started > STEADY_MS) this.#deaths = 0;
        if (++this.#deaths >= MOST_DEATHS) {
          say(`the server ${cause}, for the ${MOST_DEATHS}th time in a row without a checkpoint between: giving up.`);
          return 1;
        }
        const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#deaths - 1));
        say(`the server ${cause}; starting it again in ${formatDuration(pauseMs)}.`);
        await sleep(pauseMs, null, { signal: this.#stop.signal }).catch(() => {});
        if (this.#stopping) return 1;
      }
    } finally {
      for (const signal of signals) process.off(signal, forward);
      this.#versions.close();
    }
  }

  #goOnFrom(savepoint: string): void {
    this.#origin = savepoint;
    this.#checkpointed = false;
    this.#ended = false;
    this.#deaths = 0;
  }

  /** Some server has: what ends the next one may pass. */
  get #cameUp(): boolean {
    return this.#ran || (this.#flags.job === false && this.#port !== null);
  }

  #orders(): Orders {
    return {
      port: this.#port,
      checkpointDir: this.#checkpointDir,
      resume: this.#resume,
      jobEnded: this.#ended,
      upgrade: this.#versions.view,
      fault: this.#fault,
    };
  }

  /** Before the first checkpoint a job that began somewhere else begins there again; where it began anew, what lies there is its own. */
  get #resume(): string | null {
    if (this.#checkpointed) return 'latest';
    return this.#origin ?? (this.#ran && this.#flags.resume === undefined ? 'latest' : null);
  }

  #runOnce(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const { main, flags } = this.#versions.next();
    const child = spawn(process.execPath, [...process.execArgv, main, ...process.argv.slice(2), ...flags], {
      stdio: ['ignore', 'inherit', this.#versions.onTrial ? 'pipe' : 'inherit', 'ipc'],
      env: { ...process.env, [ORDERS]: JSON.stringify(this.#orders()) },
      // Ctrl-C comes to us alone, who hand it on once.
      detached: true,
    });
    this.#child = child;
    child.on('message', (news) => this.#hear(news as SupervisedNews));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text);
      this.#versions.said(text);
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      // With it everything it has said has come.
      child.once('close', (code, signal) => {
        this.#child = null;
        resolve({ code, signal });
      });
    });
  }

  #hear(news: SupervisedNews): void {
    if (news.type === 'listening') this.#port = news.port;
    else if (news.type === 'running') {
      this.#ran = true;
      // One that had ended may have been resumed.
      this.#ended = false;
    } else if (news.type === 'ended') this.#ended = true;
    else if (news.type === 'killed') this.#killed = news.killed;
    else if (news.type === 'checkpoint') {
      this.#checkpointed = true;
      this.#deaths = 0;
    }
    this.#versions.hear(news);
  }
}

function say(line: string): void {
  process.stderr.write(`weir: ${line}\n`);
}
