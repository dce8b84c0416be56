/**
 * What a page may ask for. Everything that comes is untrusted: it is read field by field, and a wrong one is answered with a sentence.
 * Bounds: `REMEMBERED` answers for repeated commands, `PER_SECOND` commands a second and client.
 */

import { messageOf, UsageError } from '#base/errors.ts';
import { readSpec } from '#lab/injections.ts';
import type { CommandResult, LiveEvent, SimulatorSettings } from '#shared/live.ts';
import type { ParallelismWish } from '#shared/scaling.ts';
import type { ControlledJob } from '../http/jobs.ts';
import type { LiveJob } from './job-handle.ts';

/** Answers kept for commands that are sent again. */
const REMEMBERED = 1000;
/** Commands of one client in a second; more are refused. */
const PER_SECOND = 20;
const LONGEST_ID = 100;

export interface CommandsOptions {
  job: LiveJob | null;
  /** Adds a numbered event for everybody. */
  tell(event: Pick<LiveEvent, 'kind' | 'text'>): void;
}

export class Commands {
  readonly #job: LiveJob | null;
  readonly #tell: CommandsOptions['tell'];
  readonly #answers = new Map<string, CommandResult>();

  constructor({ job, tell }: CommandsOptions) {
    this.#job = job;
    this.#tell = tell;
  }

  /** Does what the command says, once per `commandId`. Never throws. */
  run(command: unknown): CommandResult {
    const id = isObject(command) ? command.commandId : null;
    if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID) {
      return { ok: false, error: `A command needs a commandId of 1 to ${LONGEST_ID} characters.` };
    }
    const known = this.#answers.get(id);
    if (known !== undefined) return known;
    const result = this.#answer(command);
    this.#answers.set(id, result);
    if (this.#answers.size > REMEMBERED) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    return result;
  }

  #answer(command: unknown): CommandResult {
    try {
      return this.#do(isObject(command) ? command : {});
    } catch (error) {
      return { ok: false, error: messageOf(error) };
    }
  }

  #do(command: Record<string, unknown>): CommandResult {
    switch (command.type) {
      case 'inject':
        return { ok: true, injection: this.#running().injections.start(readSpec(command.spec)) };
      case 'stop-injection': {
        const { injections } = this.#simulator();
        // Whoever is second to stop one has what they wanted.
        if (!injections.stop(Number(command.id)) && !injections.all().some((i) => i.id === command.id)) {
          throw new UsageError(`There is no injection ${String(command.id).slice(0, 20)}.`);
        }
        return { ok: true };
      }
      case 'stop-all-injections':
        this.#simulator().injections.stopAll();
        return { ok: true };
      case 'start-fault':
        return { ok: true, fault: this.#faults().start(command.spec) };
      case 'stop-fault': {
        const faults = this.#faults();
        const id = Number(command.id);
        if (!faults.stop(id) && !faults.knows(id))
          throw new UsageError(`There is no fault ${String(command.id).slice(0, 20)}.`);
        return { ok: true };
      }
      case 'stop-all':
        this.#job?.faults?.stopAll();
        this.#job?.simulator?.injections.stopAll();
        return { ok: true };
      case 'rescale': {
        if (!this.#job?.rescales) throw new UsageError('No job runs that could be rescaled.');
        return { ok: true, rescale: this.#job.rescales.start(readParallelism(command.parallelism)) };
      }
      case 'take-checkpoint':
        this.#begin((job) => job.checkpoint());
        return { ok: true };
      case 'take-savepoint':
        this.#begin((job) => job.savepoint(null));
        return { ok: true };
      case 'stop-with-savepoint':
        this.#begin((job) => job.stopWithSavepoint({ drain: command.drain === true, target: null }));
        return { ok: true };
      case 'change-simulator': {
        const settings = readSettings(command.settings);
        this.#running().change(settings);
        this.#tell({ kind: 'settings-changed', text: describeSettings(settings) });
        return { ok: true };
      }
      default:
        throw new UsageError(
          'The type of a command must be inject, stop-injection, stop-all-injections, start-fault, stop-fault, stop-all, rescale, take-checkpoint, take-savepoint, stop-with-savepoint or change-simulator.',
        );
    }
  }

  #faults(): NonNullable<LiveJob['faults']> {
    if (!this.#job?.faults) throw new UsageError('No job runs that faults could strike.');
    return this.#job.faults;
  }

  /** Its end, good or bad, is news of the job. */
  #begin(work: (job: ControlledJob) => Promise<unknown>): void {
    const control = this.#job?.control ?? null;
    if (control === null) throw new UsageError('No job runs: there is nothing to take.');
    if (control.checkpoints === null)
      throw new UsageError('This job takes no checkpoints: start it with --checkpoint-interval.');
    if (control.state !== 'RUNNING') throw new UsageError(`The job is ${control.state}: it takes no checkpoints now.`);
    void work(control).catch(() => {});
  }

  #simulator(): NonNullable<LiveJob['simulator']> {
    if (this.#job === null) throw new UsageError('No job runs: there is nothing to change.');
    if (this.#job.simulator === null) {
      throw new UsageError('This job reads a real input, not the simulator: nothing can be injected or changed.');
    }
    return this.#job.simulator;
  }

  #running(): NonNullable<LiveJob['simulator']> {
    const simulator = this.#simulator();
    const state = this.#job?.handle.state;
    if (state !== 'RUNNING') throw new UsageError(`The job is ${state}: nothing can be injected or changed.`);
    return simulator;
  }
}

