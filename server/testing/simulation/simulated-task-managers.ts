/**
 * The real task managers without their threads: each has memory and a disk of its own, is stepped when the simulation says so, and speaks with
 * the job master by messages that take their time. One that is killed takes everything with it; one that hangs is killed when the heartbeat is missed.
 */

import type { Clock, Timers } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { OutputDisk } from '#connectors/file/output-disk.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Disk } from '#runtime/checkpoint/disk.ts';
import type { TaskManagerListener, TaskManagerPool } from '#runtime/job/task-managers.ts';
import type { FromTaskManager, JobSpec, ToTaskManager } from '#runtime/messages.ts';
import { Doorbell } from '#runtime/task-manager/doorbell.ts';
import { TaskManager } from '#runtime/task-manager/task-manager.ts';
import type { SimulatedDisk } from '../simulated-disk.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

export type AnyDisk = Disk & OutputDisk;

/** Where a bug can be put on purpose, in front of the parts that are tested. */
export interface Seams {
  /** The disk that a task manager writes its state to. */
  readonly stateDisk?: (disk: AnyDisk) => Disk;
  /** The job, in the task managers and in the job master. */
  readonly graph?: (graph: JobGraph) => JobGraph;
  /** Sees what a task manager sends before it is sent; `answer` reaches that task manager at once. */
  readonly onSend?: (message: FromTaskManager, answer: (message: ToTaskManager) => void) => void;
}

export interface SimulatedTaskManagersOptions {
  readonly count: number;
  readonly slots: number;
  readonly build: (spec: JobSpec, disk: AnyDisk) => JobGraph;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly disk: SimulatedDisk;
  readonly heartbeatMs: number;
  readonly seams: Seams;
}

interface Thread {
  readonly manager: TaskManager;
  readonly bell: Doorbell;
  readonly disk: AnyDisk;
  /** Has arrived, and waits for its next turn. */
  readonly inbox: ToTaskManager[];
  /** Rings it has looked into; -1: it has not found itself without work yet. */
  seen: number;
  running: boolean;
  hungUntil: number;
}

export class SimulatedTaskManagers implements TaskManagerPool {
  readonly slots: number;
  readonly bells: SharedArrayBuffer[] = [];
  readonly #options: SimulatedTaskManagersOptions;
  readonly #threads: (Thread | undefined)[] = [];
  readonly #listeners = new Map<number, TaskManagerListener>();
  #nextJob = 1;

  constructor(options: SimulatedTaskManagersOptions) {
    this.slots = options.slots;
    this.#options = options;
    this.growTo(options.count);
  }

  get count(): number {
    return this.bells.length;
  }

  growTo(count: number): void {
    while (this.bells.length < count) this.bells.push(Doorbell.memory());
  }

  async start(): Promise<void> {
    const { timers, random } = this.#options;
    const missing = this.bells.flatMap((_, index) => (this.alive(index) ? [] : [index]));
    for (const index of missing) this.#spawn(index);
    if (missing.length > 0) await new Promise<void>((resolve) => timers.after(random.below(4), resolve));
  }

  register(listener: TaskManagerListener): number {
    this.#listeners.set(this.#nextJob, listener);
    return this.#nextJob++;
  }

  unregister(job: number): void {
    this.#listeners.delete(job);
  }

  /** As far as the job master knows. */
  alive(index: number): boolean {
    return this.#threads[index] !== undefined;
  }

  send(index: number, message: ToTaskManager): void {
    const thread = this.#threads[index];
    if (thread !== undefined) this.#deliver(index, thread, message);
  }

  /** Ends it in the middle of whatever it does. False: there is none. */
  kill(index: number, cause: string): boolean {
    const thread = this.#threads[index];
    if (thread?.running !== true) return false;
    const { network, disk } = this.#options;
    thread.running = false;
    disk.kill(thread.disk);
    network.drop(`to ${index}`);
    network.send(`from ${index}`, () => {
      this.#threads[index] = undefined;
      const lost = new WeirError('TASK_MANAGER_LOST', `Task manager ${index + 1} is lost: ${cause}.`);
      for (const listener of [...this.#listeners.values()]) listener.onLost(index, lost);
    });
    return true;
  }

  /** It does nothing for so long, ms. */
  hang(index: number, ms: number): boolean {
    const thread = this.#threads[index];
    if (thread?.running !== true) return false;
    const { clock, timers, heartbeatMs, disk } = this.#options;
    thread.hungUntil = clock.now() + ms;
    disk.freeze(thread.disk, thread.hungUntil);
    if (ms > heartbeatMs) {
      timers.after(heartbeatMs, () => {
        if (this.#threads[index] === thread) this.kill(index, `it gave no sign of life for ${heartbeatMs} ms`);
      });
    }
    return true;
  }

  /** Turns that may find something to do. */
  due(): (() => void)[] {
    const now = this.#options.clock.now();
    return this.#threads.flatMap((thread) => {
      if (thread === undefined || !thread.running || thread.hungUntil > now) return [];
      if (thread.bell.count === thread.seen && thread.manager.wakeAt > now) return [];
      return [
        () => {
          for (const message of thread.inbox.splice(0)) thread.manager.receive(message);
          const { count } = thread.bell;
          thread.seen = thread.manager.turn() ? -1 : count;
        },
      ];
    });
  }

  get nextAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const thread of this.#threads) {
      if (thread?.running) at = Math.min(at, Math.max(thread.hungUntil, thread.manager.wakeAt));
    }
    return at;
  }

  #spawn(index: number): void {
    const { disk, build, clock, network, seams } = this.#options;
    const mounted = disk.mount();
    const bell = this.bells[index] as SharedArrayBuffer;
    const send = (message: FromTaskManager): void => {
      seams.onSend?.(message, (answer) => thread.manager.receive(answer));
      network.send(`from ${index}`, () => {
        if (message.type !== 'ready') this.#listeners.get(message.job)?.onMessage(index, message);
      });
    };
    const graph = (spec: JobSpec): JobGraph => {
      const built = build(spec, mounted);
      return seams.graph?.(built) ?? built;
    };
    const manager = new TaskManager({ index, bell }, { send }, graph, {
      levelBackend: null,
      disk: seams.stateDisk?.(mounted) ?? mounted,
      clock,
    });
    const thread: Thread = {
      manager,
      bell: new Doorbell(bell),
      disk: mounted,
      inbox: [],
      seen: -1,
      running: true,
      hungUntil: 0,
    };
    this.#threads[index] = thread;
  }

  #deliver(index: number, thread: Thread, message: ToTaskManager): void {
    this.#options.network.send(`to ${index}`, () => {
      if (!thread.running) return;
      thread.inbox.push(message);
      thread.bell.ring();
    });
  }
}
