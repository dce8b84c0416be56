/**
 * The checkpoints of one job: its coordinator, its store, and the timer that drives them. What the coordinator decides goes to the tasks of
 * the attempt that runs; what it has completed lies in the store, and is what the next attempt goes on from.
 */

import type { Clock, Timers } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { sinkRecovery } from '#engine/operators/sink.ts';
import type { CheckpointStatistics } from '#shared/checkpoints.ts';
import { CheckpointCoordinator } from '../checkpoint/checkpoint-coordinator.ts';
import type { CheckpointFailureReason } from '../checkpoint/checkpoint-failure.ts';
import { type CompletedCheckpoint, describeVertices } from '../checkpoint/checkpoint-metadata.ts';
import type { CheckpointSettings } from '../checkpoint/checkpoint-settings.ts';
import { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { ProcessIdentity } from '../checkpoint/directory-lock.ts';
import type { Disk } from '../checkpoint/disk.ts';
import { thisProcess } from '../checkpoint/node-process.ts';
import { planRestore } from '../checkpoint/restore-plan.ts';
import { openSavepoint } from '../checkpoint/savepoints.ts';
import type { SubtaskStateHandle } from '../checkpoint/state-handle.ts';
import { readOperator } from '../checkpoint/state-reader.ts';
import type { CheckpointDeployment, FromTaskManager, JobSpec } from '../messages.ts';
import { subtasksOf } from '../task/wiring.ts';
import type { JobExecution, RestoredJob } from './job-execution.ts';
import type { JobNews } from './job-news.ts';

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

type Of<T extends FromTaskManager['type']> = Extract<FromTaskManager, { readonly type: T }>;

/** Key groups of nobody: operator state alone is read. */
const NO_GROUPS = [0, -1] as const;
/** The coordinator is looked at this often at least, ms. */
const LONGEST_NAP_MS = 1000;

export class JobCheckpoints {
  readonly #options: JobCheckpointsOptions;
  readonly #job: CheckpointedJob;
  #store: CheckpointStore | null = null;
  #coordinator: CheckpointCoordinator<WrittenState, CompletedCheckpoint> | null = null;
  /** Of enumerators, as of the trigger; by checkpoint. */
  readonly #enumerators = new Map<number, ReadonlyMap<string, unknown>>();
  #cancelTimer: (() => void) | null = null;

  constructor(options: JobCheckpointsOptions, job: CheckpointedJob) {
    this.#options = options;
    this.#job = job;
  }

  /** Opens the directory, which nobody else may use meanwhile, and finds what the job goes on from; null: nothing. */
  async open(): Promise<RestorePoint | null> {
    const { directory, disk, settings, resume } = this.#options;
    const { spec } = this.#job;
    this.#store = await CheckpointStore.open({
      disk,
      directory,
      job: spec().name,
      retained: settings.retained,
      process: this.#options.process ?? thisProcess(),
      random: this.#job.random,
    });
    this.#coordinator = this.#newCoordinator(this.#store);
    if (resume.from === 'beginning') {
      await this.#store.startFrom(null);
      return null;
    }
    if (resume.from === 'latest') return this.latest();
    const savepoint = await openSavepoint(disk, resume.path);
    const point = this.#pointOf(savepoint, [], resume.allowNonRestoredState);
    await this.#store.startFrom(savepoint, resume.claim);
    return point;
  }

  /** The last completed checkpoint that can be read; null: there is none. */
  async latest(): Promise<RestorePoint | null> {
    const { checkpoint, skipped } = await this.#opened().latest();
    const { resume } = this.#options;
    if (checkpoint !== null)
      return this.#pointOf(checkpoint, skipped, resume.from === 'path' && resume.allowNonRestoredState);
    // What cannot be read now may be readable at the next look: by then its output has been taken back.
    if (skipped.length > 0) await this.#opened().startFrom(null);
    this.#job.tell({ type: 'restored', checkpoint: null, path: null, skipped, notes: [] });
    return null;
  }

  get deployment(): CheckpointDeployment {
    // Known before the store is opened: an attempt is only made when it is.
    return { mode: this.#options.settings.mode, root: this.#store?.root ?? '' };
  }

  /** Before an attempt, while no writer lives. */
  async recoverSinks(point: RestorePoint | null): Promise<void> {
    const notes: string[] = [];
    for (const { id, sink } of this.#job.graph().vertices.flatMap((v) => v.operators)) {
      if (!sink?.recover) continue;
      const handles = point?.operators.get(id);
      const snapshots = handles === undefined ? [] : await readOperator(this.#options.disk, handles, NO_GROUPS);
      notes.push(...(await sink.recover(point === null ? null : sinkRecovery(snapshots))));
    }
    if (point !== null || notes.length > 0) {
      const { id = null, path = null } = point?.checkpoint ?? {};
      this.#job.tell({ type: 'restored', checkpoint: id, path, skipped: point?.skipped ?? [], notes });
    }
  }

  /** All tasks of an attempt run. */
  start(point: RestorePoint | null): void {
    const coordinator = this.#running();
    if (point !== null) {
      const { id, kind, path } = point.checkpoint;
      coordinator.restored({ id, kind, path, restoredAt: this.#job.clock.now() });
    }
    coordinator.start();
    this.#arm();
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

  checkpoint(): Promise<CompletedCheckpoint> {
    return this.#then(this.#running().triggerCheckpoint());
  }

  savepoint(kind: 'savepoint' | 'stop' | 'drain', target: string | null): Promise<CompletedCheckpoint> {
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

  statistics(): CheckpointStatistics | null {
    return this.#coordinator?.statistics() ?? null;
  }

  #pointOf(
    checkpoint: CompletedCheckpoint,
    skipped: RestorePoint['skipped'],
    allowNonRestoredState: boolean,
  ): RestorePoint {
    this.#options.accept?.(checkpoint.job);
    const { operators, enumerators } = planRestore(this.#job.graph(), checkpoint, { allowNonRestoredState });
    return { checkpoint, skipped, operators, enumerators };
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
        this.#enumerators.set(barrier.checkpoint, execution?.enumeratorSnapshots() ?? new Map());
        execution?.toSources({ type: 'checkpoint', barrier });
      },
      complete: ({ barrier, acks, target }) => {
        const graph = job.graph();
        const handles: (SubtaskStateHandle | null)[][] = graph.vertices.map((v) => Array(v.parallelism).fill(null));
        for (const { subtask, state } of acks)
          (handles[subtask.vertex] as SubtaskStateHandle[])[subtask.index] = state.handle;
        const enumerators = this.#enumerators.get(barrier.checkpoint) ?? new Map();
        this.#enumerators.delete(barrier.checkpoint);
        return this.#opened().complete(
          {
            id: barrier.checkpoint,
            kind: barrier.kind,
            triggeredAt: barrier.triggeredAt,
            completedAt: clock.now(),
            job: job.spec(),
            vertices: describeVertices(graph, handles),
            enumerators: Object.fromEntries(enumerators),
          },
          target ?? undefined,
        );
      },
      notifyComplete: (checkpoint) => this.#job.execution()?.broadcast({ type: 'checkpoint-complete', checkpoint }),
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
    if (this.#coordinator === null) throw new Error('The checkpoint store is not open.');
    return this.#coordinator;
  }
}
