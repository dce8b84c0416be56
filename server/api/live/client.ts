/**
 * One connected page: what it looks at, what it was told, and how fast it can take more. Nothing is queued for it: what it lacks is found
 * by comparing its cursors with what the server keeps, so a client that is slow or asleep costs a few numbers.
 */

import type { JobSampler } from '#runtime/metrics/sampler.ts';
import { type CheckpointsView, type ErrorsView, LIMITS, type Tick, type View, type WindowsView } from '#shared/live.ts';
import { CommandLimit } from './commands.ts';
import type { LiveJob } from './job-handle.ts';
import type { JobObserver } from './observer.ts';
import { Pace } from './pace.ts';

/** Results of windows in one frame; the rest follows in the next ones. */
const RESULTS_PER_FRAME = 600;
/** How often a page that shows windows gets news of them. */
const WINDOWS_MS = 240;
/** While nothing changes, counters (whose rates fade) are still sent this often. */
const COUNTS_MS = 1000;
/** Injections that ended so long ago are no longer sent in ticks. */
const ENDED_LATELY_MS = 15_000;
/** How often a page that shows checkpoints gets news of them. */
const CHECKPOINTS_MS = 240;
const LONGEST_NAME = 1000;

export class Client {
  readonly pace = new Pace();
  readonly limit = new CommandLimit();
  /** The snapshot has been sent; before that nothing else is. */
  ready = false;
  /** Number of the last event it was sent. */
  eventSeq: number;
  view: View = { page: 'other', devices: [], checkpoint: null };
  #resultId = 0;
  #windowsAt = Number.NEGATIVE_INFINITY;
  #errorId = 0;
  #lateId = 0;
  #countsAt = Number.NEGATIVE_INFINITY;
  #countsKey = '';
  #secondAt = 0;
  #injections = -1;
  #faults = -1;
  #verdicts = -1;
  #scaling = -1;
  #checkpointsAt = Number.NEGATIVE_INFINITY;
  #checkpointsKey = '';

  constructor(eventSeq: number) {
    this.eventSeq = eventSeq;
  }

  /** Untrusted; what makes no sense is ignored. */
  setView(value: unknown): void {
    const view = readView(value);
    if (view === null) return;
    // Whoever comes to the page, or names other devices, needs what is kept of them; ids tell the page what it has.
    if (view.page !== this.view.page || view.devices.join('\n') !== this.view.devices.join('\n')) this.#resultId = 0;
    this.#windowsAt = Number.NEGATIVE_INFINITY;
    this.#countsAt = Number.NEGATIVE_INFINITY;
    this.#checkpointsAt = Number.NEGATIVE_INFINITY;
    this.#checkpointsKey = '';
    this.view = view;
  }

  /** What a snapshot shows of windows: the newest results, the others follow when the page asks for them. */
  snapshotWindows(observer: JobObserver | null): WindowsView {
    if (observer === null) return { devicesSeen: 0, devices: [], results: [], open: [] };
    const devices = this.#devices(observer.job);
    const results = observer.job.windows.results(devices, 0, Number.POSITIVE_INFINITY).slice(-RESULTS_PER_FRAME);
    this.#resultId = 0;
    return { devicesSeen: observer.job.windows.devicesSeen, devices, results, open: observer.open(devices) };
  }

  snapshotErrors(observer: JobObserver | null): ErrorsView {
    if (observer === null) return { counts: [], recent: [], late: [] };
    const { errors } = observer.job;
    this.#errorId = errors.lastErrorId;
    this.#lateId = errors.lastLateId;
    return { counts: [...errors.counts], recent: errors.errorsAfter(0), late: errors.lateAfter(0) };
  }

  /** The snapshot showed history up to this second, and the rest as it is now. */
  sawSnapshot(secondAt: number, job: LiveJob | null): void {
    this.#secondAt = secondAt;
    this.#injections = job?.simulator?.injections.version ?? -1;
    this.#faults = job?.faults?.version ?? -1;
    this.#verdicts = job?.faults?.verdictsVersion ?? -1;
    this.#scaling = job?.rescales?.version ?? -1;
  }

