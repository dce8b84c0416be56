/**
 * The rows of one split, in the order in which they arrive.
 *
 *   device ─> values, event time ─> delay ─> clock skew ─> silent? ─> late? ─> codes, offset ─> malformed?
 *                                                            └─> backlog ─(device is back)─> codes, offset
 *   injected events ───────────────────────────────────────────────────────> late / malformed
 *
 * A step that nothing happens in costs nothing, and each step draws from a generator of its own once per row or once per hit: what row n
 * looks like depends on the options, the seed and the split, never on how batches are cut. (Injections and changed settings are live: they
 * take effect from the next batch on.)
 */

import { Random, type RandomState } from '#base/random.ts';
import type { Dictionary } from '#engine/batch/dictionary.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { Backlog, type BacklogState } from './backlog.ts';
import { Blemishes, type BlemishesState } from './blemishes.ts';
import { Devices, type DevicesState, Round } from './devices.ts';
import { Delays, type Disorder, formatDisorder, parseDisorder } from './disorder.ts';
import { type Addition, type InjectionState, SplitInjections } from './injections.ts';
import type { SettingsChange, SimulatorSplit } from './messages.ts';
import { NoiseProfile } from './noise.ts';
import type { SimulatorOptions } from './options.ts';
import { Outages, type OutagesState } from './outages.ts';
import { Timeline } from './pace.ts';
import type { Profile } from './profile.ts';
import { ReadingRows } from './rows.ts';
import { Tempo, type TempoState } from './tempo.ts';
import { WeatherProfile } from './weather.ts';

/** Readings of silent devices held back, over all splits: about 40 MB at most. */
const MAX_HELD = 1 << 20;
/** Injected late events are behind by at least this, and by up to this much more. */
const INJECTED_LATE_MS = 60_000;

/** One generator each, so that one option does not change what another draws. */
const Stream = {
  VALUES: 0,
  DELAYS: 1,
  MALFORMED: 2,
  LATE: 3,
  HOT: 4,
  SKEW: 5,
  OFFLINE: 6,
  INJECTED: 7,
  COUNT: 8,
} as const;

/** Everything that does not follow from options and seed; plain data. */
export interface StreamState {
  readonly made: number;
  readonly offset: number;
  readonly nextChurn: number;
  /** Device that reported last. */
  readonly round: number;
  readonly devices: DevicesState;
  readonly profile: number;
  readonly tempo: TempoState;
  readonly backlog: BacklogState;
  readonly outages: OutagesState | null;
  readonly blemishes: BlemishesState;
  readonly disorder: string;
  readonly delays: number;
  readonly injections: readonly InjectionState[];
  readonly injected: RandomState;
}

export class SplitStream {
  readonly split: SimulatorSplit;
  /** Index that the reader was given for the split. */
  readonly index: number;
  readonly injections: SplitInjections;
  readonly #options: SimulatorOptions;
  readonly #dictionary: Dictionary;
  readonly #devices: Devices;
  readonly #round: Round;
  readonly #profile: Profile;
  readonly #tempo: Tempo;
  /** Total rows of this split, or Infinity. */
  readonly #total: number;
  readonly #backlog: Backlog;
  readonly #outages: Outages | null;
  readonly #blemishes: Blemishes;
  readonly #injectedRandom: Random;
  #disordered: Disorder;
  #delays: Delays;
  /** Rows made, held back and lost ones included: the row number on the timeline. */
  #made = 0;
  /** Rows put out: the next `offset`. */
  #offset = 0;
  /** Event time at which the next device is replaced; Infinity without churn. */
  #nextChurn: number;
  readonly #churnMs: number;
  /** Code of `simulator-<split>`, -1 before the first row. */
  #sourceCode = -1;

