/**
 * Which version of itself a supervised server is: the one it was started as, until `weir upgrade` has it make way for the newest build, which is
 * on trial (`trial.ts`) until it has shown that it gets on. Where it does not, the one before takes over again, from the same savepoint.
 *
 *   as started ──hands over──> the newest build, with the flags asked for ──gets on──> as started
 *                                        └── fails, or gets nowhere ──> the version before
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NO_UPGRADE, type UpgradeView, type UpgradeWish } from '#shared/upgrade.ts';
import type { SupervisedNews } from './supervised.ts';
import { Trial, type Version } from './trial.ts';

/** What the supervisor does for it. */
export interface VersionsHost {
  /** The next server goes on from this savepoint, as if it were the first one. */
  goOnFrom(savepoint: string): void;
  /** Ends the server that runs, at once. */
  kill(): void;
  /** The server that runs is told how the upgrade stands. */
  tell(view: UpgradeView): void;
  /** A line for people. */
  say(line: string): void;
}

/** Characters that are kept of what a server on trial says on standard error. */
const KEPT_OF_SAID = 4000;

export class Versions {
  readonly #host: VersionsHost;
  #version: Version = { main: ownProgram(), flags: [] };
  #view: UpgradeView = NO_UPGRADE;
  /** The server has made way, and what is to come after it. */
  #handedOver: (UpgradeWish & { readonly savepoint: string }) | null = null;
  #trial: Trial | null = null;
  #timer: NodeJS.Timeout | undefined;
  #said = '';

  constructor(host: VersionsHost) {
    this.#host = host;
  }

  get view(): UpgradeView {
    return this.#view;
  }

  /** What it says on standard error may be why it has failed: give it to `said`. */
  get onTrial(): boolean {
    return this.#trial !== null;
  }

  /** What to start now. A build that was running stays what it is, unless it has been cleared away. */
  next(): Version {
    this.#said = '';
    const { main, flags } = this.#version;
    return { main: existsSync(main) ? main : newestProgram(), flags };
  }

  hear(news: SupervisedNews): void {
    if (news.type === 'hand-over') this.#handedOver = news;
    if (this.#trial === null) return;
    this.#trial.hear(news);
    this.#judge(this.#trial);
  }

  said(text: string): void {
    this.#said = (this.#said + text).slice(-KEPT_OF_SAID);
  }

  /** True: the server has ended because another version is to take its place, which is to be started at once. */
  takeOver(how: string): boolean {
    if (this.#handedOver !== null) this.#try(this.#handedOver);
    else if (this.#trial !== null) this.#rollBack(this.#trial, how);
    else return false;
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** The next server is the newest build, with the flags asked for. */
  #try({ savepoint, flags, withinMs }: UpgradeWish & { readonly savepoint: string }): void {
    this.#handedOver = null;
    const before = this.#version;
    const trial = new Trial({ before, savepoint, flags, withinMs });
    this.#trial = trial;
    this.#timer = setTimeout(() => {
      trial.expire();
      this.#judge(trial);
    }, withinMs);
    this.#version = { main: newestProgram(), flags: [...before.flags, ...flags] };
    this.#host.goOnFrom(savepoint);
    this.#view = { phase: 'starting', savepoint, flags, reason: null };
    this.#host.say(`the server has made way, with its job in ${savepoint}; starting its next version.`);
  }

  /** Ends the trial where it is decided: a version that has failed is killed, and `#rollBack` follows. */
  #judge(trial: Trial): void {
    if (trial.failure !== null) this.#host.kill();
    if (!trial.proven || this.#trial !== trial) return;
    this.#end({ ...this.#view, phase: 'upgraded' });
    this.#host.say('the new version gets on: upgraded.');
  }

  #rollBack(trial: Trial, how: string): void {
    trial.ended(how, this.#said);
    const { before, savepoint } = trial.options;
    this.#version = before;
    this.#host.goOnFrom(savepoint);
    this.#end({ ...this.#view, phase: 'rolled-back', reason: trial.failure });
    this.#host.say(`the new version is given up, because ${trial.failure}; the one before goes on from ${savepoint}.`);
  }

  #end(view: UpgradeView): void {
    clearTimeout(this.#timer);
    this.#trial = null;
    this.#view = view;
    this.#host.tell(view);
  }
}

/** Bundled, this module lies beside the program's entry. */
function ownProgram(): string {
  return fileURLToPath(new URL('./main.js', import.meta.url));
}

/** What was called: it runs what the sources say by now. */
function newestProgram(): string {
  return process.argv[1] as string;
}