  /** Builds this client's part of a tick that is certain to be sent: cursors move on. */
  tick(
    common: Pick<Tick, 'seq' | 'serverTime' | 'state' | 'totals' | 'operators' | 'vertices' | 'checkpointAt'>,
    observer: JobObserver | null,
  ): Tick {
    const now = common.serverTime;
    return {
      ...common,
      holders: observer && this.view.page === 'overview' ? observer.holders : null,
      injections: observer ? this.#newInjections(observer.job, now) : null,
      faults: observer ? this.#newFaults(observer.job) : null,
      scaling: observer ? this.#newScaling(observer.job) : null,
      checkpoints: observer && this.view.page === 'checkpoints' ? this.#newCheckpoints(observer.job, now) : null,
      windows: observer && this.view.page === 'windows' ? this.#newWindows(observer, now) : null,
      errors: observer && this.view.page === 'errors' ? this.#newErrors(observer.job, now) : null,
      second: observer ? this.#nextSecond(observer.sampler) : null,
      rateHz: this.pace.rateHz,
    };
  }

  #devices(job: LiveJob): string[] {
    return this.view.devices.length > 0 ? this.view.devices : [...job.windows.chosen];
  }

  #newWindows(observer: JobObserver, now: number): WindowsView | null {
    if (now - this.#windowsAt < WINDOWS_MS) return null;
    const { windows } = observer.job;
    const devices = this.#devices(observer.job);
    const results = windows.results(devices, this.#resultId, RESULTS_PER_FRAME);
    // A full frame has a successor at the next tick.
    this.#windowsAt = results.length === RESULTS_PER_FRAME ? Number.NEGATIVE_INFINITY : now;
    this.#resultId = results.at(-1)?.id ?? this.#resultId;
    return { devicesSeen: windows.devicesSeen, devices, results, open: observer.open(devices) };
  }

  #newErrors({ errors }: LiveJob, now: number): ErrorsView | null {
    const recent = errors.errorsAfter(this.#errorId);
    const late = errors.lateAfter(this.#lateId);
    let key = '';
    for (const { count } of errors.counts) key += `${count} `;
    const news = recent.length > 0 || late.length > 0 || key !== this.#countsKey;
    if (!news && now - this.#countsAt < COUNTS_MS) return null;
    this.#countsAt = now;
    this.#countsKey = key;
    this.#errorId = errors.lastErrorId;
    this.#lateId = errors.lastLateId;
    return { counts: [...errors.counts], recent, late };
  }

  #newCheckpoints({ control }: LiveJob, now: number): CheckpointsView | null {
    const statistics = control?.checkpoints ?? null;
    if (control === null || statistics === null || now - this.#checkpointsAt < CHECKPOINTS_MS) return null;
    const id = this.view.checkpoint ?? statistics.history[0]?.id ?? 0;
    const view = { statistics, details: control.checkpointDetails(id) };
    const key = JSON.stringify(view);
    this.#checkpointsAt = now;
    if (key === this.#checkpointsKey) return null;
    this.#checkpointsKey = key;
    return view;
  }

  #newInjections({ simulator }: LiveJob, now: number): Tick['injections'] {
    if (simulator === null || simulator.injections.version === this.#injections) return null;
    this.#injections = simulator.injections.version;
    return simulator.injections.all().filter((i) => i.running || i.endsAt > now - ENDED_LATELY_MS);
  }

  #newFaults({ faults }: LiveJob): Tick['faults'] {
    if (faults === null || faults.version === this.#faults) return null;
    const { view, verdictsVersion } = faults;
    const known = verdictsVersion === this.#verdicts;
    this.#faults = view.version;
    this.#verdicts = verdictsVersion;
    return known ? { ...view, verdicts: null } : view;
  }

  #newScaling({ rescales }: LiveJob): Tick['scaling'] {
    if (rescales === null || rescales.version === this.#scaling) return null;
    this.#scaling = rescales.version;
    return rescales.view;
  }

  #nextSecond({ history }: JobSampler): Tick['second'] {
    const second = history.after(this.#secondAt);
    if (second !== null) this.#secondAt = second.at;
    return second;
  }
}

const PAGES: readonly View['page'][] = ['overview', 'windows', 'errors', 'checkpoints', 'other'];

function readView(value: unknown): View | null {
  if (typeof value !== 'object' || value === null || !('page' in value) || !('devices' in value)) return null;
  const page = PAGES.find((p) => p === value.page);
  if (page === undefined || !Array.isArray(value.devices)) return null;
  const devices = value.devices
    .filter((d): d is string => typeof d === 'string' && d.length <= LONGEST_NAME)
    .slice(0, LIMITS.pinnedDevices);
  const checkpoint =
    'checkpoint' in value && Number.isSafeInteger(value.checkpoint) ? (value.checkpoint as number) : null;
  return { page, devices: [...new Set(devices)], checkpoint };
}
