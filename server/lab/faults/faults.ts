/**
 * Faults in a running job: real ones, held up by the server for a chosen time, not by the page that asked for them; each ends in a verdict.
 *
 *   start(spec) ──kill──────────> task managers                     what the job says of itself ──> FollowedFault ──> verdict
 *               ──order, by mail> ThreadFaults (operators, disk, the thread itself)
 *               ──disk──────────> the disk of this thread
 *
 * Orders are told again to every attempt of the job, whose threads may be new. Bounds: `FAULT_LIMITS`.
 */

import type { Clock } from '#base/clock.ts';
import { UsageError } from '#base/errors.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { isTerminal } from '#runtime/job/job-state.ts';
import type { AccountsHandover, RowAccounts } from '#runtime/job/row-accounts.ts';
import { FAULT_LIMITS, type Fault, type FaultSpec, type FaultsView, type FaultVerdict } from '#shared/faults.ts';
import type { JobState } from '#shared/live.ts';
import type { InjectionsOptions } from '../injections.ts';
import { JobSight, type SightedJob } from '../job-sight.ts';
import type { DiskSeam } from './disk-seam.ts';
import { readFault } from './fault-spec.ts';
import { describeFault } from './fault-words.ts';
import { FollowedFault, type Sight, strikes } from './followed-fault.ts';
import { effectOf, type FaultOrder, faultIn, tagOf } from './orders.ts';

/** What faults see of a job; `JobMaster` has all of it. */
export interface FaultyJob extends SightedJob {
  readonly state: JobState;
  readonly accounts: RowAccounts;
  /** Null: it takes none. */
  readonly checkpoints: unknown;
  onState(listener: (state: JobState) => void): () => void;
  onNews(listener: (news: JobNews) => void): () => void;
}

/** What faults do to its threads; `TaskManagers` has all of it. */
export interface FaultyThreads {
  readonly count: number;
  kill(taskManager: number, cause: string): void;
  /** To all that are in place, or to one. */
  disturb(order: unknown, taskManager?: number): void;
}

export interface FaultsOptions {
  readonly job: FaultyJob;
  readonly threads: FaultyThreads;
  /** In front of the disk that this thread writes checkpoints to. */
  readonly disk: DiskSeam;
  readonly clock: Clock;
  readonly timers: InjectionsOptions['timers'];
  /** Somebody starts the server again when it dies. */
  readonly supervised: boolean;
  /** Ends this process on the spot; who starts it again is to hand `killed` to the next (`inherited`). */
  readonly killServer: (killed: KilledServer) => void;
  /** The server before was killed by a fault: its verdict is given here. Null: none was. */
  readonly inherited: InheritedFault | null;
}

/** A fault that ends its own server: what the next one has to know of it. Plain data. */
export interface KilledServer {
  readonly id: number;
  readonly spec: FaultSpec;
  readonly startedAt: number;
  readonly before: Sight;
  /** Rows that are read again. */
  readonly ahead: number;
  readonly accounts: AccountsHandover | null;
}

export interface InheritedFault extends KilledServer {
  /** Somebody has seen that the server is gone, ms since the epoch, and how it looked. */
  readonly detectedAt: number;
  readonly sign: string;
}

export interface FaultNews {
  readonly kind: 'fault-started' | 'fault-ended' | 'fault-verdict';
  readonly fault: Fault;
  readonly text: string;
}

/** The job is looked at this often, ms. */
const LOOK_MS = 250;
/** An effect that is over is followed for so long, ms. */
const SETTLE_MS = 60_000;
/** Whoever asked hears of it before the server goes. */
const FAREWELL_MS = 300;

interface Open {
  readonly followed: FollowedFault;
  /** Ends it, or the wait for its verdict. */
  timer: unknown;
  /** Lets go of a thread that hangs. */
  readonly release: (() => void) | null;
}

export class Faults {
  readonly #options: FaultsOptions;
  readonly #open = new Map<number, Open>();
  #verdicts: readonly FaultVerdict[] = [];
  readonly #listeners = new Set<(news: FaultNews) => void>();
  readonly #seen: JobSight;
  #lastId = 0;
  #version = 0;
  #settled = 0;
  /** `RowAccounts.replayed` when it was last looked at. */
  #replayed = 0;
  /** Timer of the next look. */
  #looking: unknown = null;

