/**
 * One job, from deployment to its end: places subtasks on slots, lays out the shared memory between them, deals splits, and follows the
 * state machine of `job-state.ts`. Runs on the main thread; records never pass through it.
 *
 * News goes up through subscriptions (`onState`, `onReport`); numbers are read from shared cells whenever somebody likes (`cells`).
 */

import type { Clock } from '#base/clock.ts';
import { UsageError, WeirError } from '#base/errors.ts';
import { ringBytes } from '#engine/exchange/ring-layout.ts';
import { findOperator, type JobEdge, type JobGraph, type JobVertex } from '#engine/graph/job-graph.ts';
import type { Enumerator, Split } from '#engine/io/source.ts';
import type { FromTaskManager, JobSpec, SubtaskCommand } from '../messages.ts';
import { channelsOf, newCells, newLatencies, type SubtaskId } from '../task/wiring.ts';
import { checkTransition, isTerminal, type JobState } from './job-state.ts';
import type { TaskManagers } from './task-managers.ts';
import { WatermarkAlignmentCoordinator } from './watermark-alignment.ts';

export interface JobMasterOptions {
  readonly spec: JobSpec;
  /** Built from `spec` on this thread; every task manager builds its own. */
  readonly graph: JobGraph;
  readonly taskManagers: TaskManagers;
  readonly clock: Clock;
}

type ReportListener = (subtask: number, message: unknown) => void;

export class JobMaster {
  readonly graph: JobGraph;
  /** Cells of every subtask by vertex and index, in shared memory (`engine/metrics/cells.ts`). */
  readonly cells: readonly (readonly Float64Array[])[];
  /** Latency histograms, likewise (`engine/metrics/latency.ts`). */
  readonly latencies: readonly (readonly Float64Array[])[];
  readonly alignment: WatermarkAlignmentCoordinator;
  /** Resolves with the terminal state; never rejects. */
  readonly done: Promise<JobState>;
  readonly #spec: JobSpec;
  readonly #taskManagers: TaskManagers;
  readonly #clock: Clock;
  readonly #job: number;
  /** Task manager of every subtask. */
  readonly #placement: number[][];
  readonly #enumerators = new Map<number, Enumerator>();
  /** Readers may ask before every task is deployed and the enumerators start. */
  readonly #earlyRequests: SubtaskId[] = [];
  readonly #stateListeners = new Set<(state: JobState) => void>();
  readonly #reportListeners = new Map<string, Set<ReportListener>>();
  readonly #requests = new Map<
    number,
    { answers: unknown[]; waiting: number; resolve: (answers: unknown[]) => void }
  >();
  #nextRequest = 1;
  #state: JobState = 'CREATED';
  #failure: Error | null = null;
  #startedAt = 0;
  readonly #finished = new Set<string>();
  readonly #waiting = { deployed: new Set<number>(), disposed: new Set<number>() };
  #onDeployed: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #resolveDone!: (state: JobState) => void;
  #disposed = false;

