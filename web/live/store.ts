import type { FaultsView } from '#shared/faults.ts';
import type { Injection } from '#shared/injections.ts';
import type {
  CheckpointsView,
  JobState,
  JobView,
  LiveEvent,
  OperatorNumbers,
  SimulatorSettings,
  Snapshot,
  Tick,
  Totals,
  VertexNumbers,
  WatermarkHolders,
} from '#shared/live.ts';
import type { ScalingView } from '#shared/scaling.ts';
import { ErrorsBook, type ShownErrors } from './errors-book.ts';
import { EventLog } from './event-log.ts';
import { HistoryRing } from './history-ring.ts';
import { InjectionBook } from './injection-book.ts';
import { describeLink, FULL_RATE_HZ, type Link } from './link.ts';
import { type ShownWindows, WindowsBook } from './windows-book.ts';

/** What React may read: one immutable value per key, replaced at most four times a second. */
export interface Shown {
  job: JobView | null;
  totals: Totals | null;
  operators: OperatorNumbers | null;
  vertices: VertexNumbers | null;
  holders: WatermarkHolders | null;
  /** When the last checkpoint was completed. */
  checkpointAt: number | null;
  /** As of when the page Checkpoints was last on screen. */
  checkpoints: CheckpointsView | null;
  windows: ShownWindows;
  errors: ShownErrors;
  injections: readonly Injection[];
  faults: FaultsView | null;
  scaling: ScalingView | null;
  events: readonly LiveEvent[];
  /** Newest second in `history`; the values themselves are read from the ring while painting. */
  newestSecond: number | null;
  /** Server time that the numbers on screen belong to. */
  viewTime: number;
  /** Server time of the newest frame shown: what ages in its numbers are measured against. */
  frameTime: number;
  /** The server's clock, also while the numbers stand still. */
  serverNow: number;
  link: Link;
  paused: boolean;
}
export type ShownKey = keyof Shown;

/** Keys that go on while the data is paused: what tells about the page itself, and what one must see to stop an injection. */
const NEVER_PAUSED: ReadonlySet<ShownKey> = new Set(['link', 'paused', 'serverNow', 'injections', 'faults']);

/**
 * Everything the page knows, outside React. Handlers of the socket write here at any rate, also in a hidden tab;
 * `publish` turns what changed into the immutable values of `shown`. Times named `now` are the client's clock.
 */
export class LiveStore {
  readonly history = new HistoryRing();
  readonly #events = new EventLog();
  readonly #injections = new InjectionBook();
  readonly #windows = new WindowsBook();
  readonly #errors = new ErrorsBook();
  readonly #clock: (time: number) => string;

  #epoch = '';
  #seq = 0;
  #job: JobView | null = null;
  #totals: Totals | null = null;
  #operators: OperatorNumbers | null = null;
  #vertices: VertexNumbers | null = null;
  #holders: WatermarkHolders | null = null;
  #checkpointAt: number | null = null;
  #checkpoints: CheckpointsView | null = null;
  #faults: FaultsView | null = null;
  #scaling: ScalingView | null = null;

  #serverTime = 0;
  /** Smallest client clock minus server clock seen on this connection: their offset plus the fastest way here. */
  #skew = Number.POSITIVE_INFINITY;
  #synced = false;
  #lostAt: number | null = null;
  #attempts = 0;
  #rateHz = FULL_RATE_HZ;
  #restartedAt: number | null = null;
  /** Until then a lost connection is one we closed ourselves to get a new snapshot, no news for anybody. */
  #quietUntil = 0;
  #pausedAt: number | null = null;

  readonly #dirty = new Set<ShownKey>();
  readonly #listeners = new Map<ShownKey, Set<() => void>>();
  #shown: Shown;

