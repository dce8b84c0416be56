/**
 * One job, from deployment to its end: follows the state machine of `job-state.ts`, has checkpoints taken, and after a failure starts a new
 * attempt from the last one, as its restart strategy says. Runs on the main thread; records never pass through it.
 *
 *   start ─> [open the store, find the checkpoint] ─> sinks take back what it does not know ─> attempt (`job-execution.ts`) ─> RUNNING
 *                              ^                                                                                │
 *                              └── delay <── all tasks closed <── RESTARTING <── failure ───────────────────────┤
 *                                                                                                    end: one last checkpoint
 *
 * News goes up through subscriptions (`onState`, `onNews`, `onReport`); numbers are read from shared cells whenever somebody likes (`cells`).
 */

import { randomBytes } from 'node:crypto';
import { type Clock, systemTimers, type Timers } from '#base/clock.ts';
import { messageOf, WeirError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { type ParallelismChanges, withParallelism } from '#engine/graph/rescale.ts';
import type { CheckpointStatistics } from '#shared/checkpoints.ts';
import type { CompletedCheckpoint } from '../checkpoint/checkpoint-metadata.ts';
import type { JobSpec } from '../messages.ts';
import { FailureLog } from './failure-log.ts';
import { type JobCells, newJobCells, resizedCells } from './job-cells.ts';
import { JobCheckpoints, type JobCheckpointsOptions, type RestorePoint } from './job-checkpoints.ts';
import { type ExecutionListener, JobExecution, placeSubtasks, slotsOf } from './job-execution.ts';
import type { JobNews } from './job-news.ts';
import { checkTransition, isTerminal, type JobState } from './job-state.ts';
import type { RestartSettings } from './restart-settings.ts';
import { type RestartStrategy, recoverFrom, restartStrategy } from './restart-strategies.ts';
import type { TaskManagerPool } from './task-managers.ts';
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
}

type ReportListener = (subtask: number, message: unknown) => void;

export class JobMaster {
  /** 32 hex digits, as in Flink. */
  readonly id = randomBytes(16).toString('hex');
  /** Resolves with the terminal state; never rejects. */
  readonly done: Promise<JobState>;
  readonly failures = new FailureLog();
  readonly #options: JobMasterOptions;
  readonly #timers: Timers;
  readonly #checkpoints: JobCheckpoints | null;
  #graph: JobGraph;
  #spec: JobSpec;
  /** They live as long as the job: counters go on. */
  #cells: JobCells;
  #execution: JobExecution | null = null;
  #alignment: WatermarkAlignmentCoordinator;
  readonly #stateListeners = new Set<(state: JobState) => void>();
  readonly #newsListeners = new Set<(news: JobNews) => void>();
  readonly #reportListeners = new Map<string, Set<ReportListener>>();
  #state: JobState = 'CREATED';
  #failure: Error | null = null;
  #startedAt = 0;
  readonly #restartSettings: RestartSettings;
  readonly #strategy: RestartStrategy;
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
    this.#restartSettings = options.restart ?? { type: 'none' };
    this.#strategy = restartStrategy(this.#restartSettings, random);
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

  /** Cause when FAILED or RESTARTING, or on the way there; the ones before are in `failures`. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Processing time of the start, ms; 0 before. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Of the attempt that runs. */
  get alignment(): WatermarkAlignmentCoordinator {
    return this.#alignment;
  }

