/**
 * The checkpoints of one job: its coordinator, its store, and the timer that drives them. What the coordinator decides goes to the tasks of
 * the attempt that runs; what it has completed lies in the store, and is what the next attempt goes on from.
 */

import type { Clock, Timers } from '#base/clock.ts';
import { messageOf, WeirError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Sink } from '#engine/io/sink.ts';
import { failedWriters, sinkRecovery } from '#engine/operators/sink.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import type { CheckpointDetails, CheckpointStatistics } from '#shared/checkpoints.ts';
import type { StateSizes } from '#shared/state-sizes.ts';
import { CheckpointCoordinator } from '../checkpoint/checkpoint-coordinator.ts';
import type { CheckpointFailureReason } from '../checkpoint/checkpoint-failure.ts';
import { type CompletedCheckpoint, describeVertices } from '../checkpoint/checkpoint-metadata.ts';
import type { CheckpointSettings } from '../checkpoint/checkpoint-settings.ts';
import { CheckpointStore, type SkippedCheckpoint } from '../checkpoint/checkpoint-store.ts';
import type { ProcessIdentity } from '../checkpoint/directory-lock.ts';
import type { Disk } from '../checkpoint/disk.ts';
import { JobSavepoints } from '../checkpoint/job-savepoints.ts';
import { disposeKept, retainSavepoints, SCHEDULED } from '../checkpoint/kept-savepoints.ts';
import { thisProcess } from '../checkpoint/node-process.ts';
import { planRestore } from '../checkpoint/restore-plan.ts';
import { openSavepoint } from '../checkpoint/savepoints.ts';
import type { SubtaskStateHandle } from '../checkpoint/state-handle.ts';
import { readOperator } from '../checkpoint/state-reader.ts';
import { stateSizesOf } from '../checkpoint/state-sizes.ts';
import type { CheckpointDeployment, FromTaskManager, JobSpec } from '../messages.ts';
import { type SubtaskId, subtasksOf } from '../task/channels.ts';
import type { JobExecution, RestoredJob } from './job-execution.ts';
import type { JobNews } from './job-news.ts';
import { noneLeft, noWayBack } from './restore-refusals.ts';

/** Where a job begins. */
export type Resume =
  /** From the beginning. */
  | { readonly from: 'beginning' }
  /** From the last completed checkpoint in the directory; from the beginning if there is none. */
  | { readonly from: 'latest' }
  /** From a savepoint or a retained checkpoint. */
  | {
      readonly from: 'path';
      readonly path: string;
      readonly claim: 'no-claim' | 'claim';
      readonly allowNonRestoredState: boolean;
    };

export interface JobCheckpointsOptions {
  readonly settings: CheckpointSettings;
  /** Of checkpoints, and of savepoints that are given no other. */
  readonly directory: string;
  readonly disk: Disk;
  readonly resume: Resume;
  /** Throws where the job that a checkpoint was taken of cannot go on as this one. */
  readonly accept?: (before: JobSpec) => void;
  /** Who uses the directory. Default: this process. */
  readonly process?: ProcessIdentity;
}

/** A checkpoint to go on from. */
export interface RestorePoint extends RestoredJob {
  readonly checkpoint: CompletedCheckpoint;
  readonly skipped: readonly { readonly id: number; readonly reason: string }[];
}

/** The job around them. */
export interface CheckpointedJob {
  readonly spec: () => JobSpec;
  /** As it runs, or is to run next. */
  readonly graph: () => JobGraph;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** The attempt that runs. */
  readonly execution: () => JobExecution | null;
  readonly failJob: (error: Error) => void;
  readonly tell: (news: JobNews) => void;
}

/** What a subtask has written. */
interface WrittenState {
  readonly checkpoint: number;
  readonly handle: SubtaskStateHandle;
}

interface SinkPlace {
  readonly id: string;
  readonly name: string;
  readonly sink: Sink;
  readonly vertex: number;
  readonly parallelism: number;
}

type Of<T extends FromTaskManager['type']> = Extract<FromTaskManager, { readonly type: T }>;

/** Key groups of nobody: operator state alone is read. */
const NO_GROUPS = [0, -1] as const;
/** The coordinator is looked at this often at least, ms. */
const LONGEST_NAP_MS = 1000;

export class JobCheckpoints {
  readonly #options: JobCheckpointsOptions;
  readonly #job: CheckpointedJob;
  #store: CheckpointStore | null = null;
  #savepoints: JobSavepoints | null = null;
  #coordinator: CheckpointCoordinator<WrittenState, CompletedCheckpoint> | null = null;
  /** Of enumerators, as of the trigger; by checkpoint. */
  readonly #enumerators = new Map<number, ReadonlyMap<string, unknown>>();
  #cancelTimer: (() => void) | null = null;
  #sizes: Omit<StateSizes, 'alertBytes'> = { checkpoint: null, at: null, operators: [] };

