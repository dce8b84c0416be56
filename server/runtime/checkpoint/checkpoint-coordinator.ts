/**
 * Decides when checkpoints and savepoints are taken, follows each from its trigger to its end, and says so (`flink-reference` §4.2).
 *
 *              requests                        acknowledgements of all subtasks
 *   tick ─────────┐                                        │
 *   somebody ─> queue ─> trigger(barrier) ─> in progress ──┴─> complete (writes `_metadata`) ─> older ones subsumed ─> notifyComplete
 *                                                │                      │
 *                                                └── expired, declined, failed, subsumed ─> discard, notifyAborted, counted ─> failJob
 *
 * Owns no timer, thread or file: whoever has it calls `tick` at `nextWake`. It measures time by `Clock.nanos`, so setting the machine's clock
 * neither holds checkpoints up nor makes them expire. One thread; callbacks may call back in.
 *
 * Invariants: ids rise by 1, savepoints counted along. Whatever is triggered is completed or aborted once. One is written at a time, so that
 * completed checkpoints rise too, but for savepoints, which neither subsume nor are subsumed. What is being written is not aborted any more.
 */

import { messageOf } from '#base/errors.ts';
import type { CheckpointBarrier, CheckpointKind } from '#engine/exchange/barrier.ts';
import type {
  CheckpointChange,
  CheckpointDetails,
  CheckpointStatistics,
  RestoredCheckpoint,
} from '#shared/checkpoints.ts';
import type { SubtaskId } from '../task/channels.ts';
import { CheckpointError, type CheckpointFailureReason, expiry, nameOf, subjectOf } from './checkpoint-failure.ts';
import { type CheckpointRequest, CheckpointRequests, type Deferred, deferred, NOBODY } from './checkpoint-requests.ts';
import { CheckpointSchedule, NEVER } from './checkpoint-schedule.ts';
import { type CheckpointSettings, concurrencyOf } from './checkpoint-settings.ts';
import { CheckpointStatisticsTracker } from './checkpoint-statistics.ts';
import type { CheckpointAck, CheckpointCoordinatorOptions, CheckpointDecline } from './coordinator-contract.ts';
import { CheckpointFailureManager } from './failure-manager.ts';
import { PendingCheckpoint } from './pending-checkpoint.ts';

const STOPPING = 'The job is being stopped with a savepoint.';
const NOT_RUNNING = 'The job is not running.';

export class CheckpointCoordinator<S, C extends { readonly path: string | null }> {
  // configuration
  readonly #options: CheckpointCoordinatorOptions<S, C>;
  readonly #settings: CheckpointSettings;
  // of the whole job
  readonly #statistics: CheckpointStatisticsTracker;
  readonly #failures: CheckpointFailureManager;
  readonly #schedule: CheckpointSchedule;
  #nextId: number;
  #lastCompletion = Number.NEGATIVE_INFINITY;
  #cleaning = 0;
  /** Settles when everything that was handed to `complete` has. */
  #writing: Promise<void> = Promise.resolve();
  // of one attempt
  #running = false;
  #attempt = 0;
  readonly #requests = new CheckpointRequests<C>();
  readonly #pending = new Map<number, PendingCheckpoint<S, C>>();
  #triggering = false;
  /** The savepoint with which the job is being stopped. */
  #stopping: CheckpointRequest<C> | null = null;
  #final: Deferred<C> | null = null;
  #takingScheduled = false;

  constructor(options: CheckpointCoordinatorOptions<S, C>) {
    this.#options = options;
    this.#settings = options.settings;
    this.#nextId = options.firstId;
    this.#statistics = new CheckpointStatisticsTracker(options.settings.history);
    this.#failures = new CheckpointFailureManager(options.settings.tolerableFailures);
    this.#schedule = new CheckpointSchedule(options.settings, options.clock, options.random);
  }

