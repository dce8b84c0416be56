/**
 * One job, from deployment to its end: follows the state machine of `job-state.ts`, has checkpoints taken, and after a failure starts a new
 * attempt from the last one, as its restart strategy says. Runs on the main thread; records never pass through it.
 *
 *   start ─> [open the store, find the checkpoint] ─> sinks take back what it does not know ─> attempt (`job-execution.ts`) ─> RUNNING
 *                              ^                                                                                │
 *                              └── delay <── all tasks closed <── RESTARTING <── failure ───────────────────────┤
 *                                                 a region fails, and runs again alone (`region-failover.ts`) ───┤
 *                                                                                                    end: one last checkpoint
 *
 * News goes up through subscriptions (`onState`, `onNews`, `onReport`); numbers are read from shared cells whenever somebody likes (`cells`).
 */

import { randomBytes } from 'node:crypto';
import { type Clock, systemTimers, type Timers } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { type ParallelismChanges, withParallelism } from '#engine/graph/rescale.ts';
import type { CheckpointDetails, CheckpointStatistics } from '#shared/checkpoints.ts';
import type { JobState } from '#shared/live.ts';
import type { StateSizes } from '#shared/state-sizes.ts';
import type { CompletedCheckpoint } from '../checkpoint/checkpoint-metadata.ts';
import type { JobSpec } from '../messages.ts';
import { subtasksOf } from '../task/channels.ts';
import { type CountedFailure, FailureCounter } from './failure-counter.ts';
import { FailureLog } from './failure-log.ts';
import { type JobCells, newJobCells, resizedCells } from './job-cells.ts';
import { JobCheckpoints, type JobCheckpointsOptions, type RestorePoint } from './job-checkpoints.ts';
import { type ExecutionListener, JobExecution, placeSubtasks, slotsOf } from './job-execution.ts';
import type { JobNews } from './job-news.ts';
import { checkTransition, isTerminal } from './job-state.ts';
import { RegionFailover } from './region-failover.ts';
import { type RegionView, regionViews } from './region-view.ts';
import type { RestartSettings } from './restart-settings.ts';
import { RowAccounts } from './row-accounts.ts';
import { StateAlert } from './state-alert.ts';
import type { TaskManagerPool } from './task-managers.ts';
import type { TaskCounts, TaskStates } from './task-states.ts';
import { WatermarkAlignmentCoordinator } from './watermark-alignment.ts';

export interface JobMasterOptions {
  readonly spec: JobSpec;
  /** Built from `spec` on this thread; every task manager builds its own. */
  readonly graph: JobGraph;
  readonly taskManagers: TaskManagerPool;
  readonly clock: Clock;
  /** Default: the machine's. */
  readonly timers?: Timers;
  /** Of delays and names. Default: drawn. */
  readonly random?: Random;
  /** Null or absent: the job takes none, and what sinks stage becomes visible by time. */
  readonly checkpoints?: JobCheckpointsOptions | null;
  /** Absent: a failure is the end. */
  readonly restart?: RestartSettings;
  /** From so many bytes of state of one operator on, and below again, it is told (`state-size`). Default: never. */
  readonly stateAlertBytes?: number;
}

type ReportListener = (subtask: number, message: unknown) => void;

export class JobMaster {
  /** 32 hex digits, as in Flink. */
  readonly id = randomBytes(16).toString('hex');
  /** Resolves with the terminal state; never rejects. */
  readonly done: Promise<JobState>;
  readonly failures = new FailureLog();
  /** Where its rows are; empty without checkpoints. */
  readonly accounts = new RowAccounts();
  readonly #options: JobMasterOptions;
  readonly #timers: Timers;
  readonly #checkpoints: JobCheckpoints | null;
  readonly #stateAlert: StateAlert | null;
  #graph: JobGraph;
  #spec: JobSpec;
  /** They live as long as the job: counters go on. */
  #cells: JobCells;
  #execution: JobExecution | null = null;
  /** Of the attempt that runs. */
  #failover: RegionFailover | null = null;
  #tasks: TaskStates | null = null;
  #alignment: WatermarkAlignmentCoordinator;
  readonly #stateListeners = new Set<(state: JobState) => void>();
  readonly #newsListeners = new Set<(news: JobNews) => void>();
  readonly #reportListeners = new Map<string, Set<ReportListener>>();
  #state: JobState = 'CREATED';
  #failure: Error | null = null;
  #startedAt = 0;
  #changedAt = 0;
  readonly #counter: FailureCounter;
  #stopWanted = false;
  /** Every task has finished and every sink has committed: nothing can fail or be changed any more. */
  #complete = false;
  /** Restarts begun: an attempt that fails while it is launched is told of and rejects, and is followed by one other. */
  #restarts = 0;
  /** Ends the wait before the next attempt. */
  #endDelay: (() => void) | null = null;
  #resolveDone!: (state: JobState) => void;
  #disposed = false;

