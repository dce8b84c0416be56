/**
 * The worker threads that jobs run on. A task manager is one thread; it may run several jobs one after the other, or at the same time.
 * Threads are started at the first deployment.
 */

import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UsageError, WeirError } from '#base/errors.ts';
import type { FromTaskManager, TaskManagerInit, ToTaskManager } from '../messages.ts';
import { Doorbell } from '../task-manager/doorbell.ts';

export interface TaskManagersOptions {
  readonly count: number;
  /** Slots of each; a slot takes one subtask of every vertex of a job. */
  readonly slots: number;
  /** Module that a thread starts with. */
  readonly entry: URL;
}

/** What a job master wants to hear from its task managers. */
export interface TaskManagerListener {
  onMessage(taskManager: number, message: FromTaskManager): void;
  /** The thread is gone. */
  onLost(taskManager: number, cause: Error): void;
}

export class TaskManagers {
  readonly count: number;
  readonly slots: number;
  readonly #entry: URL;
  readonly #workers: Worker[] = [];
  readonly #bells: SharedArrayBuffer[];
  readonly #listeners = new Map<number, TaskManagerListener>();
  #started: Promise<void> | null = null;
  #closing = false;
  #nextJob = 1;
  readonly #stateDirectory = join(tmpdir(), `weir-state-${process.pid}-${randomUUID()}`);

  constructor(options: TaskManagersOptions) {
    const { count, slots } = options;
    if (!Number.isInteger(count) || count < 1 || count > 64)
      throw new UsageError(`There can be 1 to 64 task managers, not ${count}.`);
    if (!Number.isInteger(slots) || slots < 1)
      throw new UsageError(`A task manager needs 1 slot or more, not ${slots}.`);
    this.count = count;
    this.slots = slots;
    this.#entry = options.entry;
    process.once('exit', () => this.#removeState());
    this.#bells = Array.from({ length: count }, () => Doorbell.memory());
  }

  /** Starts the threads; resolves when all are ready. */
  start(): Promise<void> {
    this.#started ??= Promise.all(Array.from({ length: this.count }, (_, i) => this.#spawn(i))).then(() => {});
    return this.#started;
  }

  /** A number for a job, and whoever listens to news of it. */
  register(listener: TaskManagerListener): number {
    const job = this.#nextJob++;
    this.#listeners.set(job, listener);
    return job;
  }

  unregister(job: number): void {
    this.#listeners.delete(job);
  }

  send(taskManager: number, message: ToTaskManager): void {
    this.#workers[taskManager]?.postMessage(message);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#workers.map((w) => w.terminate()));
    this.#removeState();
  }

  /** Stores remove their own; this is for those that a thread left behind. */
  #removeState(): void {
    rmSync(this.#stateDirectory, { recursive: true, force: true });
  }

  #spawn(index: number): Promise<void> {
    const workerData: TaskManagerInit = { index, bells: this.#bells, stateDirectory: this.#stateDirectory };
    const worker = new Worker(this.#entry, { workerData, name: `task-manager-${index + 1}`, execArgv: [] });
    this.#workers[index] = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromTaskManager) => {
        if (message.type === 'ready') resolve();
        else this.#listeners.get(message.job)?.onMessage(index, message);
      });
      let cause: Error | null = null;
      worker.on('error', (error) => {
        cause = error;
      });
      worker.on('exit', (code) => {
        if (this.#closing) return;
        const lost = new WeirError(
          'TASK_MANAGER_LOST',
          `Task manager ${index + 1} ended unexpectedly (exit code ${code})${cause === null ? '' : `: ${cause.message}`}.`,
          { cause },
        );
        reject(lost);
        for (const listener of this.#listeners.values()) listener.onLost(index, lost);
      });
    });
  }
}
