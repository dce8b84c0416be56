/**
 * The simulator's side on the main thread: deals the splits once, hands on what is changed or injected while it runs, and adds up what the
 * readers report about injections.
 */

import type { Enumerator, EnumeratorContext } from '#engine/io/source.ts';
import {
  checkControl,
  isNews,
  type ReaderOrder,
  type RunningInjection,
  type SettingsChange,
  type SimulatorSplit,
} from './messages.ts';

/** `affected`: events made or touched so far; after `done` nothing more is told about the injection. */
export type InjectionListener = (id: number, affected: number, done: boolean) => void;

/** What the simulator keeps for its enumerators, which come and go with the attempts of a job. */
export interface SimulatorMemory {
  readonly splits: number;
  /** Settings changed since the job was made; empty if none. */
  changed(): SettingsChange;
  change(settings: SettingsChange): void;
  progress: InjectionListener;
}

interface Tracked {
  /** Per subtask: events so far. */
  readonly counts: Map<number, number>;
  /** Subtasks that have not said done. */
  readonly open: Set<number>;
}

export class IotSimulatorEnumerator implements Enumerator {
  readonly #context: EnumeratorContext<SimulatorSplit>;
  readonly #memory: SimulatorMemory;
  /** Splits that are still read, and by which subtask. */
  readonly #reading = new Map<number, number>();
  /** Running injections; an entry goes when its last reader is done. */
  readonly #tracked = new Map<number, Tracked>();

  constructor(context: EnumeratorContext<SimulatorSplit>, memory: SimulatorMemory) {
    this.#context = context;
    this.#memory = memory;
  }

  start(): void {
    const { parallelism, clock } = this.#context;
    const startedAt = clock.now();
    for (let index = 0; index < this.#memory.splits; index++) {
      const subtask = index % parallelism;
      this.#reading.set(index, subtask);
      this.#context.assign(subtask, { id: `simulator-${index}`, index, startedAt });
    }
    const changed = this.#memory.changed();
    for (let subtask = 0; subtask < parallelism; subtask++) {
      this.#context.noMoreSplits(subtask);
      if (Object.keys(changed).length > 0) this.#send(subtask, { type: 'settings', ...changed });
    }
  }

  /** All splits are dealt at the start. */
  onSplitRequest(): void {}

  /** Settings, injections and stops, see `ControlEvent`; throws a UsageError when the event makes no sense. */
  onControl(event: unknown): void {
    const control = checkControl(event);
    switch (control.type) {
      case 'settings': {
        const { type: _, ...settings } = control;
        this.#memory.change(settings);
        this.#sendToAll(control);
        break;
      }
      case 'inject':
        this.#inject(control.injection);
        break;
      case 'stop':
        if (this.#tracked.has(control.id)) this.#sendToAll(control);
        break;
    }
  }

  onReaderEvent(subtask: number, event: unknown): void {
    if (!isNews(event)) return;
    if (event.type === 'split-finished') {
      this.#reading.delete(event.split);
      return;
    }
    const tracked = this.#tracked.get(event.id);
    if (tracked === undefined) return;
    tracked.counts.set(subtask, event.count);
    if (event.done) tracked.open.delete(subtask);
    this.#tell(event.id, tracked, tracked.open.size === 0);
  }

  /** The attempt is over; what its injections did until now is all they did. */
  close(): void {
    for (const [id, tracked] of this.#tracked) this.#tell(id, tracked, true);
  }

  #inject(injection: RunningInjection): void {
    const lanes = [...this.#reading.keys()];
    const subtasks = new Set(this.#reading.values());
    const tracked: Tracked = { counts: new Map(), open: subtasks };
    this.#tracked.set(injection.id, tracked);
    if (subtasks.size === 0) {
      // All splits have ended: nothing can be injected any more.
      this.#tell(injection.id, tracked, true);
      return;
    }
    for (const subtask of subtasks) this.#send(subtask, { type: 'inject', injection, lanes });
  }

  #tell(id: number, tracked: Tracked, done: boolean): void {
    let affected = 0;
    for (const count of tracked.counts.values()) affected += count;
    if (done) this.#tracked.delete(id);
    this.#memory.progress(id, affected, done);
  }

  #sendToAll(order: ReaderOrder): void {
    for (const subtask of new Set(this.#reading.values())) this.#send(subtask, order);
  }

  #send(subtask: number, order: ReaderOrder): void {
    this.#context.send(subtask, order);
  }
}
