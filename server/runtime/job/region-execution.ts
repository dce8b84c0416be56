/**
 * One attempt of one region (`regions.ts`): its subtasks on all their task managers, from the deployment until they are closed everywhere. Every
 * attempt has a number and channels of its own, so that what an earlier one still says reaches nobody.
 */

import { WeirError } from '#base/errors.ts';
import { ringBytes } from '#engine/exchange/ring-layout.ts';
import { findOperator, type JobEdge, type JobGraph } from '#engine/graph/job-graph.ts';
import type { OperatorStateHandles } from '../checkpoint/state-handle.ts';
import type { CheckpointDeployment, FromTaskManager, JobSpec, SubtaskCommand } from '../messages.ts';
import { channelsOf, nameOf, type SubtaskId } from '../task/channels.ts';
import type { Region } from './regions.ts';
import type { TaskManagerPool } from './task-managers.ts';
import type { TaskStates } from './task-states.ts';

/** What is the same for all regions of a job, and all their attempts. */
export interface DeployedJob {
  readonly spec: JobSpec;
  readonly graph: JobGraph;
  readonly taskManagers: TaskManagerPool;
  /** Of every subtask by vertex and index, in shared memory. */
  readonly cells: readonly (readonly Float64Array[])[];
  readonly latencies: readonly (readonly Float64Array[])[];
  readonly checkpoints: CheckpointDeployment | null;
  /** Task manager of every subtask, by vertex and index. */
  readonly placement: readonly (readonly number[])[];
  readonly tasks: TaskStates;
}

/** What its subtasks say to the job. */
export type TaskMessage = Extract<
  FromTaskManager,
  { readonly type: 'ended' | 'acknowledged' | 'declined' | 'finished' | 'split-request' | 'reader-event' | 'report' }
>;

export interface RegionListener {
  onMessage(message: TaskMessage): void;
  /** Something broke; told once. */
  onFailure(error: Error): void;
}

type Phase = 'created' | 'deploying' | 'running' | 'disposed';

export class RegionExecution {
  readonly #job: DeployedJob;
  readonly #subtasks: Region;
  readonly #listener: RegionListener;
  readonly #number: number;
  /** That it has subtasks on. */
  readonly #taskManagers: ReadonlySet<number>;
  readonly #requests = new Map<
    number,
    { answers: unknown[]; waiting: number; resolve: (answers: unknown[]) => void }
  >();
  #nextRequest = 1;
  #phase: Phase = 'created';
  #failure: Error | null = null;
  readonly #deploying = new Set<number>();
  readonly #disposing = new Set<number>();
  #onDeployed: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #disposed: { promise: Promise<void>; resolve: () => void } | null = null;

