/**
 * What people do to the stream while it runs: injections with a deadline that the server keeps, not the page that asked for them.
 *
 *   start(spec) ──> to the simulator ──> progress(id, affected)* ──> progress(id, affected, done): ended
 *                                                      stop(id) ──> to the simulator ──┘
 *
 * The simulator has the last word, so that what an ended injection says it did is all it did. One that the simulator is silent about
 * for too long is ended without it; its counts may come in behind.
 *
 * Bounds: `MAX_RUNNING` at a time, `LIMITS.events` ended ones kept.
 */

import type { Clock } from '#base/clock.ts';
import { UsageError } from '#base/errors.ts';
import {
  INJECTIONS,
  type Injection,
  type InjectionKind,
  type InjectionSpec,
  MALFORMED_KINDS,
} from '#shared/injections.ts';
import { LIMITS } from '#shared/live.ts';

/** Injections that may run at a time. */
export const MAX_RUNNING = 20;
/** Longest time one may be asked for: a forgotten one ends by itself. */
export const MAX_DURATION_MS = 60 * 60 * 1000;
/** One that comes all at once is over when its last event was made; should that news be lost, after this time. */
const ONCE_DEADLINE_MS = 10_000;
/** The simulator ends an injection by itself when its time is over, and one that is stopped at once, to the event: so long it may take. */
const SILENCE_MS = 1000;

/** What the enumerator of the simulator understands (`Enumerator.onControl`). */
export type InjectionControl = { type: 'inject'; injection: Injection } | { type: 'stop'; id: number };

export interface InjectionNews {
  kind: 'injection-started' | 'injection-stopped';
  injection: Injection;
  /** One line, in words. */
  text: string;
}

export interface InjectionsOptions {
  control(message: InjectionControl): void;
  clock: Clock;
  /** `setTimeout` and `clearTimeout`, so that tests own time. */
  timers: { set(run: () => void, ms: number): unknown; clear(timer: unknown): void };
}

