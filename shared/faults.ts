/**
 * Faults: what one can do to a running job on purpose, as server and dashboard type it. They are real: threads end, operators throw, disks
 * refuse. Times are milliseconds since the epoch, durations end in `Ms`.
 */

export type FaultKind =
  | 'kill-task-manager'
  | 'kill-all-task-managers'
  | 'hang-task-manager'
  | 'throwing-operator'
  | 'slow-operator'
  | 'slow-sink'
  | 'failing-sink'
  | 'fail-checkpoints'
  | 'delay-checkpoints'
  | 'corrupt-checkpoints'
  | 'disk-full'
  | 'kill-server';

/** What a fault strikes: a task manager by its number from 1, an operator or a sink by its id; `job`: all of it. */
export type FaultTargetKind = 'task-manager' | 'operator' | 'sink' | 'job';

export interface FaultSpec {
  readonly kind: FaultKind;
  /** Number of the task manager, or id of the operator; null where the kind strikes the whole job. */
  readonly target: string | null;
  /** See `FAULTS[kind].unit`; 1 where it has none. */
  readonly strength: number;
  /** How long the server keeps it up, at most; 0 for those that are over at once. */
  readonly durationMs: number;
  /** What is expected: that the job has recovered after so long; null: nothing is. */
  readonly expectedMs: number | null;
}

export interface Fault extends FaultSpec {
  /** 1, 2, 3 … within a server. */
  readonly id: number;
  readonly startedAt: number;
  /** Planned end while it is held up, real end afterwards. */
  readonly endsAt: number;
  /** `active`: held up by the server; `settling`: over, and its effects are still followed; `settled`: its verdict is there. */
  readonly phase: 'active' | 'settling' | 'settled';
  readonly stopped: boolean;
}

/**
 * `recovered`: something broke, and the job came back; `unharmed`: nothing did; `failed`: the job ended; `unsettled`: not known, because nothing
 * that would tell has happened in time.
 */
export type FaultOutcome = 'recovered' | 'unharmed' | 'failed' | 'unsettled';

/** What became of a fault. Null: not known, or it did not happen. */
export interface FaultVerdict {
  readonly fault: Fault;
  readonly settledAt: number;
  readonly outcome: FaultOutcome;
  /** From the start of the fault to the first sign: the job failed, a checkpoint did, or the target was seen to be overloaded. */
  readonly detectedAfterMs: number | null;
  /** From the start of the fault until everything ran again, for good. */
  readonly recoveredAfterMs: number | null;
  /** What was detected, in words. */
  readonly sign: string | null;
  readonly restarts: number;
  readonly failedCheckpoints: number;
  /** Checkpoint that the job went on from last; null: it did not, or from the beginning. */
  readonly restoredFrom: number | null;
  /** Later checkpoints that could not be read. */
  readonly skippedCheckpoints: number;
  /** Rows that sources had to read again. */
  readonly replayed: number;
  /** Rows that the source gave by its own count, up to checkpoint `auditedAt`. */
  readonly emitted: number | null;
  /** Of those, rows that never arrived, and rows that arrived more than once, by the counts that belong to that checkpoint. */
  readonly lost: number | null;
  readonly doubled: number | null;
  readonly auditedAt: number | null;
  /** Rows since the start of the fault that came too late, and those of them that no side output took. */
  readonly late: number;
  readonly dropped: number;
  /** Rows a second that sources gave, over 5 s: before the fault, and the lowest while it was followed. */
  readonly rateBefore: number;
  readonly rateLowest: number;
  readonly peakLagMs: number | null;
  /** Whether what was expected held. */
  readonly held: boolean | null;
  /** All of it in a line. */
  readonly text: string;
}

/** Effects of a fault that is active or settling, as far as they are known. */
export interface FaultProgress {
  readonly fault: Fault;
  readonly detectedAfterMs: number | null;
  readonly sign: string | null;
  readonly restarts: number;
  readonly failedCheckpoints: number;
  readonly replayed: number;
}