  /** Null: the job takes no checkpoints. */
  get checkpoints(): CheckpointStatistics | null {
    return this.#checkpoints?.statistics() ?? null;
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
      await this.#checkpoints?.stop('CHECKPOINT_COORDINATOR_SHUTDOWN');
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

  checkpoint(): Promise<CompletedCheckpoint> {
    return this.#withCheckpoints().checkpoint();
  }

  /**
   * Takes a savepoint behind which nothing is read, and ends the job: FINISHED. With `drain` all windows fire first, and nobody should go on
   * from it. Where the savepoint fails the job goes on.
   */
  async stopWithSavepoint({
    drain = false,
    target = null,
  }: {
    drain?: boolean;
    target?: string | null;
  } = {}): Promise<CompletedCheckpoint> {
    const checkpoints = this.#withCheckpoints();
    try {
      const savepoint = await checkpoints.savepoint(drain ? 'drain' : 'stop', target);
      this.#execution?.broadcast({ type: 'finish' });
      await this.done;
      return savepoint;
    } catch (error) {
      this.#execution?.broadcast({ type: 'go-on' });
      throw error;
    }
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
    await checkpoints.checkpoint();
    if (this.#state !== 'RUNNING' || this.#complete || execution !== this.#execution)
      throw new WeirError(
        'NOT_RUNNING',
        `Job ${graph.name} has ${this.#complete ? 'finished' : 'failed'} meanwhile: nothing was rescaled.`,
      );
    const began = clock.nanos();
    this.#moveTo('RESTARTING');
    this.#execution = null;
    await Promise.all([execution?.dispose(), checkpoints.stop('JOB_FAILOVER_REGION')]);
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
    const execution = this.#newExecution(point);
    this.#execution = execution;
    this.#alignment = this.#newAlignment();
    await execution.start();
    if (execution !== this.#execution) return;
    if (this.#state !== 'CREATED' && this.#state !== 'RESTARTING') return;
    this.#failure = null;
    this.#moveTo('RUNNING');
    this.#checkpoints?.start(point);
    if (this.#stopWanted) execution.toSources({ type: 'stop' });
    this.#align(execution);
  }

  #newExecution(point: RestorePoint | null): JobExecution {
    const { taskManagers, clock } = this.#options;
    const listener: ExecutionListener = {
      onFailure: (error) => {
        if (execution === this.#execution) this.#onFailure(error);
      },
      onEnded: () => void this.#finishWithCheckpoint(execution),
      onFinished: () => void this.#onFinished(),
      onReport: (operator, subtask, message) => {
        for (const listener of this.#reportListeners.get(operator) ?? []) listener(subtask, message);
      },
      onAcknowledged: (message) => this.#checkpoints?.acknowledge(message),
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
      listener,
    });
    return execution;
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
      if (execution === this.#execution) execution.broadcast({ type: 'finish' });
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

  #onFailure(error: Error): void {
    if (this.#state === 'CREATED') {
      // `start` rejects with it.
      this.#failure = error;
      return;
    }
    if (this.#complete || (this.#state !== 'RUNNING' && this.#state !== 'RESTARTING')) return;
    if (this.#state === 'RESTARTING' && this.#endDelay !== null) return;
    void this.#restart(error);
  }

  /** Restarts the job, or ends it. */
  async #restart(error: Error): Promise<void> {
    const now = this.#options.clock.now();
    this.#restarts++;
    this.#failure = error;
    const recovery = recoverFrom(error, this.#strategy, this.#restartSettings, now);
    const delayMs = recovery.restart ? recovery.backoffMs : null;
    this.failures.add({ at: now, message: messageOf(error), restartInMs: delayMs });
    this.#tell({ type: 'failure', at: now, message: messageOf(error), restartInMs: delayMs });
    if (delayMs === null) {
      // Without a strategy there is nothing to say about it.
      await this.#end(recovery.restart || this.#restartSettings.type === 'none' ? error : recovery.error);
      return;
    }
    if (this.#state !== 'RESTARTING') this.#moveTo('RESTARTING');
    const failed = this.#execution;
    this.#execution = null;
    const settled = this.#checkpoints?.stop('JOB_FAILURE');
    await Promise.all([failed?.dispose(), settled, this.#delay(delayMs)]);
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
    await this.#checkpoints?.stop('JOB_FAILURE');
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
    for (const listener of this.#stateListeners) listener(state);
    if (isTerminal(state)) this.#resolveDone(state);
  }

  #tell(news: JobNews): void {
    for (const listener of this.#newsListeners) listener(news);
  }
}