  constructor(job: DeployedJob, subtasks: Region, listener: RegionListener) {
    this.#job = job;
    this.#subtasks = subtasks;
    this.#listener = listener;
    this.#taskManagers = new Set(subtasks.map((id) => this.#taskManagerOf(id)));
    job.tasks.move(subtasks, 'SCHEDULED');
    this.#number = job.taskManagers.register({
      onMessage: (taskManager, message) => this.#receive(taskManager, message),
      onLost: (taskManager, cause) => this.#lost(taskManager, cause),
    });
  }

  /**
   * Resolves when all its subtasks run. Rejects where one cannot be made; that is the failure of this attempt. `restore`: what they go on from,
   * by operator id; null: they begin.
   */
  async deploy(restore: ReadonlyMap<string, OperatorStateHandles> | null): Promise<void> {
    const { spec, taskManagers, cells, latencies, checkpoints, placement, tasks } = this.#job;
    this.#phase = 'deploying';
    for (const taskManager of this.#taskManagers) this.#deploying.add(taskManager);
    const deployed = new Promise<void>((resolve, reject) => {
      this.#onDeployed = { resolve, reject };
    });
    const rings = this.#layOutRings();
    for (const taskManager of this.#taskManagers) {
      // One that went before this attempt listened.
      if (!taskManagers.alive(taskManager)) {
        this.#fail(
          new WeirError('TASK_MANAGER_LOST', `Task manager ${taskManager + 1} was lost before the deployment.`),
        );
        break;
      }
      const subtasks = this.#subtasksOn(taskManager);
      tasks.move(subtasks, 'DEPLOYING');
      taskManagers.send(taskManager, {
        type: 'deploy',
        deployment: {
          job: this.#number,
          spec,
          subtasks,
          placement,
          bells: taskManagers.bells,
          rings,
          cells: cells.map((v) => v.map((c) => c.buffer as SharedArrayBuffer)),
          latencies: latencies.map((v) => v.map((l) => l.buffer as SharedArrayBuffer)),
          checkpoints,
          restore,
        },
      });
    }
    await deployed;
    this.#phase = 'running';
    tasks.move(
      this.#subtasks.filter((id) => tasks.of(id) === 'INITIALIZING'),
      'RUNNING',
    );
  }

  /** All its subtasks have been deployed, and it is not being closed. */
  get running(): boolean {
    return this.#phase === 'running';
  }

  command(id: SubtaskId, command: SubtaskCommand): void {
    const message = { type: 'subtask', job: this.#number, id, command } as const;
    this.#job.taskManagers.send(this.#taskManagerOf(id), message);
  }

  /** Asks an operator in all its subtasks here; one answer each, empty when they are gone. */
  inspect(operatorId: string, query: unknown): Promise<unknown[]> {
    const at = findOperator(this.#job.graph, operatorId);
    const asked = new Set(
      this.#subtasks.filter(({ vertex }) => vertex === at?.vertex).map((id) => this.#taskManagerOf(id)),
    );
    if (asked.size === 0 || this.#phase !== 'running') return Promise.resolve([]);
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      this.#requests.set(request, { answers: [], waiting: asked.size, resolve });
      const message = { type: 'inspect', job: this.#number, request, operator: operatorId, query } as const;
      for (const taskManager of asked) this.#job.taskManagers.send(taskManager, message);
    });
  }

  /** Closes all its subtasks; resolves when everybody has said so who is still alive. */
  dispose(): Promise<void> {
    if (this.#disposed !== null) return this.#disposed.promise;
    this.#phase = 'disposed';
    const { tasks, taskManagers } = this.#job;
    tasks.cancel(this.#subtasks);
    this.#onDeployed?.reject(new WeirError('DISPOSED', 'The attempt was given up while it was deployed.'));
    for (const { resolve, answers } of this.#requests.values()) resolve(answers);
    this.#requests.clear();
    let resolve = (): void => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#disposed = { promise, resolve };
    for (const taskManager of this.#taskManagers) {
      if (!taskManagers.alive(taskManager)) continue;
      this.#disposing.add(taskManager);
      taskManagers.send(taskManager, { type: 'dispose', job: this.#number });
    }
    this.#onDisposed(-1);
    return promise;
  }

  #taskManagerOf({ vertex, index }: SubtaskId): number {
    return this.#job.placement[vertex]?.[index] as number;
  }

  #subtasksOn(taskManager: number): SubtaskId[] {
    return this.#subtasks.filter((id) => this.#taskManagerOf(id) === taskManager);
  }

  /** Between two threads, and with both ends in this region. */
  #layOutRings(): (SharedArrayBuffer | null)[] {
    const { graph } = this.#job;
    const here = new Set(this.#subtasks.map(nameOf));
    return channelsOf(graph).map((channel) => {
      const edge = graph.edges[channel.edge] as JobEdge;
      const [from, to] = [
        { vertex: edge.from, index: channel.from },
        { vertex: edge.to, index: channel.to },
      ];
      if (!here.has(nameOf(from)) || this.#taskManagerOf(from) === this.#taskManagerOf(to)) return null;
      return new SharedArrayBuffer(ringBytes(edge.schema));
    });
  }

  #receive(taskManager: number, message: FromTaskManager): void {
    if (message.type === 'disposed') {
      this.#onDisposed(taskManager);
      return;
    }
    if (this.#phase === 'disposed') return;
    const { tasks } = this.#job;
    switch (message.type) {
      case 'ready':
        break;
      case 'deployed':
        tasks.move(
          this.#subtasksOn(taskManager).filter((id) => tasks.of(id) === 'DEPLOYING'),
          'INITIALIZING',
        );
        this.#deploying.delete(taskManager);
        if (this.#deploying.size === 0) this.#onDeployed?.resolve();
        break;
      case 'failed': {
        const error = new WeirError(message.error.code, `${message.where}: ${message.error.message}`);
        if (message.error.stack !== '') error.stack = message.error.stack;
        tasks.fail(message.id === null ? this.#subtasksOn(taskManager) : [message.id]);
        this.#fail(error);
        break;
      }
      case 'inspected': {
        const request = this.#requests.get(message.request);
        if (request === undefined) break;
        request.answers.push(...message.answers);
        if (--request.waiting > 0) break;
        this.#requests.delete(message.request);
        request.resolve(request.answers);
        break;
      }
      default:
        this.#listener.onMessage(message);
    }
  }

  #lost(taskManager: number, cause: Error): void {
    const { tasks } = this.#job;
    const finished = this.#subtasks.every((id) => tasks.of(id) === 'FINISHED');
    tasks.fail(this.#subtasksOn(taskManager));
    this.#onDisposed(taskManager);
    if (this.#phase !== 'disposed' && !finished && this.#taskManagers.has(taskManager)) this.#fail(cause);
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#onDeployed?.reject(error);
    this.#listener.onFailure(error);
  }

  #onDisposed(taskManager: number): void {
    this.#disposing.delete(taskManager);
    this.#job.tasks.canceled(this.#subtasksOn(taskManager));
    if (this.#disposed === null || this.#disposing.size > 0) return;
    this.#job.taskManagers.unregister(this.#number);
    this.#disposed.resolve();
  }
}