/** Operators and numbers of subtasks; which of them make sense the job knows. */
export function readParallelism(value: unknown): ParallelismWish {
  if (!isObject(value) || Object.keys(value).length === 0)
    throw new UsageError('Name operators and how many subtasks they are to have, as in {"windows": 4}.');
  for (const [operator, subtasks] of Object.entries(value)) {
    if (typeof subtasks !== 'number')
      throw new UsageError(`How many subtasks ${operator.slice(0, 80)} is to have must be a number.`);
  }
  return value as ParallelismWish;
}

type Settings = Partial<Pick<SimulatorSettings, 'rate' | 'malformed' | 'late' | 'disorder'>>;

function readSettings(value: unknown): Settings {
  if (!isObject(value)) throw new UsageError('settings must be an object with rate, malformed, late or disorder.');
  const settings: Settings = {};
  const { rate, malformed, late, disorder } = value;
  if (rate !== undefined) settings.rate = rate === null ? null : number('rate', rate);
  if (malformed !== undefined) settings.malformed = number('malformed', malformed);
  if (late !== undefined) settings.late = number('late', late);
  if (disorder !== undefined) {
    if (typeof disorder !== 'string' || disorder.length > 100) throw new UsageError('disorder must be a short text.');
    settings.disorder = disorder;
  }
  if (Object.keys(settings).length === 0) {
    throw new UsageError('settings must name at least one of rate, malformed, late and disorder.');
  }
  return settings;
}

function number(name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new UsageError(`${name} must be a number.`);
  return value;
}

function describeSettings({ rate, malformed, late, disorder }: Settings): string {
  const parts: string[] = [];
  if (rate !== undefined) parts.push(rate === null ? 'rate as fast as it goes' : `rate ${rate} events/s`);
  if (malformed !== undefined) parts.push(`malformed ${percent(malformed)}`);
  if (late !== undefined) parts.push(`late ${percent(late)}`);
  if (disorder !== undefined) parts.push(`disorder ${disorder}`);
  return `Simulator changed: ${parts.join(', ')}.`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Whether a client asks too often: `PER_SECOND` in any one second. */
export class CommandLimit {
  #second = 0;
  #count = 0;

  /** `now` in ms. */
  allows(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= PER_SECOND;
  }
}