  constructor(split: SimulatorSplit, index: number, options: SimulatorOptions, dictionary: Dictionary) {
    const s = split.index;
    const random = (stream: number) => new Random(options.seed, s * Stream.COUNT + stream);
    this.split = { ...split, state: null, settled: [] };
    this.index = index;
    this.#options = options;
    this.#dictionary = dictionary;
    this.#devices = new Devices(dictionary, options.devices, s, options.splits, options.churn > 0);
    const devices = this.#devices.count;
    this.#round = new Round(devices);
    this.#profile =
      options.profile === 'noise'
        ? new NoiseProfile(random(Stream.VALUES).int32())
        : new WeatherProfile(options.seed, s * Stream.COUNT + Stream.VALUES, devices);
    this.#disordered = options.disorder;
    this.#delays = this.#delayedBy(options.disorder);
    this.#tempo = new Tempo(options, split);
    const { start } = this.#tempo;
    this.#total = options.events === null ? Number.POSITIVE_INFINITY : Math.ceil((options.events - s) / options.splits);
    this.#backlog = new Backlog(devices, Math.ceil(MAX_HELD / options.splits));
    this.#outages =
      options.offline > 0 ? new Outages(this.#backlog, random(Stream.OFFLINE), devices, options.offline, start) : null;
    this.#blemishes = new Blemishes(options, s, devices, dictionary, {
      hot: random(Stream.HOT),
      skew: random(Stream.SKEW),
      late: random(Stream.LATE),
      malformed: random(Stream.MALFORMED),
    });
    this.#injectedRandom = random(Stream.INJECTED);
    this.injections = new SplitInjections(this.#injectedRandom);
    this.#churnMs = options.churn > 0 ? (options.splits * 1000) / options.churn : Number.POSITIVE_INFINITY;
    this.#nextChurn = start + this.#churnMs * ((s + 1) / options.splits);
    if (split.state !== null) this.#restore(split.state);
  }

  /** As of now, between two batches. Costs what is held back and out of turn, not what there is. */
  snapshot(): StreamState {
    return {
      made: this.#made,
      offset: this.#offset,
      nextChurn: this.#nextChurn,
      round: this.#round.at,
      devices: this.#devices.snapshot(),
      profile: this.#profile.state,
      tempo: this.#tempo.snapshot(),
      backlog: this.#backlog.snapshot(),
      outages: this.#outages?.snapshot() ?? null,
      blemishes: this.#blemishes.snapshot(),
      disorder: formatDisorder(this.#disordered),
      delays: this.#delays.state,
      injections: this.injections.snapshot(),
      injected: this.#injectedRandom.state(),
    };
  }

  #restore(state: StreamState): void {
    this.#made = state.made;
    this.#offset = state.offset;
    this.#nextChurn = state.nextChurn;
    this.#round.at = state.round;
    this.#devices.restore(state.devices);
    this.#setDisorder(parseDisorder(state.disorder));
    this.#delays.state = state.delays;
    this.#profile.state = state.profile;
    this.#tempo.restore(state.tempo);
    this.#backlog.restore(state.backlog);
    if (state.outages !== null) this.#outages?.restore(state.outages);
    this.#blemishes.restore(state.blemishes);
    this.injections.restore(state.injections);
    // What was built anew has drawn from it.
    this.#injectedRandom.restore(state.injected);
  }

  /** Rows put out since the beginning. */
  get rows(): number {
    return this.#offset;
  }

  /** Every row has been put out. */
  get finished(): boolean {
    return this.#offset >= this.#total;
  }

  /** Wall time at which `fill` has something to do. */
  wakeAt(now: number): number {
    if (this.finished) return Number.POSITIVE_INFINITY;
    return Math.min(
      this.#tempo.next(now),
      this.injections.any ? this.injections.wakeAt(now) : Number.POSITIVE_INFINITY,
    );
  }

  /** Whether `fill` may have rows now; to be asked before it is called. */
  isDue(now: number): boolean {
    // A burst that begins or ends changes what is due.
    this.#tempo.setFactor(this.injections.rateFactor(now), this.#made, now);
    return this.#backlog.ready || this.wakeAt(now) <= now;
  }

  change(settings: SettingsChange, now: number): void {
    if (settings.malformed !== undefined) this.#blemishes.setMalformed(settings.malformed);
    if (settings.late !== undefined) this.#blemishes.setLate(settings.late);
    if (settings.disorder !== undefined) this.#setDisorder(parseDisorder(settings.disorder));
    if (settings.rate !== undefined) this.#tempo.setRate(settings.rate, this.#made, now);
  }