  constructor(clock: (time: number) => string) {
    this.#clock = clock;
    this.#shown = {
      job: null,
      totals: null,
      operators: null,
      vertices: null,
      holders: null,
      checkpointAt: null,
      checkpoints: null,
      windows: this.#windows.shown(),
      errors: this.#errors.shown(),
      injections: [],
      faults: null,
      scaling: null,
      events: [],
      newestSecond: null,
      viewTime: 0,
      frameTime: 0,
      serverNow: 0,
      link: this.#describe(0),
      paused: false,
    };
  }

  // ---------------------------------------------------------------- what arrives

  lost(now: number): void {
    if (this.#synced || this.#lostAt === null) this.#lostAt = now;
    this.#synced = false;
    this.#skew = Number.POSITIVE_INFINITY;
  }

  attempt(n: number): void {
    this.#attempts = n;
  }

  /** The connection is about to be closed by us, to be opened again at once. */
  expectReconnect(now: number, graceMs: number): void {
    this.#quietUntil = now + graceMs;
  }

  snapshot(snapshot: Snapshot, now: number): void {
    if (snapshot.epoch !== this.#epoch) {
      if (this.#epoch !== '') this.#restartedAt = now;
      this.#epoch = snapshot.epoch;
      this.#events.clear();
      this.#injections.clear();
      this.#windows.clear();
      this.#errors.clear();
      this.#checkpoints = null;
      this.#touch('checkpoints');
    }
    this.#synced = true;
    this.#lostAt = null;
    this.#attempts = 0;
    this.#rateHz = FULL_RATE_HZ;
    this.#seq = snapshot.seq;
    this.#arrived(snapshot.serverTime, now);
    this.#job = snapshot.job;
    this.#totals = snapshot.totals;
    this.#operators = snapshot.operators;
    this.#vertices = snapshot.vertices;
    this.#holders = snapshot.holders;
    this.#checkpointAt = snapshot.checkpointAt;
    this.#faults = snapshot.faults;
    this.#scaling = snapshot.scaling;
    this.history.load(snapshot.history);
    this.#windows.merge(snapshot.windows);
    this.#errors.merge(snapshot.errors, snapshot.serverTime);
    this.#injections.merge(snapshot.injections);
    this.#events.addAll(snapshot.events);
    this.#touch('job', 'totals', 'operators', 'vertices', 'holders', 'checkpointAt', 'newestSecond');
    this.#touch('windows', 'errors', 'injections', 'events', 'faults', 'scaling');
  }

  tick(tick: Tick, now: number): void {
    if (!this.#synced || tick.seq <= this.#seq) return;
    this.#seq = tick.seq;
    this.#arrived(tick.serverTime, now);
    this.#rateHz = tick.rateHz;
    this.#totals = tick.totals;
    this.#operators = tick.operators;
    this.#vertices = tick.vertices;
    this.#checkpointAt = tick.checkpointAt;
    this.#touch('totals', 'operators', 'vertices', 'checkpointAt');
    if (tick.checkpoints) {
      this.#checkpoints = tick.checkpoints;
      this.#touch('checkpoints');
    }
    if (tick.holders) {
      this.#holders = tick.holders;
      this.#touch('holders');
    }
    if (this.#job && tick.state && tick.state !== this.#job.state) this.#setState(tick.state);
    if (tick.second) {
      this.history.append(tick.second);
      this.#touch('newestSecond');
    }
    if (tick.windows) {
      this.#windows.merge(tick.windows);
      this.#touch('windows');
    }
    if (tick.errors) {
      this.#errors.merge(tick.errors, tick.serverTime);
      this.#touch('errors');
    }
    if (tick.faults) {
      this.#faults = { ...tick.faults, verdicts: tick.faults.verdicts ?? this.#faults?.verdicts ?? [] };
      this.#touch('faults');
    }
    if (tick.scaling) {
      this.#scaling = tick.scaling;
      this.#touch('scaling');
    }
    if (tick.injections) {
      this.#injections.merge(tick.injections);
      this.#touch('injections');
    }
  }

  /** True when only a new snapshot can bring the page up to date. */
  event(event: LiveEvent): boolean {
    if (!this.#synced) return false;
    const outcome = this.#events.add(event);
    if (outcome !== 'added') return outcome === 'gap';
    this.#injections.note(event);
    this.#touch('events', 'injections');
    if (event.state && this.#job) this.#setState(event.state);
    return event.kind === 'job-state' && (this.#job === null || event.state === 'CREATED');
  }

  /** An accepted command tells the injection before the next tick does. */
  addInjection(injection: Injection): void {
    this.#injections.merge([injection]);
    this.#touch('injections');
  }

  patchSimulator(settings: Partial<SimulatorSettings>): void {
    if (!this.#job?.simulator) return;
    this.#job = { ...this.#job, simulator: { ...this.#job.simulator, ...settings } };
    this.#touch('job');
  }

  // ---------------------------------------------------------------- what is shown

  get shown(): Shown {
    return this.#shown;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get seq(): number {
    return this.#seq;
  }

  get eventSeq(): number {
    return this.#events.seq;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** Whether a state was reported for a job that this page has no description of. */
  lacksJob(state: JobState | null): boolean {
    return this.#synced && state !== null && this.#job === null;
  }

  ageMs(now: number): number {
    if (this.#serverTime === 0) return 0;
    return this.#skew === Number.POSITIVE_INFINITY ? now - (this.#lostAt ?? now) : now - this.#skew - this.#serverTime;
  }

  /** Right edge of the charts. It stands still while paused, and moves on by our own clock while nothing arrives. */
  viewTime(now: number): number {
    return this.#pausedAt ?? this.#now(now);
  }

  setPaused(paused: boolean, now: number): void {
    if (paused) this.publish(now);
    this.#pausedAt = paused ? this.viewTime(now) : null;
    this.#touch('paused');
    this.publish(now);
  }

  subscribe(key: ShownKey, listener: () => void): () => void {
    let listeners = this.#listeners.get(key);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(key, listeners);
    }
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Makes new values of what changed since the last time and tells who reads them. */
  publish(now: number): void {
    this.#touch('link', 'serverNow', 'frameTime');
    if (this.viewTime(now) !== this.#shown.viewTime) this.#touch('viewTime');
    const keys = [...this.#dirty].filter((key) => this.#pausedAt === null || NEVER_PAUSED.has(key));
    const next: Shown = { ...this.#shown };
    const changed: ShownKey[] = [];
    for (const key of keys) {
      this.#dirty.delete(key);
      const before = next[key];
      this.#assign(next, key, now);
      if (next[key] !== before) changed.push(key);
    }
    this.#shown = next;
    for (const key of changed) for (const listener of this.#listeners.get(key) ?? []) listener();
  }

  #assign(next: Shown, key: ShownKey, now: number): void {
    if (key === 'job') next.job = this.#job;
    else if (key === 'totals') next.totals = this.#totals;
    else if (key === 'operators') next.operators = this.#operators;
    else if (key === 'vertices') next.vertices = this.#vertices;
    else if (key === 'holders') next.holders = this.#holders;
    else if (key === 'checkpointAt') next.checkpointAt = this.#checkpointAt;
    else if (key === 'checkpoints') next.checkpoints = this.#checkpoints;
    else if (key === 'windows') next.windows = this.#windows.shown();
    else if (key === 'errors') next.errors = this.#errors.shown();
    else if (key === 'injections') next.injections = this.#injections.list();
    else if (key === 'faults') next.faults = this.#faults;
    else if (key === 'scaling') next.scaling = this.#scaling;
    else if (key === 'events') next.events = this.#events.events;
    else if (key === 'newestSecond') next.newestSecond = this.history.newest;
    else if (key === 'frameTime') next.frameTime = this.#serverTime;
    else if (key === 'serverNow') next.serverNow = this.#now(now);
    else if (key === 'viewTime') next.viewTime = this.viewTime(now);
    else if (key === 'paused') next.paused = this.#pausedAt !== null;
    else if (key === 'link') {
      const link = this.#describe(now);
      const old = next.link;
      const same = link.state === old.state && link.words === old.words && link.stale === old.stale;
      if (!same) next.link = link;
    }
  }

  /** The server's time as its last frame told it, or by our own clock once nothing arrives any more. */
  #now(now: number): number {
    const age = this.ageMs(now);
    return age > 2000 ? this.#serverTime + age : this.#serverTime;
  }

  #describe(now: number): Link {
    const quiet = !this.#synced && now < this.#quietUntil;
    const facts = {
      synced: this.#synced || quiet,
      everSynced: this.#epoch !== '',
      lostAt: this.#lostAt,
      attempts: this.#attempts,
      ageMs: this.ageMs(now),
      rateHz: this.#rateHz,
      restartedAt: this.#restartedAt,
    };
    return describeLink(facts, now, this.#clock);
  }

  #arrived(serverTime: number, now: number): void {
    this.#serverTime = serverTime;
    this.#skew = Math.min(this.#skew, now - serverTime);
  }

  #setState(state: JobState): void {
    if (!this.#job || this.#job.state === state) return;
    this.#job = { ...this.#job, state };
    this.#touch('job');
  }

  #touch(...keys: ShownKey[]): void {
    for (const key of keys) this.#dirty.add(key);
  }
}
