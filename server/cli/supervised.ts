/**
 * What a supervisor and the server under it say to each other (`supervise.ts`): orders come with the environment, news goes back by message.
 *
 *   weir serve --supervise ── starts, with WEIR_SUPERVISED ──> the server ── listening, running, checkpoint, ended, hand-over ──> weir serve --supervise
 *           └── the outcome of an upgrade ──> the server
 */

import type { InheritedFault, KilledServer } from '#lab/faults/faults.ts';
import type { JobMaster } from '#runtime/job/job-master.ts';
import type { UpgradeView, UpgradeWish } from '#shared/upgrade.ts';
import type { ServeFlags } from './serve-iot.ts';

export const ORDERS = 'WEIR_SUPERVISED';

/** What differs from what the user has said. */
export interface Orders {
  /** Of the server before, which pages know; null: as was said. */
  readonly port: number | null;
  /** Of the supervisor, where nobody has said one. */
  readonly checkpointDir: string | null;
  /** What the job goes on from, wherever the first one began: `latest`, once a server before has taken a checkpoint, or a path; null: as was said. */
  readonly resume: string | null;
  /** The job had ended before: it is not started again. */
  readonly jobEnded: boolean;
  /** As it stands. While it is `starting` this server is the one that is tried. */
  readonly upgrade: UpgradeView;
  /** The server before was killed by a fault, whose verdict this one gives; null: it was not. */
  readonly fault: InheritedFault | null;
}

export type SupervisedNews =
  | { readonly type: 'listening'; readonly port: number }
  /** The job runs: nothing that was there before is given up any more. */
  | { readonly type: 'running' }
  /** Completed; with so many rows read since this server began. */
  | { readonly type: 'checkpoint'; readonly rows: number }
  /** `failure`: why, if it failed. */
  | { readonly type: 'ended'; readonly failure: string | null }
  /** A fault kills the server now. */
  | { readonly type: 'killed'; readonly killed: KilledServer }
  /** The job has ended behind a savepoint, the server ends: the next version is to go on from it. */
  | ({ readonly type: 'hand-over'; readonly savepoint: string } & UpgradeWish);

/** What a supervisor tells the server. */
export interface UpgradeNews {
  readonly type: 'upgrade';
  readonly view: UpgradeView;
}

/** Null: nobody looks after this process. */
export function ordersOf(environment: NodeJS.ProcessEnv): Orders | null {
  const text = environment[ORDERS];
  return text === undefined ? null : (JSON.parse(text) as Orders);
}

/** Flags as the supervisor wants them. */
export function underOrders(flags: ServeFlags, { port, checkpointDir, resume, jobEnded }: Orders): ServeFlags {
  const given: ServeFlags = { ...flags, port: port ?? flags.port };
  if (checkpointDir !== null) given.checkpointDir = checkpointDir;
  if (jobEnded) given.job = false;
  if (resume === null) return given;
  const { claim, allowNonRestoredState, overwrite, ...others } = given;
  return { ...others, resume };
}

/** `then`: once it is on its way. */
export function tell(news: SupervisedNews, then: () => void = () => {}): void {
  if (process.send === undefined) then();
  else process.send(news, then);
}

/** Between two looks whether a server that is tried has read something, ms. */
const LOOK_MS = 100;

export interface Report {
  readonly port: number;
  readonly master: JobMaster | null;
  /** Rows that its sources have read. */
  readonly rows: () => number;
  /** The server is one that is tried. */
  readonly tried: boolean;
  /** The job ends for the next version to go on: for who looks after it, it has not ended. */
  readonly makesWay: () => boolean;
}

/** Tells the supervisor how the job fares; with the supervisor gone the server stops. Does nothing where there is none. */
export function reportToSupervisor({ port, master, rows, tried, makesWay }: Report): void {
  if (process.send === undefined) return;
  // Nobody would start it again, and nobody could stop it.
  if (process.listenerCount('disconnect') === 0) process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
  tell({ type: 'listening', port });
  if (master === null) return;
  master.onState((state) => {
    if (state === 'RUNNING') tell({ type: 'running' });
    if ((state === 'FINISHED' || state === 'CANCELED' || state === 'FAILED') && !makesWay())
      tell({ type: 'ended', failure: state === 'FAILED' ? (master.failure?.message ?? 'no cause known') : null });
  });
  master.onNews((news) => {
    if (news.type === 'checkpoint' && news.change.type === 'completed' && news.change.kind === 'checkpoint')
      tell({ type: 'checkpoint', rows: rows() });
  });
  if (tried) checkpointSoon(master, rows);
}

/** Nobody should wait for an interval to hear that the new version gets on. */
function checkpointSoon(master: JobMaster, rows: () => number): void {
  const look = setInterval(() => {
    if (master.state !== 'RUNNING' || rows() === 0) return;
    clearInterval(look);
    // What fails is told as any checkpoint is.
    void master.checkpoint().catch(() => {});
  }, LOOK_MS);
  void master.done.then(() => clearInterval(look));
}

/** Has `hear` told what the supervisor says. */
export function listenToSupervisor(hear: (news: UpgradeNews) => void): void {
  if (process.send !== undefined) process.on('message', (news) => hear(news as UpgradeNews));
}