export interface FaultsView {
  /** Changes whenever anything in here does. */
  readonly version: number;
  readonly open: readonly FaultProgress[];
  /** Newest first. */
  readonly verdicts: readonly FaultVerdict[];
  /** Task managers there are. */
  readonly taskManagers: number;
  /** Whether somebody starts the server again when it dies. */
  readonly supervised: boolean;
  /** Whether the job takes checkpoints: without, most faults are its end. */
  readonly checkpoints: boolean;
}

/** Bounds. */
export const FAULT_LIMITS = {
  active: 10,
  verdicts: 100,
  /** Longest duration, ms: a forgotten fault ends by itself. */
  durationMs: 10 * 60 * 1000,
  defaultMs: 30_000,
} as const;

export interface FaultRules {
  readonly title: string;
  readonly target: FaultTargetKind;
  /** What `strength` counts; null: it has none. */
  readonly unit: string | null;
  readonly min: number;
  readonly max: number;
  readonly default: number;
  /** Over at once: it has no duration. */
  readonly once: boolean;
  readonly says: string;
}

const NO_STRENGTH = { unit: null, min: 1, max: 1, default: 1 } as const;

export const FAULTS: Readonly<Record<FaultKind, FaultRules>> = {
  'kill-task-manager': {
    title: 'Kill a task manager',
    target: 'task-manager',
    ...NO_STRENGTH,
    once: true,
    says: 'Ends its thread in the middle of whatever it does. The standby takes its place.',
  },
  'kill-all-task-managers': {
    title: 'Kill all task managers',
    target: 'job',
    ...NO_STRENGTH,
    once: true,
    says: 'Ends every thread of the job at once.',
  },
  'hang-task-manager': {
    title: 'Hang a task manager',
    target: 'task-manager',
    ...NO_STRENGTH,
    once: false,
    says: 'Its thread stands still. When it has given no sign of life for the heartbeat timeout, it is replaced.',
  },
  'throwing-operator': {
    title: 'Throwing operator',
    target: 'operator',
    unit: 'times',
    min: 1,
    max: 10,
    default: 1,
    once: false,
    says: 'Throws at its next rows, so often, a restart after each.',
  },
  'slow-operator': {
    title: 'Slow operator',
    target: 'operator',
    unit: 'ms per row',
    min: 1,
    max: 100,
    default: 10,
    once: false,
    says: 'Takes so much longer for every row. What is before it has to wait.',
  },
  'slow-sink': {
    title: 'Slow sink',
    target: 'sink',
    unit: 'ms per row',
    min: 1,
    max: 100,
    default: 10,
    once: false,
    says: 'Takes so much longer for every row, and holds up the whole job with it.',
  },
  'failing-sink': {
    title: 'Failing sink',
    target: 'sink',
    unit: 'times',
    min: 1,
    max: 10,
    default: 1,
    once: false,
    says: 'Fails so often: to commit, where it has that step, else to write.',
  },
  'fail-checkpoints': {
    title: 'Fail checkpoints',
    target: 'job',
    unit: 'checkpoints',
    min: 1,
    max: 100,
    default: 1,
    once: false,
    says: 'Their state cannot be written (EIO). More than the job tolerates, and it restarts.',
  },
  'delay-checkpoints': {
    title: 'Delay checkpoints',
    target: 'job',
    unit: 'ms per file',
    min: 10,
    max: 60_000,
    default: 2000,
    once: false,
    says: 'Every file of theirs takes so much longer.',
  },
  'corrupt-checkpoints': {
    title: 'Corrupt checkpoints',
    target: 'job',
    unit: 'checkpoints',
    min: 1,
    max: 10,
    default: 1,
    once: false,
    says: 'Flips bits in so many, then kills task manager 1: the job has to find out and go further back.',
  },
  'disk-full': {
    title: 'Disk full',
    target: 'job',
    ...NO_STRENGTH,
    once: false,
    says: 'No checkpoint can be written (ENOSPC) until it is over.',
  },
  'kill-server': {
    title: 'Kill the server',
    target: 'job',
    ...NO_STRENGTH,
    once: true,
    says: 'SIGKILL to the whole process, this page’s server included.',
  },
};

export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];