  constructor(options: JobMasterOptions) {
    const { graph, clock } = options;
    this.#graph = graph;
    this.#spec = options.spec;
    this.#cells = newJobCells(graph);
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    const random = options.random ?? Random.drawn();
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.#alignment = this.#newAlignment();
    this.#checkpoints = options.checkpoints
      ? new JobCheckpoints(options.checkpoints, {
          spec: () => this.#spec,
          graph: () => this.#graph,
          clock,
          timers: this.#timers,
          random,
          execution: () => this.#execution,
          failJob: (error) => this.#onFailure(error),
          tell: (news) => this.#tell(news),
        })
      : null;
    const { stateAlertBytes } = options;
    this.#stateAlert =
      stateAlertBytes === undefined
        ? null
        : new StateAlert({
            bytes: stateAlertBytes,
            graph: () => this.#graph,
            cells: () => this.cells,
            clock,
            timers: this.#timers,
            tell: (news) => this.#tell(news),
          });
    const settings = options.restart ?? { type: 'none' };
    this.#counter = new FailureCounter(settings, {
      random,
      clock,
      log: this.failures,
      tell: (news) => this.#tell(news),
    });
    // Too few slots are an error of whoever makes the job.
    placeSubtasks(graph, options.taskManagers);
  }

  /** As it runs: another one once the job has been rescaled (`onNews`). */
  get graph(): JobGraph {
    return this.#graph;
  }

  /** Of every subtask by vertex and index, in shared memory (`engine/metrics/cells.ts`); others once the job has been rescaled. */
  get cells(): JobCells['cells'] {
    return this.#cells.cells;
  }

  /** Latency histograms, likewise. */
  get latencies(): JobCells['latencies'] {
    return this.#cells.latencies;
  }

  get state(): JobState {
    return this.#state;
  }

  get tasks(): TaskCounts {
    return this.#tasks?.counts ?? { CREATED: subtasksOf(this.#graph).length };
  }

  /** The pipelined regions, with what their subtasks are and in which attempt. */
  get regions(): readonly RegionView[] {
    return regionViews(this.#graph, this.#tasks);
  }

  /** Cause when FAILED or RESTARTING, or on the way there; the ones before are in `failures`. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Processing time of the start, ms; 0 before. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** When the state last changed, ms since the epoch; 0: never. */
  get changedAt(): number {
    return this.#changedAt;
  }

  /** Of the attempt that runs. */
  get alignment(): WatermarkAlignmentCoordinator {
    return this.#alignment;
  }

  /** Null: the job takes no checkpoints. */
  get checkpoints(): CheckpointStatistics | null {
    return this.#checkpoints?.statistics() ?? null;
  }

  /** Of all operators and key groups, as of the last completed checkpoint; null: the job takes none. */
  get stateSizes(): StateSizes | null {
    const sizes = this.#checkpoints?.stateSizes;
    return sizes === undefined ? null : { ...sizes, alertBytes: this.#options.stateAlertBytes ?? null };
  }

  /** Of one of them, subtask by subtask; null: it is not known, or not any more. */
  checkpointDetails(id: number): CheckpointDetails | null {
    return this.#checkpoints?.details(id) ?? null;
  }

  /** Starts the job. Rejects when a thread cannot be started, a task not be made, or what the job should go on from not be read. */
  async start(): Promise<void> {
    try {
      const point = (await this.#checkpoints?.open()) ?? null;
      await this.#launch(point);
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      if (this.#state === 'CREATED') await this.#end(cause);
      throw cause;
    }
    this.#startedAt = this.#options.clock.now();
  }

  /** Stops at once: what is in flight is dropped, what was committed stays, and so do checkpoints. */
  async cancel(): Promise<void> {
    if (isTerminal(this.#state)) return;
    if (this.#state !== 'CANCELLING') {
      this.#moveTo('CANCELLING');
      this.#endDelay?.();
      await Promise.all([this.#failover?.end(), this.#checkpoints?.stop('CHECKPOINT_COORDINATOR_SHUTDOWN')]);
      await this.#close();
      this.#moveTo('CANCELED');
    }
    await this.done;
  }

  /** Ends the input where it is and lets everything read so far go through to the sinks: FINISHED. */
  async stop(): Promise<void> {
    this.#stopWanted = true;
    if (this.#state === 'RUNNING') this.#execution?.toSources({ type: 'stop' });
    await this.done;
  }

  /** A checkpoint or savepoint now. Rejects with the reason where it fails. */
  savepoint(target: string | null = null): Promise<CompletedCheckpoint> {
    return this.#withCheckpoints().savepoint('savepoint', target);
  }

  /** Removes a savepoint from wherever it lies. */
  disposeSavepoint(path: string): Promise<void> {
    return this.#withCheckpoints().dispose(path);
  }

  checkpoint(): Promise<CompletedCheckpoint> {
    return this.#withCheckpoints().checkpoint();
  }

  /**
   * Takes a savepoint behind which nothing is read, and ends the job: FINISHED. With `drain` all windows fire first, and nobody should go on
   * from it. Where the savepoint fails the job goes on; so it does, from the savepoint, where a task fails before it has ended.
   */
  async stopWithSavepoint({
    drain = false,
    target = null,
  }: {
    drain?: boolean;
    target?: string | null;
  } = {}): Promise<CompletedCheckpoint> {
    const checkpoints = this.#withCheckpoints();
    const execution = this.#execution;
    try {
      const savepoint = await checkpoints.savepoint(drain ? 'drain' : 'stop', target);
      if (await this.#finish(execution)) return savepoint;
      throw new WeirError(
        'NOT_STOPPED',
        `Job ${this.graph.name} has failed while it was being stopped, and goes on. Savepoint ${savepoint.id} is in ${savepoint.path}.`,
      );
    } catch (error) {
      this.#execution?.broadcast({ type: 'go-on' });
      throw error;
    }
  }

  /** The tasks of an attempt have nothing more to do. False: it has failed before they had finished, and the job goes on. */
  #finish(execution: JobExecution | null): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        const over = isTerminal(this.#state);
        if (!over && execution === this.#execution && this.#state !== 'RESTARTING') return;
        forget();
        resolve(over);
      };
      const forget = this.onState(look);
      if (execution === this.#execution) execution?.finish();
      look();
    });
  }

  /**
   * Gives tasks other numbers of subtasks, by the ids of operators in them: the job goes on from a checkpoint that is taken for it. Rejects,
   * and changes nothing, where that cannot be or the checkpoint fails. Threads that are missing are started.
   */
  async rescale(changes: ParallelismChanges): Promise<void> {
    const { taskManagers, clock } = this.#options;
    const checkpoints = this.#withCheckpoints();
    const graph = withParallelism(this.#graph, changes);
    if (graph.vertices.every((vertex, v) => vertex.parallelism === this.#graph.vertices[v]?.parallelism)) return;
    taskManagers.growTo(Math.ceil(slotsOf(graph) / taskManagers.slots));
    await taskManagers.start();
    if (this.#state !== 'RUNNING')
      throw new WeirError(
        'NOT_RUNNING',
        `Job ${graph.name} is ${this.#state}: it can be rescaled while it is RUNNING.`,
      );
    const execution = this.#execution;
    await checkpoints.checkpoint({ aligned: true });
    if (this.#state !== 'RUNNING' || this.#complete || execution !== this.#execution)
      throw new WeirError(
        'NOT_RUNNING',
        `Job ${graph.name} has ${this.#complete ? 'finished' : 'failed'} meanwhile: nothing was rescaled.`,
      );
    const began = clock.nanos();
    this.#moveTo('RESTARTING');
    this.#execution = null;
    await Promise.all([this.#failover?.end(), execution?.dispose(), checkpoints.stop('JOB_FAILOVER_REGION')]);
    const before = this.#graph;
    this.#graph = graph;
    this.#spec = { ...this.#spec, parallelism: { ...this.#spec.parallelism, ...changes } };
    this.#cells = resizedCells(this.#cells, graph);
    await this.#relaunch();
    const vertices = graph.vertices.flatMap(({ name, parallelism }, v) => {
      const from = before.vertices[v]?.parallelism ?? 0;
      return from === parallelism ? [] : [{ vertex: name, from, to: parallelism }];
    });
    this.#tell({ type: 'rescaled', at: clock.now(), vertices, gapMs: (clock.nanos() - began) / 1e6 });
  }

  onState(listener: (state: JobState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  onNews(listener: (news: JobNews) => void): () => void {
    this.#newsListeners.add(listener);
    return () => this.#newsListeners.delete(listener);
  }

  /** What an operator reports (`OperatorContext.report`, `WriterContext.report`). */
  onReport(operatorId: string, listener: ReportListener): () => void {
    const listeners = this.#reportListeners.get(operatorId) ?? new Set();
    this.#reportListeners.set(operatorId, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** To the enumerator of a source operator. */
  control(operatorId: string, event: unknown): void {
    if (this.#execution === null || this.#state === 'RESTARTING')
      throw new WeirError('RESTARTING', 'The job is being restarted: nothing was sent, try again when it runs.');
    this.#execution.control(operatorId, event);
  }

  /** Asks an operator in all its subtasks; one answer each, empty while no tasks are there. Works after the job finished, until `dispose`. */
  inspect(operatorId: string, query: unknown): Promise<unknown[]> {
    return this.#execution?.inspect(operatorId, query) ?? Promise.resolve([]);
  }

  /** Gives back what a finished job still holds in the task managers. */
  dispose(): void {
    if (!isTerminal(this.#state) || this.#disposed) return;
    this.#disposed = true;
    void this.#execution?.dispose();
  }

  #withCheckpoints(): JobCheckpoints {
    if (this.#checkpoints !== null) return this.#checkpoints;
    throw new WeirError(
      'NO_CHECKPOINTS',
      `Job ${this.graph.name} takes no checkpoints: start it with a checkpoint interval.`,
    );
  }

  async #launch(point: RestorePoint | null): Promise<void> {
    const { taskManagers } = this.#options;
    await taskManagers.start();
    await this.#checkpoints?.recoverSinks(point);
    this.accounts.begin(this.graph, this.cells, point?.checkpoint.id ?? null);
    const execution = this.#newExecution(point);
    this.#execution = execution;
    this.#tasks = execution.tasks;
    this.#alignment = this.#newAlignment();
    await execution.start();
    if (execution !== this.#execution) return;
    if (this.#state !== 'CREATED' && this.#state !== 'RESTARTING') return;
    this.#failure = null;
    this.#failover = this.#newFailover(execution);
    this.#moveTo('RUNNING');
    this.#checkpoints?.start(point);
    this.#stateAlert?.start();
    if (this.#stopWanted) execution.toSources({ type: 'stop' });
    this.#align(execution);
  }

  #newExecution(point: RestorePoint | null): JobExecution {
    const { taskManagers, clock } = this.#options;
    const listener: ExecutionListener = {
      onFailure: (error, region) => {
        if (execution === this.#execution) this.#onFailure(error, region);
      },
      onEnded: () => void this.#finishWithCheckpoint(execution),
      onFinished: () => void this.#onFinished(),
      onReport: (operator, subtask, message) => {
        for (const listener of this.#reportListeners.get(operator) ?? []) listener(subtask, message);
      },
      onAcknowledged: (message) => {
        this.accounts.acknowledged(message.checkpoint, message.id, message.rows, message.figures.unaligned);
        this.#checkpoints?.acknowledge(message);
      },
      onDeclined: (message) => this.#checkpoints?.decline(message),
    };
    const execution = new JobExecution({
      spec: this.#spec,
      graph: this.graph,
      taskManagers,
      clock,
      cells: this.cells,
      latencies: this.latencies,
      checkpoints: this.#checkpoints?.deployment ?? null,
      restored: point,
      before: this.#tasks,
      listener,
    });
    return execution;
  }

  #newFailover(execution: JobExecution): RegionFailover {
    const { taskManagers, clock } = this.#options;
    return new RegionFailover({
      execution,
      checkpoints: this.#checkpoints,
      accounts: this.accounts,
      taskManagers,
      clock,
      timers: this.#timers,
      count: (error, scope) => {
        const { delayMs, last } = this.#count(error, scope);
        if (delayMs === null) void this.#end(last);
        return delayMs;
      },
      restartAll: (error, why) => {
        if (execution === this.#execution) void this.#restart(error, why);
      },
      onRestarted: ({ regions, subtasks, gapMs }) => {
        this.#failure = null;
        this.#alignment.forget(subtasks);
        if (this.#stopWanted) execution.toSources({ type: 'stop' }, subtasks);
        const of = execution.regions.length;
        this.#tell({ type: 'regions-restarted', at: clock.now(), regions, of, subtasks: subtasks.length, gapMs });
      },
    });
  }

  #newAlignment(): WatermarkAlignmentCoordinator {
    return new WatermarkAlignmentCoordinator(this.graph, this.cells, (id, group, watermark) =>
      this.#execution?.command(id, { type: 'allow', group, watermark }),
    );
  }

  /** Compares aligned sources whenever it is time, as long as this attempt runs. */
  #align(execution: JobExecution): void {
    if (this.#state !== 'RUNNING' || execution !== this.#execution) return;
    const now = this.#options.clock.now();
    this.#alignment.update(now);
    const { nextUpdate } = this.#alignment;
    if (nextUpdate !== Number.POSITIVE_INFINITY)
      this.#timers.after(nextUpdate - now, () => this.#align(execution), true);
  }

  /** The input has ended: what sinks have staged becomes visible with one last checkpoint. */
  async #finishWithCheckpoint(execution: JobExecution): Promise<void> {
    try {
      await this.#checkpoints?.last();
      if (execution === this.#execution) execution.finish();
    } catch {
      // The attempt is over, and its failure known.
    }
  }

  async #onFinished(): Promise<void> {
    if (this.#state !== 'RUNNING') return;
    this.#complete = true;
    await this.#checkpoints?.close();
    if (this.#state === 'RUNNING') this.#moveTo('FINISHED');
  }

  /** `region`: that it struck, and no other; null: all of the job. */
  #onFailure(error: Error, region: number | null = null): void {
    if (this.#state === 'CREATED') {
      // `start` rejects with it.
      this.#failure = error;
      return;
    }
    if (this.#complete || (this.#state !== 'RUNNING' && this.#state !== 'RESTARTING')) return;
    if (this.#state === 'RESTARTING' && this.#endDelay !== null) return;
    let why: string | null = null;
    if (this.#state === 'RUNNING' && region !== null && this.#failover !== null) {
      const refused = this.#failover.takes(region, error);
      if (refused === null) return;
      why = refused.why;
    }
    void this.#restart(error, why);
  }

  #count(error: Error, scope: string | null): CountedFailure {
    this.#failure = error;
    return this.#counter.count(error, scope);
  }

  /** Restarts the job, or ends it. `why`: what keeps one of its regions from being restarted alone. */
  async #restart(error: Error, why: string | null = null): Promise<void> {
    this.#restarts++;
    const { delayMs, last } = this.#count(error, why === null ? null : `the whole job, since ${why}`);
    if (delayMs === null) {
      await this.#end(last);
      return;
    }
    if (this.#state !== 'RESTARTING') this.#moveTo('RESTARTING');
    const failed = this.#execution;
    this.#execution = null;
    const settled = this.#checkpoints?.stop('JOB_FAILURE');
    await Promise.all([this.#failover?.end(), failed?.dispose(), settled, this.#delay(delayMs)]);
    await this.#relaunch();
  }

  /** From the last checkpoint. */
  async #relaunch(): Promise<void> {
    if (this.#state !== 'RESTARTING') return;
    const restarts = this.#restarts;
    try {
      await this.#launch((await this.#checkpoints?.latest()) ?? null);
    } catch (cause) {
      if (this.#state === 'RESTARTING' && restarts === this.#restarts)
        await this.#restart(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const cancel = this.#timers.after(ms, resolve);
      this.#endDelay = () => {
        cancel();
        resolve();
      };
    }).then(() => {
      this.#endDelay = null;
    });
  }

  /** FAILED, once everything is closed. */
  async #end(error: Error): Promise<void> {
    this.#failure = error;
    if (this.#state !== 'FAILING') this.#moveTo('FAILING');
    await Promise.all([this.#failover?.end(), this.#checkpoints?.stop('JOB_FAILURE')]);
    await this.#close();
    if (this.#state === 'FAILING') this.#moveTo('FAILED');
  }

  /** Tasks are closed everywhere, and the files are given back. */
  async #close(): Promise<void> {
    this.#disposed = true;
    await this.#execution?.dispose();
    await this.#checkpoints?.close();
  }

  #moveTo(state: JobState): void {
    checkTransition(this.#state, state);
    this.#state = state;
    this.#changedAt = this.#options.clock.now();
    for (const listener of this.#stateListeners) listener(state);
    if (!isTerminal(state)) return;
    this.#stateAlert?.stop();
    this.#resolveDone(state);
  }

  #tell(news: JobNews): void {
    if (news.type === 'checkpoint') {
      const { type, id } = news.change;
      if (type === 'completed') this.accounts.completed(id);
      if (type === 'failed') this.accounts.failed(id);
    }
    for (const listener of this.#newsListeners) listener(news);
  }
}
