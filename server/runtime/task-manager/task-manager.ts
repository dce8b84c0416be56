/**
 * One worker thread: runs the subtasks placed on it in one loop. There is no `await` in a record's path; the loop lets the event loop have a
 * turn twice a millisecond, so that messages, files and timers go on, and sleeps on its doorbell when nobody has anything to do.
 *
 *   messages ──> mail of a subtask ──┐
 *   rings of other threads ──bell────┼──> loop: step every subtask, consumers first ──> sleep until bell, timer or mail
 *   I/O callbacks ──wake─────────────┘
 */

import { type Clock, systemClock } from '#base/clock.ts';
import { messageOf, WeirError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { withParallelism } from '#engine/graph/rescale.ts';
import type { StateBackendFactory } from '#engine/state/keyed-state.ts';
import type { Disk } from '../checkpoint/disk.ts';
import { StateWriter } from '../checkpoint/state-writer.ts';
import type {
  Deployment,
  FailureReport,
  FromTaskManager,
  JobSpec,
  SubtaskCommand,
  ToTaskManager,
} from '../messages.ts';
import { nameOf, type SubtaskId } from '../task/channels.ts';
import { Step } from '../task/step.ts';
import { type Subtask, SubtaskFailure } from '../task/subtask.ts';
import { wire } from '../task/wiring.ts';
import type { Disturber } from './disturber.ts';
import { Doorbell } from './doorbell.ts';
import { type RestoredState, readState } from './restored-state.ts';
import { SubtaskStates } from './subtask-states.ts';

/** The event loop gets a turn at least this often, ns: messages bring the next split of a file, and 5 ms cost half the speed of two readers. */
const YIELD_NANOS = 0.5e6;
/** Longest sleep, ms: idle times and quiet moments stay current. */
const SLEEP_MS = 100;

interface Deployed {
  readonly job: number;
  readonly subtasks: Subtask[];
  /** By subtask (`nameOf`); of jobs with checkpoints. */
  readonly states: ReadonlyMap<string, SubtaskStates>;
  failed: boolean;
}

export interface TaskManagerPort {
  send(message: FromTaskManager): void;
}

/** Which task manager a thread is. */
export interface Place {
  readonly index: number;
  /** Memory of its doorbell. */
  readonly bell: SharedArrayBuffer;
}

/** What a thread needs of the machine. */
export interface TaskManagerOutside {
  /** Null: there is none, and jobs that want one are refused. */
  readonly levelBackend: StateBackendFactory | null;
  /** Where checkpoints are written to and read from. */
  readonly disk: Disk;
  /** Default: nobody. */
  readonly disturber?: Disturber;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

export class TaskManager {
  readonly #index: number;
  readonly #bell: Doorbell;
  readonly #port: TaskManagerPort;
  readonly #build: (spec: JobSpec) => JobGraph;
  readonly #levelBackend: StateBackendFactory | null;
  readonly #disk: Disk;
  readonly #disturber: Disturber | null;
  readonly #clock: Clock;
  readonly #jobs = new Map<number, Deployed>();
  /** Jobs whose state is being read. */
  readonly #deploying = new Set<number>();

  constructor(
    { index, bell }: Place,
    port: TaskManagerPort,
    build: (spec: JobSpec) => JobGraph,
    outside: TaskManagerOutside,
  ) {
    this.#index = index;
    this.#bell = new Doorbell(bell);
    this.#port = port;
    this.#build = build;
    this.#levelBackend = outside.levelBackend;
    this.#disk = outside.disk;
    this.#disturber = outside.disturber ?? null;
    this.#clock = outside.clock ?? systemClock;
  }

  receive(message: ToTaskManager): void {
    switch (message.type) {
      case 'take-place':
        break;
      case 'deploy':
        void this.#deploy(message.deployment);
        break;
      case 'subtask':
        this.#command(message.job, message.id, message.command);
        break;
      case 'inspect':
        this.#inspect(message.job, message.request, message.operator, message.query);
        break;
      case 'dispose':
        this.#dispose(message.job);
        break;
      case 'disturb':
        this.#disturber?.receive(message.order);
        break;
    }
    this.#bell.ring();
  }

  /** Runs until the thread ends. */
  async loop(): Promise<never> {
    let lastYield = this.#clock.nanos();
    for (;;) {
      const seen = this.#bell.count;
      this.#bell.beat();
      if (!this.turn()) {
        const nap = Math.min(SLEEP_MS, this.wakeAt - this.#clock.now());
        await this.#bell.sleep(seen, Math.max(1, nap));
        lastYield = this.#clock.nanos();
      } else if (this.#clock.nanos() - lastYield > YIELD_NANOS) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        lastYield = this.#clock.nanos();
      }
    }
  }

  /** Steps every subtask once. False: nobody had anything to do; there may be something again when the bell rings, or at `wakeAt`. */
  turn(): boolean {
    let worked = false;
    for (const deployed of this.#jobs.values()) if (this.#drive(deployed)) worked = true;
    return worked;
  }

  /** Processing time at which a subtask has something to do even if nothing comes in, ms; Infinity: none. */
  get wakeAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const deployed of this.#jobs.values()) {
      if (deployed.failed) continue;
      for (const subtask of deployed.subtasks) at = Math.min(at, subtask.wakeAt);
    }
    return at;
  }

  #drive(deployed: Deployed): boolean {
    if (deployed.failed) return false;
    let worked = false;
    for (const subtask of deployed.subtasks) {
      if (subtask.finished) continue;
      try {
        const outcome = subtask.step();
        if (outcome === Step.WORKED) worked = true;
        if (outcome === Step.FINISHED) {
          worked = true;
          this.#port.send({
            type: 'finished',
            job: deployed.job,
            id: { vertex: subtask.vertexIndex, index: subtask.index },
          });
        }
      } catch (error) {
        deployed.failed = true;
        const [failed, cause] = error instanceof SubtaskFailure ? [error.subtask, error.cause] : [subtask, error];
        const where = `${failed.vertex.name} (${failed.index + 1}/${failed.vertex.parallelism})`;
        const id = { vertex: failed.vertexIndex, index: failed.index };
        this.#port.send({ type: 'failed', job: deployed.job, id, where, error: report(cause) });
        return false;
      }
    }
    return worked;
  }

  async #deploy(deployment: Deployment): Promise<void> {
    const { job } = deployment;
    this.#deploying.add(job);
    try {
      const { spec } = deployment;
      const graph = withParallelism(this.#build(spec), spec.parallelism ?? {});
      const restored = await readState(this.#disk, graph, deployment);
      // It may have been given up meanwhile.
      if (!this.#deploying.has(job)) return;
      // Putting what is restored in its place may take a while, without a sign of life.
      this.#bell.excuse();
      const deployed = this.#wire(graph, deployment, restored);
      await this.#start(deployed);
      if (!this.#deploying.delete(job)) return;
      this.#disturber?.deployed(deployed.subtasks);
      this.#jobs.set(job, deployed);
      this.#port.send({ type: 'deployed', job });
    } catch (error) {
      this.#deploying.delete(job);
      this.#port.send({
        type: 'failed',
        job,
        id: null,
        where: `deployment on task manager ${this.#index + 1}`,
        error: report(error),
      });
    }
    this.#bell.ring();
  }

  /** With the restored state in its place; if that is not wanted any more, or fails, all of it is closed. */
  async #start({ job, subtasks }: Deployed): Promise<void> {
    try {
      for (const subtask of subtasks) await subtask.load(() => this.#deploying.has(job));
      if (this.#deploying.has(job)) for (const subtask of subtasks) subtask.start();
      else for (const subtask of subtasks) subtask.close();
    } catch (error) {
      for (const subtask of subtasks) subtask.close();
      throw error;
    }
  }

  #wire(graph: JobGraph, deployment: Deployment, restored: RestoredState | null): Deployed {
    const { job, placement, rings, cells, latencies, checkpoints } = deployment;
    const bells = deployment.bells.map((memory) => new Doorbell(memory));
    const states = new Map<string, SubtaskStates>();
    const statesOf = (id: SubtaskId): SubtaskStates | null => {
      if (checkpoints === null) return null;
      const { mode, root, incremental } = checkpoints;
      const made = new SubtaskStates({
        mode,
        writer: new StateWriter({ disk: this.#disk, root, subtask: id, incremental }),
        job,
        id,
        clock: this.#clock,
        send: (message) => this.#port.send(message),
      });
      states.set(nameOf(id), made);
      return made;
    };
    const subtasks = wire({
      graph,
      subtasks: deployment.subtasks,
      cells: (id) => new Float64Array(cells[id.vertex]?.[id.index] as SharedArrayBuffer),
      latencies: (id) => new Float64Array(latencies[id.vertex]?.[id.index] as SharedArrayBuffer),
      ring: (channel) => rings[channel] ?? null,
      notify: (id) => {
        const bell = bells[placement[id.vertex]?.[id.index] as number] as Doorbell;
        return () => bell.ring();
      },
      nanos: () => this.#clock.nanos(),
      host: (id) => ({
        clock: this.#clock,
        wake: () => this.#bell.ring(),
        levelBackend: this.#levelBackend,
        checkpoints: statesOf(id),
        restored: restored?.get(nameOf(id)) ?? null,
        report: (operator, message) => this.#port.send({ type: 'report', job, id, operator, message }),
        enumerator: {
          requestSplit: () => this.#port.send({ type: 'split-request', job, id }),
          send: (event) => this.#port.send({ type: 'reader-event', job, id, event }),
        },
      }),
    });
    return { job, subtasks, states, failed: false };
  }

  #command(job: number, id: SubtaskId, command: SubtaskCommand): void {
    const subtask = this.#jobs.get(job)?.subtasks.find((s) => s.vertexIndex === id.vertex && s.index === id.index);
    subtask?.receive(command);
    const states = this.#jobs.get(job)?.states.get(nameOf(id));
    if (command.type === 'checkpoint-complete') states?.completed(command.checkpoint);
    if (command.type === 'checkpoint-aborted') states?.aborted(command.checkpoint);
  }

  #inspect(job: number, request: number, operator: string, query: unknown): void {
    const answers: unknown[] = [];
    for (const subtask of this.#jobs.get(job)?.subtasks ?? []) {
      if (subtask.vertex.operators.some((o) => o.id === operator)) answers.push(subtask.inspect(operator, query));
    }
    this.#port.send({ type: 'inspected', job, request, answers });
  }

  #dispose(job: number): void {
    this.#deploying.delete(job);
    for (const states of this.#jobs.get(job)?.states.values() ?? []) states.close();
    const subtasks = this.#jobs.get(job)?.subtasks ?? [];
    this.#disturber?.disposed(subtasks);
    for (const subtask of subtasks) {
      try {
        subtask.close();
      } catch (error) {
        const id = { vertex: subtask.vertexIndex, index: subtask.index };
        this.#port.send({ type: 'failed', job, id, where: `closing ${subtask.vertex.name}`, error: report(error) });
      }
    }
    this.#jobs.delete(job);
    this.#port.send({ type: 'disposed', job });
  }
}

function report(error: unknown): FailureReport {
  return {
    code: error instanceof WeirError ? error.code : 'INTERNAL',
    message: messageOf(error),
    stack: error instanceof Error ? (error.stack ?? '') : '',
  };
}