  constructor(options: FaultsOptions) {
    this.#options = options;
    const { job } = options;
    this.#seen = new JobSight(job, options.clock);
    job.onState((state) => this.#onState(state));
    job.onNews((news) => this.#onNews(news));
    if (options.inherited !== null) this.#inherit(options.inherited);
    this.#look();
  }

  /** The server is back; the job is to run again, and a checkpoint behind it to say what became of the rows. */
  #inherit({ id, spec, startedAt, before, ahead, accounts, detectedAt, sign }: InheritedFault): void {
    if (accounts !== null) this.#options.job.accounts.takeOver(accounts);
    this.#lastId = id;
    // This process counts from nothing.
    const followed = new FollowedFault(id, spec, startedAt, { ...before, late: 0, dropped: 0 });
    followed.end(startedAt, false);
    followed.failed(detectedAt, sign);
    followed.replayed(ahead);
    const open: Open = { followed, timer: null, release: null };
    this.#open.set(id, open);
    this.#arm(open, SETTLE_MS, () => this.#settle(open, false));
  }

  get view(): FaultsView {
    const { threads, supervised, job } = this.#options;
    return {
      version: this.#version,
      open: [...this.#open.values()].map(({ followed }) => followed.progress),
      verdicts: this.#verdicts,
      taskManagers: threads.count,
      supervised,
      checkpoints: job.checkpoints !== null,
    };
  }

  get version(): number {
    return this.#version;
  }

  /** Changes when there is another verdict. */
  get verdictsVersion(): number {
    return this.#settled;
  }

  /** Held up at the moment. */
  get active(): number {
    return [...this.#open.values()].filter(({ followed }) => followed.active).length;
  }

  onNews(listener: (news: FaultNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Throws a `UsageError` that says what is wrong, or why it cannot be now. */
  start(wanted: unknown): Fault {
    const { job, threads, clock } = this.#options;
    const spec = readFault(wanted, job.graph, threads.count);
    if (this.active >= FAULT_LIMITS.active)
      throw new UsageError(`${FAULT_LIMITS.active} faults are active already: stop one first.`);
    if (job.state !== 'RUNNING')
      throw new UsageError(`The job is ${job.state}: a fault can begin while it is RUNNING.`);
    if (job.checkpoints === null && spec.kind.endsWith('-checkpoints'))
      throw new UsageError('This job takes no checkpoints: start it with --checkpoint-interval.');
    this.#seen.sample();
    const followed = new FollowedFault(++this.#lastId, spec, clock.now(), this.#sight(spec));
    const gate = spec.kind === 'hang-task-manager' ? new Int32Array(new SharedArrayBuffer(4)) : null;
    const release = (): void => {
      if (gate === null) return;
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    };
    const open: Open = { followed, timer: null, release };
    this.#open.set(followed.id, open);
    const held = spec.durationMs > 0 ? ` for ${spec.durationMs / 1000} s at most` : '';
    this.#tell('fault-started', followed, `Fault #${followed.id}, ${describeFault(spec)}, started${held}.`);
    this.#strike(followed, gate);
    // A fault that is over at once may have been seen already.
    if (spec.durationMs === 0) this.#over(open, false);
    else this.#arm(open, spec.durationMs, () => this.#over(open, false));
    return followed.fault;
  }

  /** False: it is not active (any more), which is no error. */
  stop(id: number): boolean {
    const open = this.#open.get(id);
    if (!open?.followed.active) return false;
    this.#over(open, true);
    return true;
  }

  /** How many were stopped. */
  stopAll(): number {
    return [...this.#open.keys()].filter((id) => this.stop(id)).length;
  }

  /** Whether there is, or was, such a fault. */
  knows(id: number): boolean {
    return id >= 1 && id <= this.#lastId;
  }

  #strike(followed: FollowedFault, gate: Int32Array | null): void {
    const { threads, timers, killServer } = this.#options;
    const { id, spec } = followed;
    const cause = `it was killed by ${tagOf(id)}`;
    switch (spec.kind) {
      case 'kill-task-manager':
        threads.kill(Number(spec.target) - 1, cause);
        break;
      case 'kill-all-task-managers':
        for (let index = 0; index < threads.count; index++) threads.kill(index, cause);
        break;
      case 'hang-task-manager': {
        const effect = { type: 'hang', gate: gate?.buffer as SharedArrayBuffer, ms: spec.durationMs } as const;
        threads.disturb({ type: 'begin', fault: id, effect } satisfies FaultOrder, Number(spec.target) - 1);
        break;
      }
      case 'kill-server':
        timers.set(() => {
          const { accounts } = this.#options.job;
          const { id, spec, before } = followed;
          // Not before: time is counted from here.
          const startedAt = this.#options.clock.now();
          killServer({ id, spec, startedAt, before, ahead: accounts.ahead, accounts: accounts.handover });
        }, FAREWELL_MS);
        break;
      default:
        this.#order(followed);
    }
  }

  /** Tells all threads; those that know of it already do nothing. */
  #order(followed: FollowedFault): void {
    const effect = effectOf(followed.spec);
    if (effect === null) return;
    const { threads, disk } = this.#options;
    threads.disturb({ type: 'begin', fault: followed.id, effect } satisfies FaultOrder);
    if (followed.spec.kind === 'disk-full' && effect.type === 'disk') disk.begin(followed.id, effect.disk);
  }

  #recall(id: number): void {
    const { threads, disk } = this.#options;
    threads.disturb({ type: 'end', fault: id } satisfies FaultOrder);
    disk.end(id);
  }

  /** One strike has been seen; the last one ends the fault. */
  #struck(open: Open): void {
    const { followed } = open;
    if (!followed.active || !strikes(followed.spec.kind)) return;
    followed.left--;
    if (followed.left > 0) return;
    this.#over(open, false);
    const { id, spec } = followed;
    if (spec.kind === 'corrupt-checkpoints') this.#options.threads.kill(0, `it was killed by ${tagOf(id)}`);
  }

  #over(open: Open, stopped: boolean): void {
    const { followed } = open;
    if (!followed.active) return;
    followed.end(this.#options.clock.now(), stopped);
    open.release?.();
    this.#recall(followed.id);
    this.#arm(open, SETTLE_MS, () => this.#settle(open, false));
    const how = stopped ? 'stopped' : 'over';
    this.#tell('fault-ended', followed, `Fault #${followed.id}, ${describeFault(followed.spec)}, is ${how}.`);
    this.#settleUncounted(open);
  }

  #onState(state: JobState): void {
    const now = this.#options.clock.now();
    if (isTerminal(state)) {
      for (const open of [...this.#open.values()]) {
        if (open.followed.active) this.#over(open, false);
        this.#settle(open, state === 'FAILED');
      }
      return;
    }
    if (state === 'RUNNING') this.#runs(now);
  }

  /** All tasks do, again. */
  #runs(now: number): void {
    this.#follow();
    for (const open of [...this.#open.values()]) {
      open.followed.running(now);
      if (open.followed.active) this.#order(open.followed);
      this.#settleUncounted(open);
    }
    this.#changed();
  }

  #onNews(news: JobNews): void {
    const now = this.#options.clock.now();
    switch (news.type) {
      case 'failure':
        for (const open of this.#concerned(news.message)) {
          open.followed.failed(news.at, news.message);
          this.#recallThrown(open);
        }
        break;
      case 'regions-restarted':
        this.#runs(now);
        break;
      case 'restored':
        for (const { followed } of this.#open.values())
          if (followed.detected) followed.restored(news.checkpoint, news.skipped.length);
        break;
      case 'checkpoint':
        if (news.change.type === 'failed') {
          for (const open of this.#concerned(news.change.text)) {
            open.followed.checkpointFailed(now, news.change.text);
            this.#struck(open);
          }
        }
        if (news.change.type === 'completed') this.#onCompleted(now);
        break;
    }
    this.#follow();
    this.#changed();
  }

  #onCompleted(now: number): void {
    for (const open of [...this.#open.values()]) {
      const { followed } = open;
      if (followed.active) {
        if (followed.spec.kind === 'corrupt-checkpoints') this.#struck(open);
        continue;
      }
      followed.checkpointCompleted(now);
      // One that was killed for has not been seen yet.
      if (followed.over && !isStruckUnseen(followed)) this.#settle(open, false);
    }
  }

  /** A throw that was seen: the operator has forgotten it, and is told again when it runs. */
  #recallThrown(open: Open): void {
    const { kind } = open.followed.spec;
    // The thread that hung is gone.
    if (kind === 'hang-task-manager') this.#over(open, false);
    if (kind !== 'throwing-operator' && kind !== 'failing-sink') return;
    if (open.followed.active) this.#recall(open.followed.id);
    this.#struck(open);
  }

  /** Faults that a failure belongs to: the one it names; else those whose marks it bears, and those that make others fail by what they slow down. */
  #concerned(text: string): Open[] {
    const named = faultIn(text);
    const open = [...this.#open.values()];
    if (named !== null) return open.filter(({ followed }) => followed.id === named);
    return open.filter(({ followed: { spec } }) => {
      switch (spec.kind) {
        case 'hang-task-manager':
          return text.includes(`Task manager ${spec.target} `);
        case 'fail-checkpoints':
          return text.includes('(EIO)');
        case 'disk-full':
          return text.includes('(ENOSPC)');
        default:
          return ['delay-checkpoints', 'slow-operator', 'slow-sink'].includes(spec.kind);
      }
    });
  }

  /** Rows that were read again since it was last looked. */
  #follow(): void {
    const { replayed } = this.#options.job.accounts;
    const rows = replayed - this.#replayed;
    this.#replayed = replayed;
    if (rows > 0) for (const { followed } of this.#open.values()) if (followed.detected) followed.replayed(rows);
  }

  /** Where no checkpoint will ever tell what became of the rows. */
  #settleUncounted(open: Open): void {
    const { job } = this.#options;
    if (job.checkpoints === null && open.followed.over && !isStruckUnseen(open.followed)) this.#settle(open, false);
  }

  #settle(open: Open, failed: boolean): void {
    const { job, timers, clock } = this.#options;
    const { followed } = open;
    if (!this.#open.delete(followed.id)) return;
    timers.clear(open.timer);
    this.#seen.sample();
    followed.look(clock.now(), this.#sight(followed.spec));
    const accounts = followed.over && !failed ? job.accounts.latest : null;
    const audit = accounts === null ? null : { accounts, balance: job.accounts.balance(accounts) };
    const verdict = followed.settle(clock.now(), failed, audit);
    this.#settled++;
    this.#verdicts = [verdict, ...this.#verdicts].slice(0, FAULT_LIMITS.verdicts);
    this.#tell('fault-verdict', followed, verdict.text);
  }

  #arm(open: Open, ms: number, run: () => void): void {
    const { timers } = this.#options;
    timers.clear(open.timer);
    open.timer = timers.set(run, ms);
  }

  /** Another job takes the place of this one, which nobody looks at any more. */
  close(): void {
    const { timers } = this.#options;
    timers.clear(this.#looking);
    for (const { timer, release } of this.#open.values()) {
      timers.clear(timer);
      release?.();
    }
    this.#open.clear();
  }

  #look(): void {
    const { timers, clock } = this.#options;
    this.#seen.sample();
    for (const { followed } of this.#open.values()) followed.look(clock.now(), this.#sight(followed.spec));
    if (this.#open.size > 0) {
      this.#follow();
      this.#changed();
    }
    this.#looking = timers.set(() => this.#look(), LOOK_MS);
  }

  #sight({ target }: FaultSpec): Sight {
    const { rate, lagMs, late, dropped } = this.#seen;
    return { rate, lagMs, late, dropped, busy: target === null ? 0 : this.#seen.busy(target) };
  }

  #tell(kind: FaultNews['kind'], followed: FollowedFault, text: string): void {
    this.#changed();
    for (const listener of this.#listeners) listener({ kind, fault: followed.fault, text });
  }

  #changed(): void {
    this.#version++;
  }
}

/** It strikes at once, but the job has not said so yet. */
function isStruckUnseen({ spec, detected, left }: FollowedFault): boolean {
  const kills = ['kill-task-manager', 'kill-all-task-managers', 'kill-server'].includes(spec.kind);
  return !detected && (kills || (spec.kind === 'corrupt-checkpoints' && left === 0));
}
