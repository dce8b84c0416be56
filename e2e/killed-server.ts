/**
 * A job in a server that is killed again and again, at moments of every kind, goes on each time from what it finds, and is left alone in the end.
 *
 * Its simulator keeps to a rate that outlasts all those who kill it; whoever is left alone is then told to go as fast as it can. With a number
 * of events that changes no row.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { Random } from '#base/random.ts';
import type { Command, CommandResult } from '#shared/live.ts';
import { MAIN } from './weir.ts';

/**
 * Two minutes of it, at a rate of which every instant is a whole number of 1/16 ms. One split, and watermarks that move with every event: so late
 * events are the same in every run.
 */
export const SIMULATE =
  'devices=100,rate=16k,speed=8,events=2M,splits=1,seed=11,disorder=uniform:2s,malformed=0.001,late=0.01';
/** The job, and everything that it says. */
export const KILLED: readonly string[] = [
  ...['--simulate', SIMULATE, '--window', '1s', '--watermark-emit', 'on-event', '--idle-timeout', 'off', '--verbose'],
];

/** What is waited for until a process is killed. */
const MOMENTS = {
  /** The program is starting. */
  starting: { mostMs: 500 },
  /** It listens: the job is opening its checkpoint, or has begun to run. */
  beginning: { mostMs: 150 },
  /** It has completed a checkpoint. */
  running: { mostMs: 150 },
  /** It is writing a checkpoint. */
  writing: { mostMs: 5 },
} as const;
type Moment = keyof typeof MOMENTS;

/** Checkpoints and their writing come more often than starts in the life of a job. */
const DRAWN: readonly Moment[] = ['starting', 'beginning', 'running', 'running', 'writing', 'writing'];

const POLL_MS = 2;
/** Nothing that is waited for takes so long, unless something hangs. */
const PATIENCE_MS = 60_000;

export interface KilledServer {
  /** Of `weir serve`, without checkpoints. */
  readonly flags: (attempt: number) => readonly string[];
  /** Directory of checkpoints. */
  readonly checkpoints: string;
  readonly kills: number;
  readonly seed: number;
  /** Awaited in the first attempt, which takes no checkpoint: then it is killed. */
  readonly begun: () => boolean | Promise<boolean>;
}

export interface KilledServerResult {
  /** Of the kills. */
  readonly moments: readonly Moment[];
  /** What the servers said on standard error. */
  readonly said: readonly string[];
  /** Of the job, in the end. */
  readonly state: string;
}

/** SIGKILLs the server so many times, and then lets the job end. */
export async function serveKilled(killed: KilledServer): Promise<KilledServerResult> {
  const { flags, checkpoints, kills, seed, begun } = killed;
  const random = new Random(seed);
  const moments: Moment[] = [];
  const said: string[] = [];
  for (let attempt = 0; ; attempt++) {
    const first = attempt === 0;
    const found = new Set(completedIn(checkpoints));
    const server = new Server([
      ...flags(attempt),
      ...['--checkpoint-dir', checkpoints, '--checkpoint-interval', first ? '1d' : '50ms'],
      ...(first ? [] : ['--resume', 'latest']),
    ]);
    try {
      if (attempt === kills) {
        await server.until('it listens', () => server.url !== null);
        const state = await server.letEnd();
        return { moments, said: [...said, server.said], state };
      }
      // The second one has nothing to go on from, and must get far enough to say so.
      const moment = attempt < 2 ? 'running' : (DRAWN[random.below(DRAWN.length)] as Moment);
      if (first) await server.until('it has begun', begun);
      else if (moment === 'beginning') await server.until('it listens', () => server.url !== null);
      else if (moment === 'running')
        await server.until('a checkpoint', () => completedIn(checkpoints).some((name) => !found.has(name)));
      else if (moment === 'writing')
        await server.until('a checkpoint in progress', () => isWriting(checkpoints, found));
      await sleep(random.next() * MOMENTS[moment].mostMs);
      moments.push(moment);
    } finally {
      await server.kill();
    }
    said.push(server.said);
  }
}

/** The same job undisturbed, for comparison; gives its last state. */
export async function serveToEnd(flags: readonly string[]): Promise<string> {
  const server = new Server([...flags, '--checkpoint-interval', 'off']);
  try {
    await server.until('it listens', () => server.url !== null);
    return await server.letEnd();
  } finally {
    await server.kill();
  }
}

class Server {
  said = '';
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #code: number | null | undefined;

  constructor(flags: readonly string[]) {
    this.#process = spawn(process.execPath, [MAIN, 'serve', '--port', '0', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.said += text;
      });
    this.#ended = new Promise((resolve) =>
      this.#process.on('close', (code) => {
        this.#code = code;
        resolve();
      }),
    );
  }

  get url(): string | null {
    return /Weir is at (http:\S+)/.exec(this.said)?.[1] ?? null;
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (this.#code !== undefined) throw new Error(`The server ended by itself (${this.#code}):\n${this.said}`);
      if (Date.now() > deadline) throw new Error(`Waited for in vain: ${what}.\n${this.said}`);
      await sleep(POLL_MS);
    }
  }

  /** As fast as it goes. */
  async letEnd(): Promise<string> {
    const socket = io(this.url as string, { transports: ['websocket'], auth: { epoch: '', eventSeq: 0 } });
    try {
      // Refused until the job runs.
      await this.until('the command', async () => {
        const command: Command = { type: 'change-simulator', settings: { rate: null }, commandId: randomUUID() };
        const { ok }: CommandResult = await socket.timeout(PATIENCE_MS).emitWithAck('command', command);
        return ok;
      });
    } finally {
      socket.disconnect();
    }
    let state = '';
    await this.until('the end of the job', async () => {
      const answer = await fetch(`${this.url}v1/jobs/overview`);
      const { jobs } = (await answer.json()) as { jobs: { state: string }[] };
      state = jobs[0]?.state ?? '';
      return ['FINISHED', 'FAILED', 'CANCELED'].includes(state);
    });
    return state;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** Names of the completed ones. */
function completedIn(directory: string): string[] {
  return checkpointsIn(directory).filter((name) => filesIn(join(directory, 'iot', name)).includes('_metadata'));
}

function isWriting(directory: string, found: ReadonlySet<string>): boolean {
  return checkpointsIn(directory).some(
    (name) => !found.has(name) && !filesIn(join(directory, 'iot', name)).includes('_metadata'),
  );
}

function checkpointsIn(directory: string): string[] {
  return filesIn(join(directory, 'iot')).filter((name) => name.startsWith('chk-'));
}

/** Names in a directory; none where it is not there. */
export function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
