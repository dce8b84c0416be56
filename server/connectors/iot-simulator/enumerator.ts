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
  /** Injections begun and not over, as far as this process was told; they outlast attempts. */
  readonly injections: Map<number, RunningInjection>;
  /** Those that were stopped: readers that go on from before must not. The last 1,000. */
  readonly stopped: Set<number>;
  progress: InjectionListener;
}

/** Splits that are being read lie with the readers. */
interface EnumeratorState {
  readonly reading: readonly number[];
  readonly changed: SettingsChange;
  /** Running injections, and their events so far of readers that are done with them. */
  readonly injections: readonly { readonly id: number; readonly settled: number }[];
}

const STOPPED_KEPT = 1000;

/** Stands for readers of before a restore. */
const BEFORE = -1;

interface Tracked {
  /** Per subtask: events so far. */
  readonly counts: Map<number, number>;
  /** Subtasks that have not said done. */
  readonly open: Set<number>;
}

export class IotSimulatorEnumerator implements Enumerator {
  readonly #context: EnumeratorContext<SimulatorSplit>;
  readonly #memory: SimulatorMemory;
  /** Splits that are still read, and by which subtask; null: it has not said so yet, behind a restore. */
  readonly #reading = new Map<number, number | null>();
  /** Running injections; an entry goes when its last reader is done. */
  readonly #tracked = new Map<number, Tracked>();
  /** Readers that have not answered, behind a restore. */
  #silent = 0;

  constructor(context: EnumeratorContext<SimulatorSplit>, memory: SimulatorMemory) {
    this.#context = context;
    this.#memory = memory;
  }

  start(): void {
    if (this.#context.restored !== null) {
      this.#resume(this.#context.restored as EnumeratorState);
      return;
    }
    const { parallelism, clock } = this.#context;
    const startedAt = clock.now();
    for (let index = 0; index < this.#memory.splits; index++) {
      const subtask = index % parallelism;
      this.#reading.set(index, subtask);
      this.#context.assign(subtask, { id: `simulator-${index}`, index, startedAt, state: null, settled: [] });
    }
    const changed = this.#memory.changed();
    for (let subtask = 0; subtask < parallelism; subtask++) {
      this.#context.noMoreSplits(subtask);
      if (Object.keys(changed).length > 0) this.#send(subtask, { type: 'settings', ...changed });
    }
    this.#reconcile();
  }

  /** Settings are those of the checkpoint, and what was changed behind it stays so, as far as this process knows. */
  #resume({ reading, changed, injections }: EnumeratorState): void {
    const { parallelism } = this.#context;
    const now: SettingsChange = { ...changed, ...this.#memory.changed() };
    this.#memory.change(now);
    const since = Object.entries(now).filter(([name, value]) => changed[name as keyof SettingsChange] !== value);
    for (const split of reading) this.#reading.set(split, null);
    for (const { id, settled } of injections) {
      this.#tracked.set(id, { counts: new Map([[BEFORE, settled]]), open: new Set() });
    }
    this.#silent = parallelism;
    for (let subtask = 0; subtask < parallelism; subtask++) {
      this.#context.noMoreSplits(subtask);
      if (since.length > 0) this.#send(subtask, { type: 'settings', ...Object.fromEntries(since) });
      this.#send(subtask, { type: 'resumed' });
    }
  }

  snapshot(): EnumeratorState {
    return {
      reading: [...this.#reading.keys()],
      changed: this.#memory.changed(),
      injections: [...this.#tracked].map(([id, { counts, open }]) => ({
        id,
        settled: [...counts].reduce((sum, [subtask, events]) => sum + (open.has(subtask) ? 0 : events), 0),
      })),
    };
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
        stopInjection(this.#memory, control.id);
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
    if (event.type === 'reading') {
      this.#answered(subtask, event.splits, event.injections);
      return;
    }
    const tracked = this.#tracked.get(event.id);
    if (tracked === undefined) return;
    tracked.counts.set(subtask, event.count);
    if (event.done) tracked.open.delete(subtask);
    this.#tell(event.id, tracked, tracked.open.size === 0);
  }

  /** The attempt is over; the next one goes on with what runs. */
  close(): void {
    this.#tracked.clear();
  }

  #answered(subtask: number, splits: readonly number[], injections: readonly number[]): void {
    for (const split of splits) this.#reading.set(split, subtask);
    for (const id of injections) {
      const tracked: Tracked = this.#tracked.get(id) ?? { counts: new Map(), open: new Set() };
      tracked.open.add(subtask);
      this.#tracked.set(id, tracked);
    }
    if (--this.#silent > 0) return;
    this.#reconcile();
    // What nobody knows of has ended between the snapshots of this and of the readers.
    for (const [split, reader] of this.#reading) if (reader === null) this.#reading.delete(split);
    for (const [id, tracked] of this.#tracked) if (tracked.open.size === 0) this.#tell(id, tracked, true);
  }

  /** Readers are where they were at the checkpoint: what was stopped behind it is stopped again, what was begun behind it begins again. */
  #reconcile(): void {
    const { injections, stopped } = this.#memory;
    for (const id of this.#tracked.keys()) if (stopped.has(id)) this.#sendToAll({ type: 'stop', id });
    const now = this.#context.clock.now();
    for (const injection of injections.values()) {
      if (this.#tracked.has(injection.id)) continue;
      if (injection.durationMs === 0 || injection.endsAt > now) this.#inject(injection);
      else this.#memory.progress(injection.id, 0, true);
    }
  }

  /** Subtasks that read something; all of them while some have not said what. */
  #readers(): Set<number> {
    const readers = new Set<number>();
    for (const subtask of this.#reading.values()) {
      if (subtask !== null) readers.add(subtask);
      else for (let each = 0; each < this.#context.parallelism; each++) readers.add(each);
    }
    return readers;
  }

  #inject(injection: RunningInjection): void {
    const lanes = [...this.#reading.keys()];
    const subtasks = this.#readers();
    const tracked: Tracked = { counts: new Map(), open: subtasks };
    this.#memory.injections.set(injection.id, injection);
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
    if (done) {
      this.#tracked.delete(id);
      this.#memory.injections.delete(id);
    }
    this.#memory.progress(id, affected, done);
  }

  #sendToAll(order: ReaderOrder): void {
    for (const subtask of this.#readers()) this.#send(subtask, order);
  }

  #send(subtask: number, order: ReaderOrder): void {
    this.#context.send(subtask, order);
  }
}

/** Wherever it runs now, or will go on. */
export function stopInjection(
  { injections, stopped }: Pick<SimulatorMemory, 'injections' | 'stopped'>,
  id: number,
): void {
  injections.delete(id);
  stopped.add(id);
  for (const oldest of stopped) {
    if (stopped.size <= STOPPED_KEPT) break;
    stopped.delete(oldest);
  }
}
