/**
 * One attempt of a job: its subtasks placed on slots, the shared memory between them, its enumerators. A job that is restarted gets a new one,
 * with memory of its own, and news of the old one reaches nobody any more.
 */

import type { Clock } from '#base/clock.ts';
import { UsageError, WeirError } from '#base/errors.ts';
import { ringBytes } from '#engine/exchange/ring-layout.ts';
import { findOperator, type JobEdge, type JobGraph, type JobVertex } from '#engine/graph/job-graph.ts';
import type { Enumerator, Split } from '#engine/io/source.ts';
import type { OperatorStateHandles } from '../checkpoint/state-handle.ts';
import type { CheckpointDeployment, FromTaskManager, JobSpec, SubtaskCommand } from '../messages.ts';
import { channelsOf, type SubtaskId, subtasksOf } from '../task/wiring.ts';
import type { TaskManagerPool } from './task-managers.ts';

/** What an attempt goes on from. */
export interface RestoredJob {
  readonly operators: ReadonlyMap<string, OperatorStateHandles>;
  /** By operator id of the source. */
  readonly enumerators: ReadonlyMap<string, unknown>;
}

export interface ExecutionOptions {
  readonly spec: JobSpec;
  readonly graph: JobGraph;
  readonly taskManagers: TaskManagerPool;
  readonly clock: Clock;
  /** Of every subtask by vertex and index, in shared memory. */
  readonly cells: readonly (readonly Float64Array[])[];
  readonly latencies: readonly (readonly Float64Array[])[];
  readonly checkpoints: CheckpointDeployment | null;
  /** Null: the job begins. */
  readonly restored: RestoredJob | null;
  readonly listener: ExecutionListener;
}

type Of<T extends FromTaskManager['type']> = Extract<FromTaskManager, { readonly type: T }>;

export interface ExecutionListener {
  /** Something broke; told once. */
  onFailure(error: Error): void;
  /** Every subtask has seen the end of its input; only of jobs with checkpoints. */
  onEnded(): void;
  onFinished(): void;
  onReport(operator: string, subtask: number, message: unknown): void;
  onAcknowledged(message: Of<'acknowledged'>): void;
  onDeclined(message: Of<'declined'>): void;
}

type Phase = 'created' | 'deploying' | 'running' | 'finished' | 'disposed';

export class JobExecution {
  readonly #options: ExecutionOptions;
  readonly #job: number;
  /** Task manager of every subtask, by vertex and index. */
  readonly #placement: readonly (readonly number[])[];
  readonly #enumerators = new Map<number, Enumerator>();
  /** Readers may ask before every task is deployed and the enumerators start. */
  readonly #earlyRequests: SubtaskId[] = [];
  readonly #requests = new Map<
    number,
    { answers: unknown[]; waiting: number; resolve: (answers: unknown[]) => void }
  >();
  #nextRequest = 1;
  readonly #subtasks: readonly SubtaskId[];
  #phase: Phase = 'created';
  #failure: Error | null = null;
  readonly #ended = new Set<string>();
  readonly #finished = new Set<string>();
  readonly #deploying = new Set<number>();
  readonly #disposing = new Set<number>();
  #onDeployed: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #disposed: { promise: Promise<void>; resolve: () => void } | null = null;

