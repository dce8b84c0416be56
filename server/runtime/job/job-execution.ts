/**
 * One attempt of a job: its regions (`regions.ts`), each deployed for itself, and the enumerators of its sources. It ends at the end of the
 * input, or is disposed; a region that fails may be restarted alone before. After a failure of the whole the next attempt is another object,
 * and news of this one reaches nobody any more.
 *
 *   start ─> every region deployed ─> enumerators start ─> running ── all subtasks finished ──> finished
 *                                                           │  ^
 *                                          leave(regions)   │  │  comeBack(regions, checkpoint)
 *                                                           v  │
 *                                             closed, while the others go on
 */

import type { Clock } from '#base/clock.ts';
import { UsageError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { OperatorStateHandles } from '../checkpoint/state-handle.ts';
import type { CheckpointDeployment, FromTaskManager, JobSpec, SubtaskCommand } from '../messages.ts';
import { nameOf, type SubtaskId, subtasksOf } from '../task/channels.ts';
import { type DeployedJob, RegionExecution, type TaskMessage } from './region-execution.ts';
import { type Region, regionsOf } from './regions.ts';
import { SourceCoordinators } from './source-coordinators.ts';
import type { TaskManagerPool } from './task-managers.ts';
import { TaskStates } from './task-states.ts';

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
  /** Of the attempt before; null: there was none. */
  readonly before: TaskStates | null;
  readonly listener: ExecutionListener;
}

type Of<T extends FromTaskManager['type']> = Extract<FromTaskManager, { readonly type: T }>;

export interface ExecutionListener {
  /** Something broke: in one region, by its index, each told once per attempt of it; null: what all need. */
  onFailure(error: Error, region: number | null): void;
  /** Every subtask has seen the end of its input; only of jobs with checkpoints. */
  onEnded(): void;
  onFinished(): void;
  onReport(operator: string, subtask: number, message: unknown): void;
  onAcknowledged(message: Of<'acknowledged'>): void;
  onDeclined(message: Of<'declined'>): void;
}

type Phase = 'created' | 'deploying' | 'running' | 'finished' | 'disposed';

export class JobExecution {
  readonly tasks: TaskStates;
  readonly regions: readonly Region[];
  readonly #options: ExecutionOptions;
  readonly #subtasks: readonly SubtaskId[];
  readonly #job: DeployedJob;
  /** Their attempts that are there, by region. */
  readonly #executions: RegionExecution[];
  /** Region by subtask. */
  readonly #regionOf = new Map<string, number>();
  readonly #sources: SourceCoordinators;
  #phase: Phase = 'created';
  #failure: Error | null = null;
  /** Subtasks have been told to finish, and some may have. */
  #finishing = false;
  readonly #ended = new Set<string>();
  readonly #finished = new Set<string>();