  /** Number that the next checkpoint gets. */
  get nextId(): number {
    return this.#nextId;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Processing time at which `tick` has something to do, ms; Infinity: not by itself. Changes with every call to the coordinator. */
  get nextWake(): number {
    if (!this.#running) return NEVER;
    let at = this.#schedule.next;
    for (const pending of this.#pending.values()) at = Math.min(at, pending.expiresAt);
    return this.#schedule.onTheWall(at);
  }

  /** All tasks run: from now on checkpoints are taken. */
  start(): void {
    if (this.#running) throw new Error('The checkpoint coordinator has been started already.');
    this.#running = true;
    this.#attempt++;
    this.#schedule.begin();
  }

  /**
   * The tasks are going away: everything in progress is aborted for that reason, but for what is being written already. Resolves when that is
   * settled: only then it is known which checkpoint is the latest.
   */
  stop(reason: CheckpointFailureReason, detail = ''): Promise<void> {
    if (this.#running) {
      const final = this.#final;
      this.#final = null;
      this.#stopping = null;
      this.#schedule.suspend();
      this.#abortAll(reason, detail);
      final?.reject(new CheckpointError(reason, 'Last checkpoint', detail));
      this.#running = false;
    }
    return this.#writing;
  }

  /**
   * Some tasks are going away and come back, while the others go on: as `stop`, but what is being written already is told to those who are there.
   * Nothing comes by itself until `resume`; what somebody asks for fails while a task does not run.
   */
  failover(reason: CheckpointFailureReason, detail = ''): Promise<void> {
    if (this.#running) {
      const final = this.#final;
      this.#final = null;
      this.#schedule.suspend();
      this.#abortAll(reason, detail);
      final?.reject(new CheckpointError(reason, 'Last checkpoint', detail));
    }
    return this.#writing;
  }

  /** All tasks run again. */
  resume(): void {
    if (this.#running && this.#final === null && this.#stopping === null) this.#schedule.begin();
  }

  /** The job is being stopped with a savepoint, or has been. */
  get stopping(): boolean {
    return this.#stopping !== null;
  }

  /** Does what is due. */
  tick(): void {
    const now = this.#schedule.steady();
    for (const pending of [...this.#pending.values()]) {
      if (this.#running && now >= pending.expiresAt) this.#abort(pending, 'CHECKPOINT_EXPIRED', this.#expiry(pending));
    }
    if (!this.#running) return;
    if (this.#schedule.take('savepoint')) this.#requestScheduled();
    if (this.#schedule.take('periodic')) this.#submit({ ...NOBODY, kind: 'checkpoint', periodic: true });
    if (this.#schedule.take('final')) this.#requestFinal();
    this.#triggerNext();
  }

  /** Somebody wants one now. `aligned`: one without rows in flight, whatever the settings say. */
  triggerCheckpoint({ aligned = false } = {}): Promise<C> {
    return this.#ask('checkpoint', null, aligned);
  }

  /**
   * `savepoint`: the job goes on. `stop`, `drain`: everything else in progress is aborted, nothing more is triggered, and when it is complete
   * tasks are told, so that sinks commit and they finish. Where it fails on this side, checkpoints go on; on a task's side, the job fails.
   */
  triggerSavepoint(kind: Exclude<CheckpointKind, 'checkpoint'>, target: string | null = null): Promise<C> {
    return this.#ask(kind, target);
  }

  /**
   * The input has ended and all tasks wait for one last checkpoint: it goes ahead of interval and pause, nothing is triggered by itself
   * beside it, and where it fails it is tried again as long as the job lives. Resolves with the checkpoint that settles it, which is any of
   * which all subtasks say that they had ended.
   */
  triggerFinal(): Promise<C> {
    if (!this.#running) return Promise.reject(suspended('Last checkpoint', NOT_RUNNING));
    if (this.#final === null) {
      this.#final = deferred<C>();
      this.#schedule.suspend();
      this.#requests.remove((request) => request.periodic);
      if (this.#stopping === null) this.#requestFinal();
      this.#triggerNext();
    }
    return (this.#final as Deferred<C>).promise;
  }

  /** What comes too late, or from nobody, is discarded. */
  acknowledge(ack: CheckpointAck<S>): void {
    const { checkpoint, subtask, figures, ended } = ack;
    const pending = this.#pending.get(checkpoint);
    const taken = pending?.acknowledge(ack) ?? 'unknown';
    if (taken === 'unknown') this.#discard(checkpoint, [ack.state]);
    if (pending === undefined || taken !== 'taken') return;
    this.#statistics.acknowledged(
      checkpoint,
      subtask,
      figures,
      ended,
      this.#options.clock.now(),
      this.#schedule.steady(),
    );
    this.#tell('acknowledged', pending.barrier);
    if (pending.complete) this.#writing = this.#writing.then(() => this.#write(pending)).catch(this.#options.failJob);
  }

  /** What comes too late is ignored. */
  decline({ checkpoint, subtask, reason, message }: CheckpointDecline): void {
    const pending = this.#pending.get(checkpoint);
    if (pending === undefined || pending.complete) return;
    this.#abort(pending, reason, `${this.#options.name(subtask)}: ${message}`, subtask);
    this.#triggerNext();
  }

  /** The job goes on from that one. */
  restored(from: RestoredCheckpoint): void {
    this.#statistics.restored(from);
    this.#options.onChange?.({ type: 'restored', id: from.id, kind: from.kind, text: from.path ?? '' });
  }

  statistics(): CheckpointStatistics {
    const next = this.#running ? this.#schedule.nextCheckpoint : NEVER;
    return {
      ...this.#statistics.view(this.#schedule.steady()),
      failureStreak: this.#failures.streak,
      nextAt: next === NEVER ? null : this.#schedule.onTheWall(next),
    };
  }

  /** Per subtask; null: there was none, or it is forgotten. */
  details(checkpoint: number): CheckpointDetails | null {
    return this.#statistics.details(checkpoint, this.#schedule.steady());
  }

  // requests

  #ask(kind: CheckpointKind, target: string | null, aligned = false): Promise<C> {
    const subject = subjectOf(kind);
    if (!this.#running) return Promise.reject(suspended(subject, NOT_RUNNING));
    if (this.#stopping !== null) return Promise.reject(suspended(subject, STOPPING));
    const { promise, resolve, reject } = deferred<C>();
    if (kind === 'stop' || kind === 'drain') {
      this.#abortAll('CHECKPOINT_COORDINATOR_SUSPEND', STOPPING);
      this.#schedule.suspend();
    }
    const request = this.#submit({ ...NOBODY, kind, target, aligned, resolve, reject });
    if (kind === 'stop' || kind === 'drain') this.#stopping = request;
    this.#triggerNext();
    return promise;
  }

  #requestFinal(): void {
    this.#submit({ ...NOBODY, kind: 'checkpoint', final: true });
  }

  /** One at a time, and none while the job is being stopped. */
  #requestScheduled(): void {
    if (this.#takingScheduled || this.#stopping !== null) return;
    this.#takingScheduled = true;
    const done = (): void => {
      this.#takingScheduled = false;
    };
    this.#submit({ ...NOBODY, kind: 'savepoint', scheduled: true, resolve: done, reject: done });
  }

  #submit(asked: Omit<CheckpointRequest<C>, 'forced'>): CheckpointRequest<C> {
    const request = { ...asked, forced: asked.kind !== 'checkpoint' && !this.#settings.unaligned };
    const dropped = this.#requests.submit(request);
    if (dropped !== null)
      this.#gaveUp(dropped, new CheckpointError('TOO_MANY_CHECKPOINT_REQUESTS', subjectOf(dropped.kind)));
    return request;
  }

  /** As many as may go now. */
  #triggerNext(): void {
    while (this.#running && !this.#triggering) {
      const { minPauseMs } = this.#settings;
      const decision = this.#requests.next({
        inProgress: this.#pending.size,
        maxConcurrent: concurrencyOf(this.#settings),
        cleaning: this.#cleaning,
        pauseMs: this.#lastCompletion + minPauseMs - this.#schedule.steady(),
      });
      if (decision === null) return;
      if (decision.type === 'put-off') this.#schedule.putOff(decision.ms);
      else this.#trigger(decision.request);
    }
  }

  #trigger(request: CheckpointRequest<C>): void {
    const { subtasks, running, name, clock } = this.#options;
    const missing = subtasks.find((id) => !running(id));
    if (missing !== undefined) {
      const detail = `${name(missing)} is not.`;
      const error = new CheckpointError('NOT_ALL_REQUIRED_TASKS_RUNNING', subjectOf(request.kind), detail);
      this.#statistics.failedToBegin();
      this.#gaveUp(request, error);
      this.#options.onChange?.({ type: 'failed', id: 0, kind: request.kind, text: error.message });
      return;
    }
    const barrier = {
      checkpoint: this.#nextId++,
      triggeredAt: clock.now(),
      kind: request.kind,
      ...this.#overtakes(request),
    };
    const now = this.#schedule.steady();
    const expiresAt = now + this.#settings.timeoutMs;
    const pending = new PendingCheckpoint<S, C>(barrier, request, this.#attempt, expiresAt, subtasks);
    this.#pending.set(pending.id, pending);
    this.#statistics.triggered(barrier, now, subtasks);
    this.#tell('triggered', barrier);
    this.#triggering = true;
    try {
      this.#options.trigger(barrier);
    } catch (error) {
      this.#abort(pending, 'IO_EXCEPTION', messageOf(error));
    } finally {
      this.#triggering = false;
    }
  }

  /** Savepoints never do. */
  #overtakes({ kind, aligned }: CheckpointRequest<C>): Pick<CheckpointBarrier, 'overtakesAfterMs'> {
    const { unaligned, alignedTimeoutMs } = this.#settings;
    return unaligned && kind === 'checkpoint' && !aligned ? { overtakesAfterMs: alignedTimeoutMs } : {};
  }

  // endings

  async #write(pending: PendingCheckpoint<S, C>): Promise<void> {
    if (!this.#pending.has(pending.id)) return;
    pending.writing = true;
    let completed: C;
    try {
      completed = await this.#options.complete(pending.acknowledged());
    } catch (error) {
      this.#abort(pending, 'FINALIZE_CHECKPOINT_FAILURE', messageOf(error));
      this.#triggerNext();
      return;
    }
    this.#completed(pending, completed);
    this.#triggerNext();
  }

  #completed(pending: PendingCheckpoint<S, C>, completed: C): void {
    const { id, barrier, request } = pending;
    this.#pending.delete(id);
    this.#lastCompletion = this.#schedule.steady();
    this.#failures.succeeded(id);
    this.#statistics.completed(id, this.#options.clock.now(), completed.path, this.#lastCompletion);
    request.resolve(completed);
    this.#tell('completed', barrier, completed.path ?? '');
    if (barrier.kind === 'savepoint') return;
    for (const older of [...this.#pending.values()]) {
      if (older.id < id && older.barrier.kind === 'checkpoint')
        this.#abort(older, 'CHECKPOINT_SUBSUMED', `${nameOf(barrier.kind, id)} is complete.`);
    }
    if (!this.#lives(pending)) return;
    this.#options.notifyComplete(id);
    if (this.#final !== null && (request.final || barrier.kind !== 'checkpoint' || pending.ended))
      this.#settleFinal(completed);
  }

  #settleFinal(completed: C): void {
    this.#requests.remove((request) => request.final);
    this.#schedule.suspend();
    this.#final?.resolve(completed);
  }

  #abort(
    pending: PendingCheckpoint<S, C>,
    reason: CheckpointFailureReason,
    detail: string,
    subtask: SubtaskId | null = null,
  ): void {
    const { id, barrier, request } = pending;
    if (!this.#pending.delete(id)) return;
    const error = new CheckpointError(reason, nameOf(barrier.kind, id), detail);
    const failure = { reason, text: error.message, subtask };
    this.#statistics.failed(id, this.#options.clock.now(), failure, this.#schedule.steady());
    const lives = this.#lives(pending);
    this.#discard(id, pending.states);
    if (lives) this.#options.notifyAborted(id, reason);
    this.#gaveUp(request, error);
    this.#tell('failed', barrier, error.message);
    const fatal = lives ? this.#failures.failed(id, barrier.kind, error, subtask !== null) : null;
    if (fatal !== null) this.#options.failJob(fatal);
  }

  #abortAll(reason: CheckpointFailureReason, detail: string): void {
    for (const request of this.#requests.remove())
      this.#gaveUp(request, new CheckpointError(reason, subjectOf(request.kind), detail));
    for (const pending of [...this.#pending.values()]) if (!pending.writing) this.#abort(pending, reason, detail);
  }

  /** What becomes of whoever waits for it. */
  #gaveUp(request: CheckpointRequest<C>, error: CheckpointError): void {
    request.reject(error);
    if (request === this.#stopping) {
      this.#stopping = null;
      if (this.#final === null) this.#schedule.begin();
      else this.#requestFinal();
    } else if (request.final && this.#final !== null) this.#schedule.retryFinal();
  }

  #discard(checkpoint: number, states: readonly S[]): void {
    if (states.length === 0) return;
    const failed = (error: unknown): void =>
      this.#options.onChange?.({ type: 'cleanup-failed', id: checkpoint, kind: 'checkpoint', text: messageOf(error) });
    try {
      const done = this.#options.discard(states);
      if (!(done instanceof Promise)) return;
      this.#cleaning++;
      done.catch(failed).finally(() => {
        this.#cleaning--;
        this.#triggerNext();
      });
    } catch (error) {
      failed(error);
    }
  }

  // words

  /** It belongs to the attempt that runs. */
  #lives(pending: PendingCheckpoint<S, C>): boolean {
    return this.#running && pending.attempt === this.#attempt;
  }

  #expiry({ missing }: PendingCheckpoint<S, C>): string {
    const { subtasks, name, settings } = this.#options;
    return expiry(settings.timeoutMs, subtasks.length, missing.map(name));
  }

  #tell(type: CheckpointChange['type'], { checkpoint, kind }: CheckpointBarrier, text = ''): void {
    this.#options.onChange?.({ type, id: checkpoint, kind, text });
  }
}

function suspended(subject: string, detail: string): CheckpointError {
  return new CheckpointError('CHECKPOINT_COORDINATOR_SUSPEND', subject, detail);
}