  /** Throws where there are not enough slots. */
  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.#subtasks = subtasksOf(options.graph);
    this.#placement = placeSubtasks(options.graph, options.taskManagers);
    this.#job = options.taskManagers.register({
      onMessage: (taskManager, message) => this.#receive(taskManager, message),
      onLost: (taskManager, cause) => this.#lost(taskManager, cause),
    });
  }

  /** Deploys all subtasks, then starts the sources. Rejects where a task cannot be made; that is the failure of the attempt. */
  async start(): Promise<void> {
    const { spec, taskManagers, cells, latencies, checkpoints, restored } = this.#options;
    this.#phase = 'deploying';
    for (const taskManager of new Set(this.#placement.flat())) this.#deploying.add(taskManager);
    const deployed = new Promise<void>((resolve, reject) => {
      this.#onDeployed = { resolve, reject };
    });
    const rings = this.#layOutRings();
    for (const taskManager of [...this.#deploying]) {
      // One that went before this attempt listened.
      if (!taskManagers.alive(taskManager)) {
        this.#fail(
          new WeirError('TASK_MANAGER_LOST', `Task manager ${taskManager + 1} was lost before the deployment.`),
        );
        break;
      }
      taskManagers.send(taskManager, {
        type: 'deploy',
        deployment: {
          job: this.#job,
          spec,
          subtasks: this.#subtasks.filter((id) => this.taskManagerOf(id) === taskManager),
          placement: this.#placement,
          bells: taskManagers.bells,
          rings,
          cells: cells.map((v) => v.map((c) => c.buffer as SharedArrayBuffer)),
          latencies: latencies.map((v) => v.map((l) => l.buffer as SharedArrayBuffer)),
          checkpoints,
          restore: restored?.operators ?? null,
        },
      });
    }
    await deployed;
    this.#phase = 'running';
    this.#startEnumerators();
    if (this.#failure !== null) throw this.#failure;
  }

  taskManagerOf(id: SubtaskId): number {
    return this.#placement[id.vertex]?.[id.index] as number;
  }

  command(id: SubtaskId, command: SubtaskCommand): void {
    const message = { type: 'subtask', job: this.#job, id, command } as const;
    this.#options.taskManagers.send(this.taskManagerOf(id), message);
  }

  /** To every subtask. */
  broadcast(command: SubtaskCommand): void {
    for (const id of this.#subtasks) this.command(id, command);
  }

  toSources(command: SubtaskCommand): void {
    for (const id of this.#subtasks) if (this.#sourceOf(id.vertex) !== null) this.command(id, command);
  }

  /** Whether a subtask can take part in a checkpoint. */
  running(id: SubtaskId): boolean {
    return this.#phase === 'running' && !this.#finished.has(nameOf(id));
  }

  /** As of now; what was assigned before belongs to the readers. By operator id. */
  enumeratorSnapshots(): Map<string, unknown> {
    const snapshots = new Map<string, unknown>();
    for (const [vertex, enumerator] of this.#enumerators) {
      const id = this.#options.graph.vertices[vertex]?.operators[0]?.id as string;
      snapshots.set(id, enumerator.snapshot?.() ?? null);
    }
    return snapshots;
  }

  /** To the enumerator of a source operator. */
  control(operatorId: string, event: unknown): void {
    const at = findOperator(this.#options.graph, operatorId);
    const enumerator = at === null ? undefined : this.#enumerators.get(at.vertex);
    if (enumerator?.onControl === undefined)
      throw new WeirError('NO_CONTROL', `Operator "${operatorId}" takes no control events.`);
    enumerator.onControl(event);
  }

  /** Asks an operator in all its subtasks; one answer each, empty when the attempt is gone. */
  inspect(operatorId: string, query: unknown): Promise<unknown[]> {
    const at = findOperator(this.#options.graph, operatorId);
    if (at === null || (this.#phase !== 'running' && this.#phase !== 'finished')) return Promise.resolve([]);
    const asked = [...new Set(this.#placement[at.vertex])];
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      this.#requests.set(request, { answers: [], waiting: asked.length, resolve });
      const message = { type: 'inspect', job: this.#job, request, operator: operatorId, query } as const;
      for (const taskManager of asked) this.#options.taskManagers.send(taskManager, message);
    });
  }

  /** Closes all tasks; resolves when everybody has said so who is still alive. */
  dispose(): Promise<void> {
    if (this.#disposed !== null) return this.#disposed.promise;
    this.#phase = 'disposed';
    this.#closeEnumerators();
    this.#onDeployed?.reject(new WeirError('DISPOSED', 'The attempt was given up while it was deployed.'));
    for (const { resolve, answers } of this.#requests.values()) resolve(answers);
    this.#requests.clear();
    let resolve = (): void => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#disposed = { promise, resolve };
    const { taskManagers } = this.#options;
    for (const taskManager of new Set(this.#placement.flat())) {
      if (!taskManagers.alive(taskManager)) continue;
      this.#disposing.add(taskManager);
      taskManagers.send(taskManager, { type: 'dispose', job: this.#job });
    }
    this.#onDisposed(-1);
    return promise;
  }

  #layOutRings(): (SharedArrayBuffer | null)[] {
    const { graph } = this.#options;
    return channelsOf(graph).map((channel) => {
      const edge = graph.edges[channel.edge] as JobEdge;
      const from = this.taskManagerOf({ vertex: edge.from, index: channel.from });
      const to = this.taskManagerOf({ vertex: edge.to, index: channel.to });
      return from === to ? null : new SharedArrayBuffer(ringBytes(edge.schema));
    });
  }

  #sourceOf(vertex: number): NonNullable<JobVertex['operators'][number]['source']> | null {
    return this.#options.graph.vertices[vertex]?.operators[0]?.source ?? null;
  }

  #startEnumerators(): void {
    const { graph, clock, restored } = this.#options;
    try {
      for (const [vertex, v] of graph.vertices.entries()) {
        const source = this.#sourceOf(vertex);
        if (source === null) continue;
        this.#enumerators.set(
          vertex,
          source.createEnumerator({
            parallelism: v.parallelism,
            clock,
            restored: restored?.enumerators.get(v.operators[0]?.id as string) ?? null,
            assign: (index: number, split: Split) => this.command({ vertex, index }, { type: 'add-split', split }),
            noMoreSplits: (index) => this.command({ vertex, index }, { type: 'no-more-splits' }),
            send: (index, event) => this.command({ vertex, index }, { type: 'source-event', event }),
            fail: (error) => this.#fail(error instanceof Error ? error : new Error(String(error))),
          }),
        );
      }
      for (const enumerator of this.#enumerators.values()) enumerator.start();
      for (const id of this.#earlyRequests.splice(0)) this.#enumerators.get(id.vertex)?.onSplitRequest(id.index);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #receive(taskManager: number, message: FromTaskManager): void {
    const { listener } = this.#options;
    if (message.type === 'disposed') {
      this.#onDisposed(taskManager);
      return;
    }
    if (this.#phase === 'disposed') return;
    switch (message.type) {
      case 'ready':
      case 'deployed':
        this.#deploying.delete(taskManager);
        if (this.#deploying.size === 0) this.#onDeployed?.resolve();
        break;
      case 'ended':
        this.#ended.add(nameOf(message.id));
        if (this.#ended.size === this.#subtasks.length) listener.onEnded();
        break;
      case 'acknowledged':
        listener.onAcknowledged(message);
        break;
      case 'declined':
        listener.onDeclined(message);
        break;
      case 'finished':
        this.#finished.add(nameOf(message.id));
        if (this.#finished.size < this.#subtasks.length) break;
        this.#phase = 'finished';
        this.#closeEnumerators();
        listener.onFinished();
        break;
      case 'failed': {
        const error = new WeirError(message.error.code, `${message.where}: ${message.error.message}`);
        if (message.error.stack !== '') error.stack = message.error.stack;
        this.#fail(error);
        break;
      }
      case 'split-request':
        if (this.#phase === 'deploying') this.#earlyRequests.push(message.id);
        else this.#enumerators.get(message.id.vertex)?.onSplitRequest(message.id.index);
        break;
      case 'reader-event':
        this.#enumerators.get(message.id.vertex)?.onReaderEvent?.(message.id.index, message.event);
        break;
      case 'report':
        listener.onReport(message.operator, message.id.index, message.message);
        break;
      case 'inspected': {
        const request = this.#requests.get(message.request);
        if (request === undefined) break;
        request.answers.push(...message.answers);
        if (--request.waiting > 0) break;
        this.#requests.delete(message.request);
        request.resolve(request.answers);
        break;
      }
    }
  }

  #lost(taskManager: number, cause: Error): void {
    this.#onDisposed(taskManager);
    if (this.#phase !== 'disposed' && this.#phase !== 'finished' && this.#placement.flat().includes(taskManager))
      this.#fail(cause);
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#onDeployed?.reject(error);
    this.#options.listener.onFailure(error);
  }

  #onDisposed(taskManager: number): void {
    this.#disposing.delete(taskManager);
    if (this.#disposed === null || this.#disposing.size > 0) return;
    this.#options.taskManagers.unregister(this.#job);
    this.#disposed.resolve();
  }

  #closeEnumerators(): void {
    for (const enumerator of this.#enumerators.values()) enumerator.close();
    this.#enumerators.clear();
  }
}

function nameOf({ vertex, index }: SubtaskId): string {
  return `${vertex}/${index}`;
}

/** Subtasks of different vertices share a slot. */
export function slotsOf(graph: JobGraph): number {
  return Math.max(...graph.vertices.map((v) => v.parallelism));
}

/** Task manager of every subtask: subtask i of every vertex shares a slot; slots fill one task manager after the other. Throws where they do not do. */
export function placeSubtasks(graph: JobGraph, { count, slots }: TaskManagerPool): number[][] {
  const needed = slotsOf(graph);
  if (needed > count * slots) {
    throw new UsageError(
      `The job needs ${needed} slots, but ${count} task manager${count === 1 ? '' : 's'} with ${slots} slot${slots === 1 ? '' : 's'} each have ${count * slots}.`,
    );
  }
  return graph.vertices.map((v) => Array.from({ length: v.parallelism }, (_, index) => Math.floor(index / slots)));
}