  /** Ends an injection in this split; what it did so far stays done. Returns the events it made or touched. */
  end(id: number): number {
    this.#count(id);
    const affected = Math.round(this.injections.affected(id));
    this.#backlog.wakeAllOf(id);
    this.#backlog.forget(id);
    this.injections.remove(id);
    return affected;
  }

  /** Events of an injection so far. */
  affected(id: number): number {
    this.#count(id);
    return Math.round(this.injections.affected(id));
  }

  /** Names the codes that this split keeps; those of injections are looked up each time. */
  hold(mark: (code: number) => void): void {
    this.#devices.hold(mark);
    if (this.#sourceCode >= 0) mark(this.#sourceCode);
  }

  /** Fills the batch with the rows that are due. Returns false when it had to prepare instead and wants to be called again. */
  fill(batch: RecordBatch, now: number): boolean {
    if (!this.#devices.ready) {
      this.#devices.register();
      if (!this.#devices.ready) return false;
    }
    if (this.#sourceCode < 0) this.#sourceCode = this.#dictionary.codeOf(this.split.id);
    const rows = ReadingRows.of(batch, this.#sourceCode);
    const capacity = rows.capacity;
    batch.split = this.index;
    const injecting = this.injections.any;
    let at = injecting ? this.#inject(rows, now) : 0;
    // Twice the capacity, for where many devices are silent: a poll shall end even if all of them are.
    const due = Math.min(this.#tempo.due(now), 2 * capacity);
    let left = due;
    for (;;) {
      if (this.#backlog.ready) {
        if (at === capacity) break;
        const end = this.#backlog.release(rows, at, capacity);
        this.#putOut(rows, at, end);
        at = end;
        continue;
      }
      const open = this.#total - this.#offset - this.#backlog.held;
      if (open <= 0 && this.#backlog.held > 0) {
        // The end: devices that are still silent deliver what they have.
        this.#backlog.releaseAll();
        continue;
      }
      let count = Math.min(left, capacity - at, open);
      if (count <= 0) break;
      this.#tempo.follow(this.#made);
      count = this.#untilChange(count);
      if (this.#backlog.ready) continue;
      at = this.#make(rows, at, at + count, now);
      this.#tempo.take(count);
      left -= count;
    }
    if (injecting && this.#tempo.limited) this.injections.countBursts(now, due - left);
    batch.size = at;
    rows.stamp(batch, at);
    return true;
  }

  /** Makes rows from..to-1; returns the new end, which is less where devices are silent. */
  #make(rows: ReadingRows, from: number, to: number, now: number): number {
    const n = this.#made;
    this.#made += to - from;
    let end = to;
    if (this.#isPlain()) {
      const { base } = this.#devices;
      if (base >= 0 && this.#profile.whole(rows, this.#round, from, to, this.#tempo.timeline, n, base, this.#offset)) {
        this.#offset += to - from;
        this.#blemishes.break(rows, from, to);
        return to;
      }
    }
    this.#round.fill(rows, from, to);
    this.#blemishes.heat(rows, from, to);
    this.#profile.values(rows, from, to, this.#tempo.timeline, n);
    this.#delays.subtract(rows.eventTime, from, to);
    if (this.injections.any) this.#disorder(rows, from, to, n, now);
    this.#blemishes.skew(rows, from, to);
    if (this.#backlog.anySilent) end = this.#backlog.holdBack(rows, from, to);
    this.#blemishes.delay(rows, from, end);
    this.#putOut(rows, from, end);
    this.#blemishes.break(rows, from, end);
    return end;
  }

  /** Nothing happens to rows between their making and their breaking. */
  #isPlain(): boolean {
    return (
      this.#delays.kind === 'none' && this.#blemishes.onlyBreaks && !this.#backlog.anySilent && !this.injections.any
    );
  }

  /** Codes and offsets of rows that are as they will be. */
  #putOut(rows: ReadingRows, from: number, to: number): void {
    this.#devices.encode(rows.device, from, to);
    const offsets = rows.offset;
    let offset = this.#offset;
    for (let k = from; k < to; k++) {
      offsets[k] = offset;
      offset += 1;
    }
    this.#offset = offset;
  }

  /** Out-of-order bursts: some rows have been held back by up to `holdMs` in all. */
  #disorder(rows: ReadingRows, from: number, to: number, n: number, now: number): void {
    for (const { id, gap } of this.injections.disorders(now)) {
      let touched = 0;
      for (let k = gap.first(from); k < to; k = gap.next(k)) {
        const held =
          Math.floor(this.#tempo.timeline.at(n + k - from)) - this.#injectedRandom.below(this.#options.holdMs);
        rows.eventTime[k] = Math.max(0, Math.min(rows.eventTime[k] as number, held));
        touched++;
      }
      gap.close(to);
      this.injections.setAffected(id, this.injections.affected(id) + touched);
    }
  }

  /** Begins silences, and writes the events to be added at the front of the batch. Returns their end. */
  #inject(rows: ReadingRows, now: number): number {
    for (const { id, devices } of this.injections.silences(now))
      this.#backlog.silenceFor(id, devices, this.#injectedRandom);
    let at = 0;
    while (at < rows.capacity) {
      const limit = Math.min(rows.capacity - at, this.#total - this.#offset - this.#backlog.held);
      const addition = limit > 0 ? this.injections.nextAddition(now, limit) : null;
      if (addition === null) break;
      this.#add(rows, at, addition, now);
      at += addition.count;
    }
    return at;
  }

  #add(rows: ReadingRows, from: number, addition: Addition, now: number): void {
    const { injection, count } = addition;
    const to = from + count;
    const present = new Timeline(this.#tempo.present(this.#made, now), 0);
    for (let k = from; k < to; k++) rows.device[k] = this.#injectedRandom.below(this.#devices.count);
    this.#profile.values(rows, from, to, present, 0);
    if (injection.kind === 'late') {
      const behind = Math.max(INJECTED_LATE_MS, this.#options.behindMs);
      for (let k = from; k < to; k++) {
        rows.eventTime[k] = Math.max(
          0,
          Math.floor(present.origin) - behind - this.#injectedRandom.below(INJECTED_LATE_MS),
        );
      }
    }
    this.#putOut(rows, from, to);
    rows.setSource(from, to, this.#dictionary.codeOf(`${this.split.id}#${injection.id}`));
    if (injection.kind === 'malformed') {
      for (let i = 0; i < count; i++)
        this.#blemishes.breakOne(rows, from + i, addition.first + i * addition.stride, injection.malformed);
    }
  }

  /** Lets what is due at the next row happen; returns how many rows, at most `limit`, come before something else does. */
  #untilChange(limit: number): number {
    const outages = this.#outages;
    if (outages === null && this.#churnMs === Number.POSITIVE_INFINITY) return limit;
    const time = this.#tempo.timeline.at(this.#made);
    if (outages !== null) outages.advance(time);
    if (this.#nextChurn <= time) {
      const times = Math.floor((time - this.#nextChurn) / this.#churnMs) + 1;
      this.#devices.replace(times, this.#backlog);
      this.#nextChurn += times * this.#churnMs;
    }
    return this.#tempo.timeline.rowsBefore(
      this.#made,
      Math.min(this.#nextChurn, outages?.next ?? Number.POSITIVE_INFINITY),
      limit,
    );
  }

  #count(id: number): void {
    const held = this.#backlog.heldFor(id);
    if (held > 0) this.injections.setAffected(id, held);
  }

  #setDisorder(disorder: Disorder): void {
    this.#disordered = disorder;
    this.#delays = this.#delayedBy(disorder);
  }

  #delayedBy(disorder: Disorder): Delays {
    const byProfile = this.#profile.setDisorder(disorder);
    const random = new Random(this.#options.seed, this.split.index * Stream.COUNT + Stream.DELAYS);
    return new Delays(byProfile ? { kind: 'none' } : disorder, random.int32());
  }
}
