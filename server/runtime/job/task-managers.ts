/**
 * The worker threads that jobs run on. A task manager is one thread; it may run several jobs one after the other, or at the same time.
 * Threads are started at the first deployment.
 *
 *   running ──killed, out of memory, hung──> lost: whoever runs a job there is told ──replace──> the standby takes over its place
 *
 * A standby is a thread that has loaded everything and waits for a number: starting one takes longer than all the rest of a recovery. The next
 * one is started when the job has had time to get to its speed again, which the compiler needs all cores for.
 */

import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
// Loaded here so that it stays loaded: with the last thread that has it, its code would go from under LevelDB's own thread, and the process with it.
import 'level';
import { UsageError, WeirError } from '#base/errors.ts';
import type { FromTaskManager, TaskManagerInit, ToTaskManager } from '../messages.ts';
import { Doorbell } from '../task-manager/doorbell.ts';

export interface TaskManagersOptions {
  readonly count: number;
  /** Slots of each; a slot takes one subtask of every vertex of a job. */
  readonly slots: number;
  /** Module that a thread starts with. */
  readonly entry: URL;
  /** A thread more, which waits to take the place of a lost one. */
  readonly standby?: boolean;
  /** A thread whose loop stands still for so long counts as lost, ms; default 10 s. Time in which this process stood still does not count. */
  readonly heartbeatTimeoutMs?: number;
}

/** What a job master wants to hear from its task managers. */
export interface TaskManagerListener {
  onMessage(taskManager: number, message: FromTaskManager): void;
  /** The thread is gone. */
  onLost(taskManager: number, cause: Error): void;
}

/** What a job asks of them; the simulation has others (`server/testing/simulation`). */
export type TaskManagerPool = Pick<
  TaskManagers,
  'slots' | 'count' | 'bells' | 'growTo' | 'start' | 'register' | 'unregister' | 'send' | 'alive'
>;

export const MAX_TASK_MANAGERS = 64;
const HEARTBEAT_MS = 500;
/** From the moment in which a standby has taken a place to the start of the next one. */
const NEXT_STANDBY_MS = 2000;
const HEARTBEAT_TIMEOUT_MS = 10_000;

/** A thread, in place or in waiting. */
interface Thread {
  readonly worker: Worker;
  readonly ready: Promise<void>;
  /** Its place; -1: standby. */
  index: number;
  /** Why it was ended, if somebody did. */
  cause: string | null;
  alive: boolean;
  /** Looks that found its loop where it was. */
  missed: number;
  beats: number | null;
}

export class TaskManagers {
  readonly slots: number;
  readonly #entry: URL;
  readonly #standbyWanted: boolean;
  readonly #missable: number;
  readonly #threads: Thread[] = [];
  #standby: Thread | null = null;
  /** Doorbells, one for each place. */
  readonly #bells: SharedArrayBuffer[];
  readonly #listeners = new Map<number, TaskManagerListener>();
  #started: Promise<void> | null = null;
  #watch: NodeJS.Timeout | null = null;
  #nextStandby: NodeJS.Timeout | null = null;
  #closing = false;
  #nextJob = 1;
  readonly #stateDirectory = join(tmpdir(), `weir-state-${process.pid}-${randomUUID()}`);

  constructor(options: TaskManagersOptions) {
    const { count, slots } = options;
    checkCount(count);
    if (!Number.isInteger(slots) || slots < 1)
      throw new UsageError(`A task manager needs 1 slot or more, not ${slots}.`);
    this.slots = slots;
    this.#entry = options.entry;
    this.#standbyWanted = options.standby ?? false;
    this.#missable = Math.ceil((options.heartbeatTimeoutMs ?? HEARTBEAT_TIMEOUT_MS) / HEARTBEAT_MS);
    process.once('exit', this.#removeState);
    this.#bells = Array.from({ length: count }, () => Doorbell.memory());
  }

  get count(): number {
    return this.#bells.length;
  }

  /** Memory of their doorbells. */
  get bells(): readonly SharedArrayBuffer[] {
    return this.#bells;
  }

  /** There are to be so many at least; `start` starts them. */
  growTo(count: number): void {
    checkCount(count);
    while (this.#bells.length < count) this.#bells.push(Doorbell.memory());
  }

  /** Starts the threads that are missing; resolves when all are ready. */
  async start(): Promise<void> {
    this.#started ??= this.#startMissing().finally(() => {
      this.#started = null;
    });
    await this.#started;
  }

  /** A number for an attempt of a job's region, and whoever listens to news of it. */
  register(listener: TaskManagerListener): number {
    const job = this.#nextJob++;
    this.#listeners.set(job, listener);
    return job;
  }