  constructor(options: JobCheckpointsOptions, job: CheckpointedJob) {
    this.#options = options;
    this.#job = job;
  }

  /** Opens the directory, which nobody else may use meanwhile, and finds what the job goes on from; null: nothing. */
  async open(): Promise<RestorePoint | null> {
    const { directory, disk, settings } = this.#options;
    const { spec } = this.#job;
    const store = await CheckpointStore.open({
      disk,
      directory,
      job: spec().name,
      retained: settings.retained,
      process: this.#options.process ?? thisProcess(),
      random: this.#job.random,
    });
    this.#store = store;
    const usual = [directory, `${directory}/${SCHEDULED}`];
    this.#savepoints = new JobSavepoints(disk, store.root, spec().name, usual);
    const point = await this.#begin(store);
    // Its numbers go on from that of a savepoint.
    this.#coordinator = this.#newCoordinator(store);
    return point;
  }

  async #begin(store: CheckpointStore): Promise<RestorePoint | null> {
    const { disk, resume } = this.#options;
    if (resume.from === 'latest') return this.latest();
    if (resume.from === 'beginning') {
      await store.startFrom(null);
      return null;
    }
    const savepoint = await openSavepoint(disk, resume.path);
    const point = this.#pointOf(savepoint, []);
    await store.startFrom(savepoint, resume.claim);
    return point;
  }

  /**
   * The last completed checkpoint from which the job goes on with every row once; null: none has been taken. Throws, and changes nothing, where
   * none is left, and where only one is left behind which something was committed that cannot be taken back.
   */
  async latest(): Promise<RestorePoint | null> {
    const { checkpoint, skipped } = await this.#opened().latest((one, newer) => this.#obstacle(one, newer));
    if (checkpoint !== null) return this.#pointOf(checkpoint, skipped);
    if (skipped.length > 0) throw noneLeft(this.#job.spec().name, skipped);
    this.#job.tell({ type: 'restored', at: this.#job.clock.now(), checkpoint: null, path: null, skipped, notes: [] });
    return null;
  }

  /**
   * What regions of the job go on from while the others run: the last completed checkpoint, or the one the attempt began from, of which a null
   * point says that there is none. Null: it is damaged.
   */
  async newest(): Promise<{ readonly point: RestorePoint | null } | null> {
    const found = await this.#opened().newest();
    if (found === null) return null;
    return { point: found.checkpoint === null ? null : this.#pointOf(found.checkpoint, []) };
  }

  get deployment(): CheckpointDeployment {
    // Known before the store is opened: an attempt is only made when it is.
    const { mode, incremental } = this.#options.settings;
    return { mode, incremental, root: this.#store?.root ?? '' };
  }

  /** Before an attempt, while no writer lives, or while none of these subtasks does. */
  async recoverSinks(point: RestorePoint | null, subtasks?: readonly SubtaskId[]): Promise<void> {
    const notes: string[] = [];
    for (const { id, sink, vertex, parallelism } of this.#sinks()) {
      const failed = subtasks?.filter((one) => one.vertex === vertex).map(({ index }) => index);
      if (failed?.length === 0 || !sink.recover) continue;
      const snapshots = point === null ? null : await this.#snapshotsOf(id, point);
      const restored = snapshots === null ? null : sinkRecovery(snapshots);
      const staged = async () => (await this.#savepoints?.committables(id)) ?? null;
      if (failed === undefined || failed.length === parallelism) {
        notes.push(...(await sink.recover(restored, staged)));
      } else {
        const writers = failedWriters(snapshots ?? [], new Set(failed), parallelism);
        notes.push(...((await sink.recoverWriters?.(restored, writers, staged)) ?? []));
      }
    }
    if (point !== null || notes.length > 0) {
      const { id = null, path = null } = point?.checkpoint ?? {};
      const at = this.#job.clock.now();
      this.#job.tell({ type: 'restored', at, checkpoint: id, path, skipped: point?.skipped ?? [], notes });
    }
  }

  /** Why these subtasks cannot go back to a checkpoint while others go on, as part of a sentence; null: they can. */
  obstacle(subtasks: readonly SubtaskId[]): string | null {
    if (this.#coordinator?.stopping) return 'it is being stopped with a savepoint';
    for (const { name, sink, vertex, parallelism } of this.#sinks()) {
      const failed = subtasks.filter((one) => one.vertex === vertex).length;
      if (failed > 0 && failed < parallelism && sink.recover && !sink.recoverWriters)
        return `sink ${name} cannot take back what some of its subtasks have written`;
    }
    return null;
  }

  /** All tasks of an attempt run. */
  start(point: RestorePoint | null): void {
    this.#restored(point);
    this.#running().start();
    this.#arm();
  }

  /** Some tasks are going away, and the others go on. Resolves when it is known which checkpoint is the latest. */
  failover(): Promise<void> {
    const settled = this.#running().failover('JOB_FAILOVER_REGION');
    this.#arm();
    return settled;
  }

  /** Those that went away run again. */
  resume(point: RestorePoint | null): void {
    this.#restored(point);
    this.#running().resume();
    this.#arm();
  }

  #restored(point: RestorePoint | null): void {
    if (point === null) return;
    const { id, kind, path } = point.checkpoint;
    this.#running().restored({ id, kind, path, restoredAt: this.#job.clock.now() });
  }

  /** The tasks are going away. Resolves when it is known which checkpoint is the latest. */
  async stop(reason: CheckpointFailureReason): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    await this.#coordinator?.stop(reason);
    this.#enumerators.clear();
  }

  /** Gives the directory back. */
  async close(): Promise<void> {
    await this.stop('CHECKPOINT_COORDINATOR_SHUTDOWN');
    const store = this.#store;
    this.#store = null;
    // Where the lock cannot be removed it holds nobody up any longer than this process lives.
    await store?.close().catch(() => {});
  }

  /** `aligned`: one that fits any parallelism. */
  async checkpoint({ aligned = false } = {}): Promise<CompletedCheckpoint> {
    return this.#then(this.#running().triggerCheckpoint({ aligned }));
  }

  async savepoint(kind: 'savepoint' | 'stop' | 'drain', target: string | null): Promise<CompletedCheckpoint> {
    return this.#then(this.#running().triggerSavepoint(kind, target));
  }

  /** The input has ended; resolves when a checkpoint is complete that says so. */
  last(): Promise<CompletedCheckpoint> {
    return this.#then(this.#running().triggerFinal());
  }

  acknowledge({ checkpoint, id, state, figures, ended }: Of<'acknowledged'>): void {
    this.#coordinator?.acknowledge({ checkpoint, subtask: id, state: { checkpoint, handle: state }, figures, ended });
    this.#arm();
  }

  decline({ checkpoint, id, reason, message }: Of<'declined'>): void {
    this.#coordinator?.decline({ checkpoint, subtask: id, reason, message });
    this.#arm();
  }

  details(id: number): CheckpointDetails | null {
    return this.#coordinator?.details(id) ?? null;
  }

  /** Removes a savepoint, or a checkpoint of a job that does not run. */
  async dispose(path: string): Promise<void> {
    const { disk, process = thisProcess() } = this.#options;
    if (this.#store?.origin?.path === path)
      throw new WeirError(
        'SAVEPOINT_IN_USE',
        `${path} is what the job began from, and what it goes back to until it has enough checkpoints of its own.`,
      );
    await disposeKept(disk, path, process);
  }

  /** As of the last one that was completed, checkpoint or savepoint. */
  get stateSizes(): Omit<StateSizes, 'alertBytes'> {
    return this.#sizes;
  }

  statistics(): CheckpointStatistics | null {
    return this.#coordinator?.statistics() ?? null;
  }

  #pointOf(checkpoint: CompletedCheckpoint, skipped: RestorePoint['skipped']): RestorePoint {
    const { accept, resume } = this.#options;
    accept?.(checkpoint.job);
    const allowNonRestoredState = resume.from === 'path' && resume.allowNonRestoredState;
    const { operators, enumerators } = planRestore(this.#job.graph(), checkpoint, { allowNonRestoredState });
    return { checkpoint, skipped, operators, enumerators };
  }

  /** What sinks of the job say against going on from there; throws where it must not go back so far. */
  async #obstacle(checkpoint: CompletedCheckpoint, skipped: readonly SkippedCheckpoint[]): Promise<string | null> {
    const point = this.#pointOf(checkpoint, skipped);
    const doubled: string[] = [];
    for (const { id, sink } of this.#sinks()) {
      if (!sink.check) continue;
      const found = await sink.check(sinkRecovery(await this.#snapshotsOf(id, point)));
      if (found.damage !== null) return found.damage;
      if (found.doubled !== null) doubled.push(found.doubled);
    }
    if (doubled.length > 0) throw noWayBack(this.#job.spec().name, checkpoint, skipped, doubled);
    return null;
  }

  #sinks(): readonly SinkPlace[] {
    return this.#job
      .graph()
      .vertices.flatMap(({ operators, parallelism }, vertex) =>
        operators.flatMap(({ id, name, sink }) => (sink ? [{ id, name, sink, vertex, parallelism }] : [])),
      );
  }

  async #snapshotsOf(operator: string, { operators }: RestorePoint): Promise<readonly OperatorSnapshot[]> {
    const handles = operators.get(operator);
    return handles === undefined ? [] : readOperator(this.#options.disk, handles, NO_GROUPS);
  }

  #newCoordinator(store: CheckpointStore): CheckpointCoordinator<WrittenState, CompletedCheckpoint> {
    const job = this.#job;
    const { clock } = job;
    return new CheckpointCoordinator({
      settings: this.#options.settings,
      clock,
      random: job.random,
      firstId: store.nextCheckpoint,
      get subtasks() {
        return subtasksOf(job.graph());
      },
      name: ({ vertex, index }) => {
        const { name = '', parallelism = 0 } = job.graph().vertices[vertex] ?? {};
        return `${name} (${index + 1}/${parallelism})`;
      },
      running: (id) => job.execution()?.running(id) ?? false,
      trigger: (barrier) => {
        const execution = this.#job.execution();
        this.#enumerators.set(barrier.checkpoint, execution?.enumeratorSnapshots(barrier.checkpoint) ?? new Map());
        execution?.toSources({ type: 'checkpoint', barrier });
      },
      complete: async ({ barrier, acks, target, scheduled }) => {
        const graph = job.graph();
        const handles: (SubtaskStateHandle | null)[][] = graph.vertices.map((v) => Array(v.parallelism).fill(null));
        for (const { subtask, state } of acks)
          (handles[subtask.vertex] as SubtaskStateHandle[])[subtask.index] = state.handle;
        const enumerators = this.#enumerators.get(barrier.checkpoint) ?? new Map();
        this.#enumerators.delete(barrier.checkpoint);
        const { directory } = this.#options;
        if (barrier.kind !== 'checkpoint' && target !== null) await this.#savepoints?.willPutInto(target);
        const completed = await this.#opened().complete(
          {
            id: barrier.checkpoint,
            kind: barrier.kind,
            triggeredAt: barrier.triggeredAt,
            completedAt: clock.now(),
            job: job.spec(),
            vertices: describeVertices(graph, handles),
            enumerators: Object.fromEntries(enumerators),
          },
          target ?? (scheduled ? `${directory}/${SCHEDULED}` : undefined),
        );
        this.#sizes = { checkpoint: completed.id, at: completed.completedAt, operators: stateSizesOf(completed) };
        if (scheduled) void this.#retainScheduled();
        return completed;
      },
      notifyComplete: (checkpoint) => this.#job.execution()?.checkpointCompleted(checkpoint),
      notifyAborted: (checkpoint) => {
        this.#enumerators.delete(checkpoint);
        this.#job.execution()?.broadcast({ type: 'checkpoint-aborted', checkpoint });
      },
      discard: async (states) => {
        for (const checkpoint of new Set(states.map((state) => state.checkpoint)))
          await this.#store?.discard(checkpoint);
      },
      failJob: (error) => this.#job.failJob(error),
      onChange: (change) => {
        this.#job.tell({ type: 'checkpoint', change });
        this.#arm();
      },
    });
  }

  /** Old savepoints that cannot be removed fail nothing. */
  async #retainScheduled(): Promise<void> {
    const { disk, directory, settings } = this.#options;
    try {
      const retained = settings.savepoints?.retained ?? 1;
      await retainSavepoints(disk, `${directory}/${SCHEDULED}`, this.#job.spec().name, retained);
    } catch (error) {
      const change = { type: 'cleanup-failed', id: 0, kind: 'savepoint', text: messageOf(error) } as const;
      this.#job.tell({ type: 'checkpoint', change });
    }
  }

  /** Has the coordinator do what is due, when it is due. */
  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const coordinator = this.#coordinator;
    if (coordinator === null || coordinator.nextWake === Number.POSITIVE_INFINITY) return;
    const nap = Math.min(LONGEST_NAP_MS, Math.max(0, coordinator.nextWake - this.#job.clock.now()));
    const look = (): void => {
      coordinator.tick();
      this.#arm();
    };
    this.#cancelTimer = this.#job.timers.after(nap, look, true);
  }

  #then<T>(asked: Promise<T>): Promise<T> {
    this.#arm();
    return asked;
  }

  #opened(): CheckpointStore {
    if (this.#store === null) throw new Error('The checkpoint store is not open.');
    return this.#store;
  }

  #running(): CheckpointCoordinator<WrittenState, CompletedCheckpoint> {
    if (this.#coordinator === null)
      throw new WeirError(
        'NOT_RUNNING',
        `Job ${this.#job.spec().name} has not begun: checkpoints can be taken while it is RUNNING.`,
      );
    return this.#coordinator;
  }
}