export const nodeTimers: InjectionsOptions['timers'] = {
  set: (run, ms) => setTimeout(run, ms).unref(),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

interface Run {
  readonly injection: Injection;
  /** Timer that ends it without the simulator. */
  deadline: unknown;
  /** Wall time at which somebody stopped it; null: nobody has. */
  stoppedAt: number | null;
}

export class Injections {
  readonly #options: InjectionsOptions;
  readonly #running = new Map<number, Run>();
  readonly #ended: Injection[] = [];
  readonly #listeners = new Set<(news: InjectionNews) => void>();
  #lastId = 0;
  #version = 0;

  constructor(options: InjectionsOptions) {
    this.#options = options;
  }

  /** Changes whenever anything in `all` does. */
  get version(): number {
    return this.#version;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Copies, oldest first. */
  all(): Injection[] {
    const list = [...this.#ended, ...[...this.#running.values()].map((r) => r.injection)];
    return list.map((injection) => ({ ...injection })).sort((a, b) => a.id - b.id);
  }

  /** Returns how to unsubscribe. */
  onNews(listener: (news: InjectionNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Throws a `UsageError` that names what is wrong with the spec. */
  start(spec: InjectionSpec): Injection {
    checkSpec(spec);
    if (this.#running.size >= MAX_RUNNING) {
      throw new UsageError(`${MAX_RUNNING} injections run already: stop one first.`);
    }
    const now = this.#options.clock.now();
    const id = ++this.#lastId;
    const injection: Injection = {
      id,
      kind: spec.kind,
      strength: spec.strength,
      durationMs: spec.durationMs,
      malformed: spec.malformed,
      startedAt: now,
      endsAt: now + spec.durationMs,
      running: true,
      affected: 0,
    };
    const wait = spec.durationMs === 0 ? ONCE_DEADLINE_MS : spec.durationMs + SILENCE_MS;
    const run: Run = {
      injection,
      deadline: this.#options.timers.set(() => this.#deadline(run), wait),
      stoppedAt: null,
    };
    this.#running.set(id, run);
    try {
      this.#options.control({ type: 'inject', injection: { ...injection } });
    } catch (error) {
      this.#options.timers.clear(run.deadline);
      this.#running.delete(id);
      throw error;
    }
    this.#version++;
    this.#tell('injection-started', injection, `${describe(injection)} started${lasts(injection)}.`);
    return { ...injection };
  }

  /** Stops one; the news comes with its last count. False: it is not running, or was stopped before (which is no error). */
  stop(id: number): boolean {
    const run = this.#running.get(id);
    if (run === undefined || run.stoppedAt !== null) return false;
    const { control, clock, timers } = this.#options;
    timers.clear(run.deadline);
    run.stoppedAt = clock.now();
    run.deadline = timers.set(() => this.#end(run, 'so far'), SILENCE_MS);
    control({ type: 'stop', id });
    return true;
  }

  /** Stops all that run; how many. */
  stopAll(): number {
    return [...this.#running.keys()].filter((id) => this.stop(id)).length;
  }

  /** From the simulator: events made or touched so far in all, and whether that was the last. May come after the end, too. */
  progress(id: number, affected: number, done: boolean): void {
    const run = this.#running.get(id);
    const injection = run?.injection ?? this.#ended.findLast((i) => i.id === id);
    if (injection === undefined) return;
    // Less than before where the job went back to a checkpoint: what it did behind that is made good with the rows.
    if (run === undefined ? affected > injection.affected : affected !== injection.affected) {
      injection.affected = affected;
      this.#version++;
    }
    if (done && run !== undefined) this.#end(run, 'in all');
  }

  /** The job has ended: nothing runs any more. */
  close(): void {
    for (const run of [...this.#running.values()]) this.#end(run, 'in all', 'ended with the job');
  }

  #deadline(run: Run): void {
    this.#options.control({ type: 'stop', id: run.injection.id });
    this.#end(run, 'so far');
  }

  #end(run: Run, count: 'in all' | 'so far', how = run.stoppedAt === null ? 'ended' : 'stopped'): void {
    const { injection } = run;
    // The simulator may have answered a stop before this was told of it.
    if (!this.#running.delete(injection.id)) return;
    this.#options.timers.clear(run.deadline);
    const now = run.stoppedAt ?? this.#options.clock.now();
    injection.running = false;
    // One that ran its time ended then, not when its last counts came in.
    injection.endsAt = injection.durationMs > 0 ? Math.min(now, injection.startedAt + injection.durationMs) : now;
    this.#ended.push(injection);
    if (this.#ended.length > LIMITS.events) this.#ended.shift();
    this.#version++;
    const events = injection.affected === 1 ? '1 event' : `${injection.affected} events`;
    this.#tell('injection-stopped', injection, `${describe(injection)} ${how}, ${events} ${count}.`);
  }

  #tell(kind: InjectionNews['kind'], injection: Injection, text: string): void {
    for (const listener of this.#listeners) listener({ kind, injection: { ...injection }, text });
  }
}

/** Throws a `UsageError` that says what of the spec is wrong and what would be right. */
export function checkSpec(spec: InjectionSpec): void {
  const rules = INJECTIONS[spec.kind];
  const { title, unit, min, max, once } = rules;
  if (!Number.isInteger(spec.strength) || spec.strength < min || spec.strength > max) {
    throw new UsageError(`${title}: strength ${spec.strength} must be a whole number from ${min} to ${max} (${unit}).`);
  }
  if (!Number.isInteger(spec.durationMs) || spec.durationMs < 0 || spec.durationMs > MAX_DURATION_MS) {
    throw new UsageError(
      `${title}: durationMs ${spec.durationMs} must be a whole number from 0 to ${MAX_DURATION_MS}.`,
    );
  }
  if (spec.durationMs === 0 && !once) {
    throw new UsageError(`${title} cannot come all at once: give a duration above 0.`);
  }
  if (spec.malformed !== null && spec.kind !== 'malformed') {
    throw new UsageError(`${title}: only malformed events have a kind of defect; leave it null.`);
  }
}

/** Reads a spec from untrusted data. Throws a `UsageError`. */
export function readSpec(value: unknown): InjectionSpec {
  const { kind, strength, durationMs, malformed } = fields(value, ['kind', 'strength', 'durationMs', 'malformed']);
  if (!isKind(kind))
    throw new UsageError(`The kind of an injection must be one of ${Object.keys(INJECTIONS).join(', ')}.`);
  if (typeof strength !== 'number' || typeof durationMs !== 'number') {
    throw new UsageError('strength and durationMs of an injection must be numbers.');
  }
  const defect = malformed === null || malformed === undefined ? null : MALFORMED_KINDS.find((k) => k === malformed);
  if (defect === undefined) throw new UsageError(`malformed must be null or one of ${MALFORMED_KINDS.join(', ')}.`);
  const spec: InjectionSpec = { kind, strength, durationMs, malformed: defect };
  checkSpec(spec);
  return spec;
}

function fields<K extends string>(value: unknown, names: readonly K[]): Partial<Record<K, unknown>> {
  if (typeof value !== 'object' || value === null) throw new UsageError('An injection must be an object.');
  const found: Partial<Record<K, unknown>> = {};
  for (const [name, of] of Object.entries(value)) {
    const known = names.find((n) => n === name);
    if (known !== undefined) found[known] = of;
  }
  return found;
}

function isKind(kind: unknown): kind is InjectionKind {
  return typeof kind === 'string' && Object.hasOwn(INJECTIONS, kind);
}

/** `Malformed events (out_of_range:pressure), 20 events/s` */
export function describe(injection: InjectionSpec): string {
  const { title, unit } = INJECTIONS[injection.kind];
  const which = injection.malformed === null ? '' : ` (${injection.malformed})`;
  const amount = injection.durationMs === 0 ? `${injection.strength} at once` : `${injection.strength} ${unit}`;
  return `${title}${which}, ${amount}`;
}

function lasts({ durationMs }: InjectionSpec): string {
  return durationMs === 0 ? '' : ` for ${Math.round(durationMs / 100) / 10} s`;
}
