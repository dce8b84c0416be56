/**
 * The server's part in an upgrade: it ends its job behind a savepoint and makes way. What comes after is its supervisor's business (`trial.ts`),
 * which tells the servers to come how it went.
 */

import type { ServedUpgrade } from '#api/http/upgrade.ts';
import { messageOf, UsageError, WeirError } from '#base/errors.ts';
import type { JobMaster } from '#runtime/job/job-master.ts';
import { isSettled, NO_UPGRADE, type UpgradeView, type UpgradeWish } from '#shared/upgrade.ts';

/** Flags that a request may give: how a job runs, never what it reads, where it writes or who may ask. */
const ALLOWED = new Set([
  '--parallelism',
  '--task-managers',
  '--slots',
  '--restart',
  '--heartbeat-timeout',
  '--state-alert',
  '--checkpoint-interval',
  '--checkpoint-mode',
  '--checkpoint-unaligned',
  '--alignment-timeout',
  '--checkpoint-timeout',
  '--checkpoint-min-pause',
  '--tolerable-failed-checkpoints',
  '--retained-checkpoints',
  '--savepoint-interval',
  '--retained-savepoints',
]);

export interface UpgradingOptions {
  /** A supervisor looks after this process. */
  readonly supervised: boolean;
  readonly job: Pick<JobMaster, 'state' | 'stopWithSavepoint'> | null;
  /** The savepoint is complete and the job has ended: the supervisor is to be told, and the server to end. */
  readonly handOver: (savepoint: string, wish: UpgradeWish) => void;
}

export class Upgrading implements ServedUpgrade {
  #options: UpgradingOptions | null = null;
  #view: UpgradeView;

  /** `view`: as the supervisor has it. */
  constructor(view: UpgradeView = NO_UPGRADE) {
    this.#view = view;
  }

  /** The job that is served from now on. */
  serves(options: UpgradingOptions): void {
    this.#options = options;
  }

  get view(): UpgradeView {
    return this.#view;
  }

  /** The supervisor has decided. */
  hear(view: UpgradeView): void {
    this.#view = view;
  }

  begin(wish: UpgradeWish): void {
    const { supervised, job, handOver } = this.#options as UpgradingOptions;
    if (!supervised)
      throw new UsageError(
        'Nobody looks after this server, so nobody could start its next version: use npm start, or weir serve --supervise.',
      );
    checkFlags(wish.flags);
    if (!isSettled(this.#view)) throw new WeirError('UPGRADING', 'An upgrade is under way.');
    if (job === null || job.state !== 'RUNNING')
      throw new WeirError('NOT_RUNNING', `An upgrade needs a job that runs; this one is ${job?.state ?? 'not there'}.`);
    const saving: UpgradeView = { phase: 'saving', savepoint: null, flags: wish.flags, reason: null };
    this.#view = saving;
    job.stopWithSavepoint().then(
      ({ path }) => {
        this.#view = { ...saving, phase: 'starting', savepoint: path };
        handOver(path, wish);
      },
      (error: unknown) => {
        this.#view = { ...saving, phase: 'failed', reason: `No savepoint could be taken: ${messageOf(error)}` };
      },
    );
  }
}

/** Throws a `UsageError`. */
export function checkFlags(flags: readonly string[]): void {
  for (const flag of flags) {
    if (!flag.startsWith('-')) continue;
    const name = flag.replace(/=.*$/s, '');
    if (!ALLOWED.has(name))
      throw new UsageError(
        `${name.slice(0, 80)} cannot change with an upgrade: stop the server and start it with other flags. What can: ${[...ALLOWED].join(', ')}.`,
      );
  }
}