  unregister(job: number): void {
    this.#listeners.delete(job);
  }

  send(taskManager: number, message: ToTaskManager): void {
    const thread = this.#threads[taskManager];
    if (thread?.alive) thread.worker.postMessage(message);
  }

  /** Whether its thread is there. */
  alive(taskManager: number): boolean {
    return this.#threads[taskManager]?.alive ?? false;
  }

  /** Ends a thread at once, in the middle of whatever it does: those who run jobs there learn that it is lost, and why. */
  kill(taskManager: number, cause = 'it was killed'): void {
    const thread = this.#threads[taskManager];
    if (!thread?.alive) return;
    thread.cause = cause;
    void thread.worker.terminate();
  }

  /** An order for the `Disturber` of one thread, or of all that are in place. */
  disturb(order: unknown, taskManager?: number): void {
    for (const index of taskManager === undefined ? this.#threads.keys() : [taskManager])
      this.send(index, { type: 'disturb', order });
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    if (this.#nextStandby !== null) clearTimeout(this.#nextStandby);
    await Promise.all([...this.#threads, this.#standby].map((thread) => thread?.worker.terminate()));
    this.#removeState();
    process.off('exit', this.#removeState);
  }

  async #startMissing(): Promise<void> {
    const placed: Thread[] = [];
    const stoodBy = this.#standby;
    for (let index = 0; index < this.count; index++) {
      if (this.alive(index)) continue;
      const thread = this.#standby ?? this.#spawn();
      this.#standby = null;
      thread.index = index;
      this.#threads[index] = thread;
      thread.worker.postMessage({ type: 'take-place', index, bell: this.bells[index] });
      placed.push(thread);
    }
    await Promise.all(placed.map((thread) => thread.ready));
    if (this.#closing) return;
    this.#watch ??= setInterval(() => this.#lookForHungOnes(), HEARTBEAT_MS).unref();
    if (stoodBy === null) this.#standBy();
    else this.#nextStandby ??= setTimeout(() => this.#standBy(), NEXT_STANDBY_MS).unref();
  }

  #standBy(): void {
    this.#nextStandby = null;
    if (this.#standbyWanted && !this.#closing) this.#standby ??= this.#spawn();
  }

  /** Stores remove their own; this is for those that a thread left behind. */
  readonly #removeState = (): void => rmSync(this.#stateDirectory, { recursive: true, force: true });

  #spawn(): Thread {
    const workerData: TaskManagerInit = { stateDirectory: this.#stateDirectory };
    const worker = new Worker(this.#entry, { workerData, name: 'task-manager', execArgv: [] });
    let failure: Error | null = null;
    const ready = new Promise<void>((resolve, reject) => {
      worker.on('message', (message: FromTaskManager) => {
        if (message.type === 'ready') resolve();
        else this.#listeners.get(message.job)?.onMessage(thread.index, message);
      });
      worker.on('error', (error) => {
        failure = error;
      });
      worker.on('exit', (code) => {
        thread.alive = false;
        if (this.#standby === thread) this.#standby = null;
        if (this.#closing) return;
        const why = thread.cause ?? failure?.message ?? `exit code ${code}`;
        const lost = new WeirError('TASK_MANAGER_LOST', `Task manager ${thread.index + 1} is lost: ${why}.`, {
          cause: failure,
        });
        reject(lost);
        if (thread.index < 0) return;
        for (const listener of [...this.#listeners.values()]) listener.onLost(thread.index, lost);
      });
    });
    // Whoever waits for it hears of it; nobody need.
    ready.catch(() => {});
    const thread: Thread = { worker, ready, index: -1, cause: null, alive: true, missed: 0, beats: null };
    return thread;
  }

  /** Every thread runs its loop ten times a second at least. Looks are counted instead of time, in which this process may have stood still. */
  #lookForHungOnes(): void {
    for (const [index, thread] of this.#threads.entries()) {
      if (!thread.alive) continue;
      const beats = Doorbell.beatsOf(this.#bells[index] as SharedArrayBuffer);
      thread.missed = beats !== null && beats === thread.beats ? thread.missed + 1 : 0;
      thread.beats = beats;
      if (thread.missed >= this.#missable)
        this.kill(index, `it gave no sign of life for ${(this.#missable * HEARTBEAT_MS) / 1000} s`);
    }
  }
}

function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MAX_TASK_MANAGERS)
    throw new UsageError(`There can be 1 to ${MAX_TASK_MANAGERS} task managers, not ${count}.`);
}
