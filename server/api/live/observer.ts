/**
 * Watches one job for everybody who looks: samples its cells, and asks its operators only for what somebody has on screen.
 *
 *   nobody      cells once a second, the task managers hear nothing
 *   somebody    cells ten times a second, error counters once a second
 *   `overview`  who holds the watermark back, twice a second
 *   `windows`   results and open windows four times a second
 *   `errors`    counters and rows ten times a second
 */

import type { WatermarkReport } from '#engine/operators/watermark-report.ts';
import { type JobNumbers, JobSampler } from '#runtime/metrics/sampler.ts';
import { watermarkHolders, watermarkMakers } from '#runtime/metrics/watermark-holders.ts';
import { LIMITS, type OpenWindow, type WatermarkHolders } from '#shared/live.ts';
import type { JobHandle, LiveJob } from './job-handle.ts';

const WINDOWS_MS = 250;
const COUNTS_MS = 1000;
const HOLDERS_MS = 500;
/** Open windows of one subtask that are asked for, at most. */
const OPEN_LIMIT = 500;
/** Pages show the open window of a device that closes next; which one that is depends on their time. */
const OPEN_PER_KEY = 3;

export interface Interest {
  overview: boolean;
  windows: boolean;
  errors: boolean;
  /** Devices pinned by anybody. */
  pinned: readonly string[];
}

export class JobObserver {
  readonly job: LiveJob;
  #sampler: JobSampler;
  #cells: JobHandle['cells'];
  readonly #log: (message: string) => void;
  #open: OpenWindow[] = [];
  #numbers: JobNumbers | null = null;
  #windowsAt = Number.NEGATIVE_INFINITY;
  #countsAt = Number.NEGATIVE_INFINITY;
  #holdersAt = Number.NEGATIVE_INFINITY;
  #holders: WatermarkHolders | null = null;
  #pullingHolders: Promise<void> | null = null;
  #pullingWindows: Promise<void> | null = null;
  #pullingErrors: Promise<void> | null = null;
  #complained = false;

  constructor(job: LiveJob, log: (message: string) => void) {
    this.job = job;
    this.#cells = job.handle.cells;
    this.#sampler = new JobSampler(job.handle.graph, job.handle.cells, job.handle.latencies);
    this.#log = log;
  }

  get sampler(): JobSampler {
    return this.#sampler;
  }

  get numbers(): JobNumbers | null {
    return this.#numbers;
  }

  /** Who held the watermark back when somebody last looked. */
  get holders(): WatermarkHolders | null {
    return this.#holders;
  }

  /** Open windows of these devices, as of the last pull. */
  open(devices: readonly string[]): OpenWindow[] {
    const wanted = new Set(devices);
    return this.#open.filter((window) => wanted.has(window.device));
  }

  /** Looks at the cells; costs microseconds. */
  sample(now: number): void {
    const { graph, cells, latencies } = this.job.handle;
    // A job that was rescaled has other subtasks, whose numbers lie elsewhere.
    if (cells !== this.#cells) this.#sampler = new JobSampler(graph, cells, latencies, this.#sampler.history);
    this.#cells = cells;
    this.sampler.sample(now);
    this.#numbers = this.sampler.numbers();
  }

  /** Starts the questions that are due. */
  ask(now: number, interest: Interest): void {
    if (!this.#answers()) return;
    if (interest.overview && now - this.#holdersAt >= HOLDERS_MS) {
      this.#holdersAt = now;
      void this.#pullHolders();
    }
    if (interest.windows && now - this.#windowsAt >= WINDOWS_MS) {
      this.#windowsAt = now;
      void this.#pullWindows(interest.pinned);
    }
    if (interest.errors || now - this.#countsAt >= COUNTS_MS) {
      this.#countsAt = now;
      void this.#pullErrors(interest.errors);
    }
  }

  /** Everything, for a snapshot; comes back when it is there, or after `ms` at the latest. */
  async refresh(pinned: readonly string[], ms: number): Promise<void> {
    if (!this.#answers()) return;
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([Promise.all([this.#pullWindows(pinned), this.#pullErrors(true), this.#pullHolders()]), enough]);
    clearTimeout(timer);
  }

  /** A job that has ended by itself still knows what it had last. */
  #answers(): boolean {
    return this.job.handle.state === 'RUNNING' || this.job.handle.state === 'FINISHED';
  }

  #pullWindows(pinned: readonly string[]): Promise<void> {
    const { windows, handle, windowOperator } = this.job;
    this.#pullingWindows ??= this.#guard(async () => {
      windows.pin(pinned);
      const more = await windows.pull();
      if (more) this.#windowsAt = Number.NEGATIVE_INFINITY;
      const keys = [...new Set([...windows.chosen, ...pinned])].slice(0, LIMITS.watchedDevices * 2);
      this.#open = readOpen(await handle.inspect(windowOperator, { keys, limit: OPEN_LIMIT, perKey: OPEN_PER_KEY }));
    }).finally(() => {
      this.#pullingWindows = null;
    });
    return this.#pullingWindows;
  }

  #pullHolders(): Promise<void> {
    const { layout } = this.sampler;
    this.#pullingHolders ??= this.#guard(async () => {
      const makers = watermarkMakers(layout);
      if (makers.length === 0) return;
      const { handle } = this.job;
      const answers = await Promise.all(makers.map((maker) => handle.inspect(layout.operators[maker]?.id ?? '', {})));
      const reports = new Map(makers.map((maker, i) => [maker, answers[i] as WatermarkReport[]]));
      this.#holders = watermarkHolders(layout, reports);
    }).finally(() => {
      this.#pullingHolders = null;
    });
    return this.#pullingHolders;
  }

  async #pullErrors(rows: boolean): Promise<void> {
    this.#pullingErrors ??= this.#guard(() => this.job.errors.pull(rows)).finally(() => {
      this.#pullingErrors = null;
    });
    await this.#pullingErrors;
  }

  /** A question that fails is asked again at the next turn: a subtask that is just ending has no answer. */
  async #guard(ask: () => Promise<void>): Promise<void> {
    try {
      await ask();
    } catch (error) {
      if (this.#complained || !this.#answers()) return;
      this.#complained = true;
      this.#log(`The dashboard could not read the job: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** The window operator answers `{ open: [{ key, start, end, values }] }` per subtask. */
function readOpen(answers: readonly unknown[]): OpenWindow[] {
  const found: OpenWindow[] = [];
  for (const answer of answers) {
    if (typeof answer !== 'object' || answer === null || !('open' in answer) || !Array.isArray(answer.open)) continue;
    for (const window of answer.open as unknown[])
      if (isOpen(window))
        found.push({ device: window.key, start: window.start, end: window.end, values: window.values });
  }
  return found;
}

function isOpen(value: unknown): value is { key: string; start: number; end: number; values: number[] } {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'key' in value &&
    typeof value.key === 'string' &&
    'start' in value &&
    typeof value.start === 'number' &&
    'end' in value &&
    typeof value.end === 'number' &&
    'values' in value &&
    Array.isArray(value.values)
  );
}
