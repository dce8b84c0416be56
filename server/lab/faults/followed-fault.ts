/**
 * One fault, from its start to its verdict: what is seen of it, and when.
 *
 *   active ──deadline, stop, done──> settling ──[everything runs, and a checkpoint is complete behind it]──> settled
 *
 * Detected: the first failure of the job or of a checkpoint that belongs to it, or its target seen to be overloaded. Recovered: the job runs again
 * and nothing fails any more; a fault of checkpoints when one is complete again; one that only slows down when its target is no longer overloaded.
 * What was lost or doubled is read from the first checkpoint behind that, where counts are exact (`runtime/job/row-accounts.ts`).
 */

import type { Accounts, Balance } from '#runtime/job/row-accounts.ts';
import type { Fault, FaultKind, FaultOutcome, FaultProgress, FaultSpec, FaultVerdict } from '#shared/faults.ts';
import { verdictText } from './fault-words.ts';

/** What a job shows of itself at an instant. */
export interface Sight {
  readonly rate: number;
  readonly lagMs: number | null;
  readonly late: number;
  readonly dropped: number;
  /** Highest share of time that a subtask of the target is busy, 0..1. */
  readonly busy: number;
}

/** Busier than this is overloaded (Flink's "high"). */
const OVERLOADED = 0.5;
const CHECKPOINT_KINDS: ReadonlySet<FaultKind> = new Set(['fail-checkpoints', 'delay-checkpoints', 'disk-full']);
const SLOW_KINDS: ReadonlySet<FaultKind> = new Set(['slow-operator', 'slow-sink']);

export class FollowedFault {
  readonly id: number;
  readonly spec: FaultSpec;
  readonly startedAt: number;
  /** Strikes that are still to come: throws, checkpoints. */
  left: number;
  #endsAt: number;
  #phase: Fault['phase'] = 'active';
  #stopped = false;
  #detectedAt: number | null = null;
  #recoveredAt: number | null = null;
  #sign: string | null = null;
  #restarts = 0;
  #failedCheckpoints = 0;
  #restoredFrom: number | null = null;
  #skipped = 0;
  #replayed = 0;
  readonly before: Sight;
  #latest: Sight;
  #rateLowest: number;
  #peakLagMs: number | null;

  constructor(id: number, spec: FaultSpec, startedAt: number, before: Sight) {
    this.id = id;
    this.spec = spec;
    this.startedAt = startedAt;
    this.left = spec.strength;
    this.#endsAt = startedAt + spec.durationMs;
    this.before = before;
    this.#latest = before;
    this.#rateLowest = before.rate;
    this.#peakLagMs = before.lagMs;
  }

  get active(): boolean {
    return this.#phase === 'active';
  }

  get detected(): boolean {
    return this.#detectedAt !== null;
  }

  get recovered(): boolean {
    return this.#recoveredAt !== null;
  }

  /** Everything runs, as far as this fault is concerned: what is missing is the count. */
  get over(): boolean {
    return !this.active && (!this.detected || this.recovered);
  }

  get fault(): Fault {
    const { id, spec, startedAt } = this;
    return { ...spec, id, startedAt, endsAt: this.#endsAt, phase: this.#phase, stopped: this.#stopped };
  }

  get progress(): FaultProgress {
    return {
      fault: this.fault,
      detectedAfterMs: this.#after(this.#detectedAt),
      sign: this.#sign,
      restarts: this.#restarts,
      failedCheckpoints: this.#failedCheckpoints,
      replayed: this.#replayed,
    };
  }

  /** Nothing is done to the job any more. */
  end(now: number, stopped: boolean): void {
    if (!this.active) return;
    this.#phase = 'settling';
    this.#stopped = stopped;
    this.#endsAt = now;
  }

  failed(now: number, message: string): void {
    this.#see(now, message);
    this.#restarts++;
    this.#recoveredAt = null;
  }

  restored(checkpoint: number | null, skipped: number): void {
    this.#restoredFrom = checkpoint;
    this.#skipped += skipped;
  }

  replayed(rows: number): void {
    this.#replayed += rows;
  }

  /** The job runs again. */
  running(now: number): void {
    if (this.detected && !CHECKPOINT_KINDS.has(this.spec.kind)) this.#recoveredAt = now;
  }

  checkpointFailed(now: number, text: string): void {
    this.#see(now, text);
    this.#failedCheckpoints++;
    this.#recoveredAt = null;
  }

  checkpointCompleted(now: number): void {
    if (this.detected && !this.active && CHECKPOINT_KINDS.has(this.spec.kind)) this.#recoveredAt ??= now;
  }

  look(now: number, sight: Sight): void {
    this.#latest = sight;
    this.#rateLowest = Math.min(this.#rateLowest, sight.rate);
    if (sight.lagMs !== null) this.#peakLagMs = Math.max(this.#peakLagMs ?? 0, sight.lagMs);
    if (!SLOW_KINDS.has(this.spec.kind)) return;
    if (sight.busy >= OVERLOADED) this.#see(now, `${this.spec.target} is ${Math.round(sight.busy * 100)} % busy`);
    else if (this.detected && !this.active) this.#recoveredAt ??= now;
  }

  /** `audit`: null where no checkpoint tells. */
  settle(
    now: number,
    failed: boolean,
    audit: { readonly accounts: Accounts; readonly balance: Balance } | null,
  ): FaultVerdict {
    this.#phase = 'settled';
    const expected = this.spec.expectedMs;
    const recoveredAfterMs = failed ? null : this.#after(this.#recoveredAt);
    const outcome: FaultOutcome = failed
      ? 'failed'
      : this.recovered
        ? 'recovered'
        : this.detected
          ? 'unsettled'
          : 'unharmed';
    const within = outcome === 'unharmed' || (recoveredAfterMs !== null && recoveredAfterMs <= (expected ?? 0));
    const verdict: Omit<FaultVerdict, 'text'> = {
      fault: this.fault,
      settledAt: now,
      outcome,
      detectedAfterMs: this.#after(this.#detectedAt),
      recoveredAfterMs,
      sign: this.#sign,
      restarts: this.#restarts,
      failedCheckpoints: this.#failedCheckpoints,
      restoredFrom: this.#restoredFrom,
      skippedCheckpoints: this.#skipped,
      replayed: this.#replayed,
      emitted: audit?.balance.given ?? null,
      lost: audit?.balance.lost ?? null,
      doubled: audit?.balance.doubled ?? null,
      auditedAt: audit?.accounts.checkpoint ?? null,
      late: this.#latest.late - this.before.late,
      dropped: this.#latest.dropped - this.before.dropped,
      rateBefore: this.before.rate,
      rateLowest: this.#rateLowest,
      peakLagMs: this.#peakLagMs,
      held: expected === null ? null : within,
    };
    return { ...verdict, text: verdictText(verdict) };
  }

  #see(now: number, sign: string): void {
    this.#detectedAt ??= now;
    this.#sign ??= sign;
  }

  #after(at: number | null): number | null {
    return at === null ? null : Math.max(0, at - this.startedAt);
  }
}

/** Whether it strikes for so long as it is held up, and is over when it has struck often enough. */
export function strikes(kind: FaultKind): boolean {
  return ['throwing-operator', 'failing-sink', 'fail-checkpoints', 'corrupt-checkpoints'].includes(kind);
}