  constructor(options: JobMasterOptions) {
    this.graph = options.graph;
    this.#spec = options.spec;
    this.#taskManagers = options.taskManagers;
    this.#clock = options.clock;
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.#placement = this.#place();
    this.cells = this.graph.vertices.map((v, i) =>
      Array.from({ length: v.parallelism }, () => newCells(this.graph, i, (bytes) => new SharedArrayBuffer(bytes))),
    );
    this.latencies = this.graph.vertices.map((v, i) =>
      Array.from({ length: v.parallelism }, () => newLatencies(this.graph, i, (bytes) => new SharedArrayBuffer(bytes))),
    );
    this.alignment = new WatermarkAlignmentCoordinator(this.graph, this.cells, (id, group, watermark) =>
      this.#command(id, { type: 'allow', group, watermark }),
    );
    this.#job = this.#taskManagers.register({
      onMessage: (taskManager, message) => this.#receive(taskManager, message),
      onLost: (_, cause) => this.#fail(cause),
    });
  }

  get state(): JobState {
    return this.#state;
  }

  /** Cause when FAILED or on the way there. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Processing time of the start, ms; 0 before. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Deploys all subtasks, then starts the sources. Rejects when a thread cannot be started or a task not be made. */
  async start(): Promise<void> {
    await this.#taskManagers.start();
    const used = [...new Set(this.#placement.flat())];
    this.#waiting.deployed = new Set(used);
    const deployed = new Promise<void>((resolve, reject) => {
      this.#onDeployed = { resolve, reject };
    });
    const rings = this.#layOutRings();
    for (const taskManager of used) {
      const subtasks = this.#subtasks().filter((id) => this.#taskManagerOf(id) === taskManager);
      this.#taskManagers.send(taskManager, {
        type: 'deploy',
        deployment: {
          job: this.#job,
          spec: this.#spec,
          subtasks,
          placement: this.#placement,
          rings,
          cells: this.cells.map((v) => v.map((c) => c.buffer as SharedArrayBuffer)),
          latencies: this.latencies.map((v) => v.map((l) => l.buffer as SharedArrayBuffer)),
        },
      });
    }
    await deployed;
    this.#startedAt = this.#clock.now();
    this.#moveTo('RUNNING');
    this.#startEnumerators();
    this.#align();
  }

  /** Stops at once: what is in flight is dropped, what was committed stays. */
  async cancel(): Promise<void> {
    if (isTerminal(this.#state)) return;
    if (this.#state !== 'CANCELLING') {
      this.#moveTo('CANCELLING');
      this.#dispose();
    }
    await this.done;
  }

  /** Ends the input where it is and lets everything read so far go through to the sinks: FINISHED. */
  async stop(): Promise<void> {
    for (const [vertex, v] of this.graph.vertices.entries()) {
      if (v.operators[0]?.source == null) continue;
      for (let index = 0; index < v.parallelism; index++) this.#command({ vertex, index }, { type: 'stop' });
    }
    await this.done;
  }

  onState(listener: (state: JobState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** What an operator reports (`OperatorContext.report`, `WriterContext.report`). */
  onReport(operatorId: string, listener: ReportListener): () => void {
    const listeners = this.#reportListeners.get(operatorId) ?? new Set();
    this.#reportListeners.set(operatorId, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** To the enumerator of a source operator. */
  control(operatorId: string, event: unknown): void {
    const at = findOperator(this.graph, operatorId);
    const enumerator = at === null ? undefined : this.#enumerators.get(at.vertex);
    if (enumerator?.onControl === undefined)
      throw new WeirError('NO_CONTROL', `Operator "${operatorId}" takes no control events.`);
    enumerator.onControl(event);
  }

  /** Asks an operator in all its subtasks; one answer each, empty when the job is gone. Works after the job finished, until `dispose`. */
  inspect(operatorId: string, query: unknown): Promise<unknown[]> {
    const at = findOperator(this.graph, operatorId);
    if (at === null || this.#disposed || this.#state === 'CREATED') return Promise.resolve([]);
    const asked = [...new Set(this.#placement[at.vertex])];
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      this.#requests.set(request, { answers: [], waiting: asked.length, resolve });
      for (const taskManager of asked) {
        this.#taskManagers.send(taskManager, { type: 'inspect', job: this.#job, request, operator: operatorId, query });
      }
    });
  }

  /** Gives back what a finished job still holds in the task managers. */
  dispose(): void {
    if (!isTerminal(this.#state) || this.#disposed) return;
    this.#dispose();
  }

  #place(): number[][] {
    const { count, slots } = this.#taskManagers;
    const needed = Math.max(...this.graph.vertices.map((v) => v.parallelism));
    if (needed > count * slots) {
      throw new UsageError(
        `The job needs ${needed} slots, but ${count} task manager${count === 1 ? '' : 's'} with ${slots} slot${slots === 1 ? '' : 's'} each have ${count * slots}.`,
      );
    }
    return this.graph.vertices.map((v) =>
      Array.from({ length: v.parallelism }, (_, index) => Math.floor(index / slots)),
    );
  }

  #layOutRings(): (SharedArrayBuffer | null)[] {
    return channelsOf(this.graph).map((channel) => {
      const edge = this.graph.edges[channel.edge] as JobEdge;
      const from = this.#taskManagerOf({ vertex: edge.from, index: channel.from });
      const to = this.#taskManagerOf({ vertex: edge.to, index: channel.to });
      return from === to ? null : new SharedArrayBuffer(ringBytes(edge.schema));
    });
  }

  #startEnumerators(): void {
    for (const [vertex, v] of this.graph.vertices.entries()) {
      const source = v.operators[0]?.source;
      if (!source) continue;
      this.#enumerators.set(
        vertex,
        source.createEnumerator({
          restored: null,
          parallelism: v.parallelism,
          clock: this.#clock,
          assign: (index: number, split: Split) => this.#command({ vertex, index }, { type: 'add-split', split }),
          noMoreSplits: (index) => this.#command({ vertex, index }, { type: 'no-more-splits' }),
          send: (index, event) => this.#command({ vertex, index }, { type: 'source-event', event }),
          fail: (error) => this.#fail(error instanceof Error ? error : new Error(String(error))),
        }),
      );
    }
    for (const enumerator of this.#enumerators.values()) {
      try {
        enumerator.start();
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
    for (const id of this.#earlyRequests.splice(0)) this.#enumerators.get(id.vertex)?.onSplitRequest(id.index);
  }

  /** Compares aligned sources whenever it is time, as long as they run. */
  #align(): void {
    if (this.#state !== 'RUNNING') return;
    const now = this.#clock.now();
    this.alignment.update(now);
    const { nextUpdate } = this.alignment;
    if (nextUpdate !== Number.POSITIVE_INFINITY) setTimeout(() => this.#align(), nextUpdate - now).unref();
  }

  #receive(taskManager: number, message: FromTaskManager): void {
    switch (message.type) {
      case 'ready':
        break;
      case 'deployed':
        this.#waiting.deployed.delete(taskManager);
        if (this.#waiting.deployed.size === 0) this.#onDeployed?.resolve();
        break;
      case 'finished':
        this.#finished.add(`${message.id.vertex}/${message.id.index}`);
        if (this.#state === 'RUNNING' && this.#finished.size === this.#subtasks().length) {
          this.#closeEnumerators();
          this.#moveTo('FINISHED');
        }
        break;
      case 'failed': {
        const error = new WeirError(message.error.code, `${message.where}: ${message.error.message}`);
        if (message.error.stack !== '') error.stack = message.error.stack;
        this.#fail(error);
        break;
      }
      case 'split-request':
        if (this.#state === 'CREATED') this.#earlyRequests.push(message.id);
        else this.#enumerators.get(message.id.vertex)?.onSplitRequest(message.id.index);
        break;
      case 'reader-event':
        this.#enumerators.get(message.id.vertex)?.onReaderEvent?.(message.id.index, message.event);
        break;
      case 'report':
        for (const listener of this.#reportListeners.get(message.operator) ?? [])
          listener(message.id.index, message.message);
        break;
      case 'inspected': {
        const request = this.#requests.get(message.request);
        if (request === undefined) break;
        request.answers.push(...message.answers);
        if (--request.waiting === 0) {
          this.#requests.delete(message.request);
          request.resolve(request.answers);
        }
        break;
      }
      case 'disposed':
        this.#onDisposed(taskManager);
        break;
    }
  }

  #fail(error: Error): void {
    if (isTerminal(this.#state) || this.#state === 'FAILING' || this.#state === 'CANCELLING') return;
    this.#failure = error;
    this.#moveTo('FAILING');
    this.#onDeployed?.reject(error);
    this.#dispose();
  }

  /** Tasks are closed everywhere; the job has ended when all have said so. A lost thread cannot. */
  #dispose(): void {
    this.#disposed = true;
    this.#closeEnumerators();
    for (const { resolve, answers } of this.#requests.values()) resolve(answers);
    this.#requests.clear();
    const used = new Set(this.#placement.flat());
    this.#waiting.disposed = used;
    for (const taskManager of [...used]) {
      if (this.#failure instanceof WeirError && this.#failure.code === 'TASK_MANAGER_LOST')
        this.#onDisposed(taskManager);
      else this.#taskManagers.send(taskManager, { type: 'dispose', job: this.#job });
    }
  }

  #onDisposed(taskManager: number): void {
    this.#waiting.disposed.delete(taskManager);
    if (this.#waiting.disposed.size > 0) return;
    this.#taskManagers.unregister(this.#job);
    if (this.#state === 'FAILING') this.#moveTo('FAILED');
    if (this.#state === 'CANCELLING') this.#moveTo('CANCELED');
  }

  #closeEnumerators(): void {
    for (const enumerator of this.#enumerators.values()) enumerator.close();
  }

  #moveTo(state: JobState): void {
    checkTransition(this.#state, state);
    this.#state = state;
    for (const listener of this.#stateListeners) listener(state);
    if (isTerminal(state)) this.#resolveDone(state);
  }

  #command(id: SubtaskId, command: SubtaskCommand): void {
    this.#taskManagers.send(this.#taskManagerOf(id), { type: 'subtask', job: this.#job, id, command });
  }

  #taskManagerOf(id: SubtaskId): number {
    return this.#placement[id.vertex]?.[id.index] as number;
  }

  #subtasks(): SubtaskId[] {
    return this.graph.vertices.flatMap((v: JobVertex, vertex) =>
      Array.from({ length: v.parallelism }, (_, index) => ({ vertex, index })),
    );
  }
}