  /** Throws where there are not enough slots. */
  constructor(options: ExecutionOptions) {
    const { spec, graph, taskManagers, cells, latencies, checkpoints, clock, before } = options;
    this.#options = options;
    this.#subtasks = subtasksOf(graph);
    this.tasks = new TaskStates(this.#subtasks, before);
    const placement = placeSubtasks(graph, taskManagers);
    this.#job = { spec, graph, taskManagers, cells, latencies, checkpoints, placement, tasks: this.tasks };
    this.regions = regionsOf(graph);
    for (const [r, region] of this.regions.entries()) for (const id of region) this.#regionOf.set(nameOf(id), r);
    this.#executions = this.regions.map((_, r) => this.#newRegion(r));
    const command = (id: SubtaskId, order: SubtaskCommand): void => this.command(id, order);
    this.#sources = new SourceCoordinators({ graph, clock, command, fail: (error) => this.#fail(error, null) });
  }

  /** Deploys all subtasks, then starts the sources. Rejects where a task cannot be made; that is the failure of the attempt. */
  async start(): Promise<void> {
    const { restored } = this.#options;
    this.#phase = 'deploying';
    await Promise.all(this.#executions.map((region) => region.deploy(restored?.operators ?? null)));
    this.#phase = 'running';
    this.#sources.start(restored?.enumerators ?? null);
    if (this.#failure !== null) throw this.#failure;
  }

  /** What is sent to one that does not run reaches nobody. */
  command(id: SubtaskId, command: SubtaskCommand): void {
    this.#executionOf(id).command(id, command);
  }

  /** To every subtask. */
  broadcast(command: SubtaskCommand): void {
    for (const id of this.#subtasks) this.command(id, command);
  }

  toSources(command: SubtaskCommand, among: readonly SubtaskId[] = this.#subtasks): void {
    const { graph } = this.#options;
    for (const id of among) if (graph.vertices[id.vertex]?.operators[0]?.source) this.command(id, command);
  }

  /** Nothing is left to do for the tasks, but what operators wait for. */
  finish(): void {
    this.#finishing = true;
    this.broadcast({ type: 'finish' });
  }

  /** Whether a subtask can take part in a checkpoint. */
  running(id: SubtaskId): boolean {
    return this.#phase === 'running' && this.#executionOf(id).running && !this.#finished.has(nameOf(id));
  }

  /** Of enumerators as of now, for a checkpoint: by operator id. */
  enumeratorSnapshots(checkpoint: number): Map<string, unknown> {
    return this.#sources.snapshots(checkpoint);
  }

  /** What was assigned before it is safe. */
  checkpointCompleted(checkpoint: number): void {
    this.#sources.completed(checkpoint);
    this.broadcast({ type: 'checkpoint-complete', checkpoint });
  }

  /** To the enumerator of a source operator. */
  control(operatorId: string, event: unknown): void {
    this.#sources.control(operatorId, event);
  }

  /** Asks an operator in all its subtasks that run; one answer each, empty when the attempt is gone. */
  async inspect(operatorId: string, query: unknown): Promise<unknown[]> {
    if (this.#phase !== 'running' && this.#phase !== 'finished') return [];
    const answers = await Promise.all(this.#executions.map((region) => region.inspect(operatorId, query)));
    return answers.flat();
  }

  /** Why these regions cannot be restarted while the others go on, as part of a sentence; null: they can. */
  obstacle(regions: Iterable<number>): string | null {
    if (this.#finishing || this.#finished.size > 0) return 'it is coming to its end';
    return this.#sources.obstacle(this.subtasksOf(regions));
  }

  subtasksOf(regions: Iterable<number>): SubtaskId[] {
    return [...regions].flatMap((region) => this.regions[region] ?? []);
  }

  /** Closes a region; resolves when everybody has said so who is still alive. The others go on. */
  leave(region: number): Promise<void> {
    const subtasks = this.subtasksOf([region]);
    this.#sources.leave(subtasks);
    for (const id of subtasks) this.#ended.delete(nameOf(id));
    return (this.#executions[region] as RegionExecution).dispose();
  }

  /** Deploys regions that were closed, from the last completed checkpoint, and lets their sources read. One that fails at it is told as a failure. */
  async comeBack(regions: readonly number[], restored: RestoredJob | null): Promise<void> {
    for (const region of regions) {
      this.tasks.again(this.subtasksOf([region]));
      this.#executions[region] = this.#newRegion(region);
    }
    await Promise.allSettled(
      regions.map((region) => (this.#executions[region] as RegionExecution).deploy(restored?.operators ?? null)),
    );
    if (this.#phase !== 'running') return;
    const back = regions.filter((region) => this.#executions[region]?.running);
    this.#sources.comeBack(this.subtasksOf(back), restored?.enumerators ?? null);
  }

  /** Closes all tasks; resolves when everybody has said so who is still alive. */
  async dispose(): Promise<void> {
    this.#phase = 'disposed';
    this.#sources.close();
    await Promise.all(this.#executions.map((region) => region.dispose()));
  }

  #executionOf(id: SubtaskId): RegionExecution {
    return this.#executions[this.#regionOf.get(nameOf(id)) as number] as RegionExecution;
  }

  #newRegion(region: number): RegionExecution {
    return new RegionExecution(this.#job, this.regions[region] as Region, {
      onMessage: (message) => this.#receive(message),
      onFailure: (error) => this.#fail(error, region),
    });
  }

  #receive(message: TaskMessage): void {
    if (this.#phase === 'disposed') return;
    const { listener } = this.#options;
    switch (message.type) {
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
        this.tasks.move([message.id], 'FINISHED');
        if (this.#finished.size < this.#subtasks.length) break;
        this.#phase = 'finished';
        this.#sources.close();
        listener.onFinished();
        break;
      case 'split-request':
        this.#sources.onSplitRequest(message.id);
        break;
      case 'reader-event':
        this.#sources.onReaderEvent(message.id, message.event);
        break;
      case 'report':
        listener.onReport(message.operator, message.id.index, message.message);
        break;
    }
  }

  #fail(error: Error, region: number | null): void {
    if (this.#phase === 'disposed' || this.#phase === 'finished') return;
    this.#failure ??= error;
    this.#options.listener.onFailure(error, region);
  }
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
