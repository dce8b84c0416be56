/**
 * Injections as one split carries them out.
 *
 * Events to be added (malformed, late) are numbered 0 … total - 1 over all splits and due at even distances over the duration; the split in
 * lane l of L makes the numbers l, l + L, l + 2 L, …, so that the sum over the splits is exact without anybody counting together.
 */

import type { Random } from '#base/random.ts';
import { Gap, type GapState } from './gap.ts';
import type { RunningInjection } from './messages.ts';

/** A run of numbered events to be added: `first`, `first + stride`, … */
export interface Addition {
  readonly injection: RunningInjection;
  readonly first: number;
  readonly stride: number;
  readonly count: number;
}

class Adding {
  readonly injection: RunningInjection;
  readonly lane: number;
  readonly lanes: number;
  readonly #total: number;
  readonly #mine: number;
  made = 0;

  constructor(injection: RunningInjection, lane: number, lanes: number) {
    this.injection = injection;
    this.lane = lane;
    this.lanes = lanes;
    const { strength, durationMs } = injection;
    this.#total = durationMs === 0 ? strength : Math.round((strength * durationMs) / 1000);
    this.#mine = this.#upTo(this.#total);
  }

  get complete(): boolean {
    return this.made >= this.#mine;
  }

  due(now: number): number {
    const { startedAt, durationMs } = this.injection;
    if (now < startedAt) return 0;
    if (now >= startedAt + durationMs) return this.#mine - this.made;
    let numbers = Math.floor(((now - startedAt) / durationMs) * this.#total) + 1;
    // Rounding must not make this disagree with `next`, or a reader would be woken for nothing.
    while (this.#timeOf(numbers) <= now) numbers++;
    while (numbers > 0 && this.#timeOf(numbers - 1) > now) numbers--;
    return Math.min(this.#mine, this.#upTo(numbers)) - this.made;
  }

  /** Wall time at which the next event is due. */
  get next(): number {
    return this.complete ? Number.POSITIVE_INFINITY : this.#timeOf(this.#number);
  }

  take(count: number): Addition {
    const addition = { injection: this.injection, first: this.#number, stride: this.lanes, count };
    this.made += count;
    return addition;
  }

  /** Wall time, whole ms, at which the event with this number is due. */
  #timeOf(number: number): number {
    const { startedAt, durationMs } = this.injection;
    return Math.ceil(startedAt + (durationMs * number) / this.#total);
  }

  /** Number of the next event. */
  get #number(): number {
    return this.lane + this.made * this.lanes;
  }

  /** How many of the numbers below `end` are in this lane. */
  #upTo(end: number): number {
    return Math.max(0, Math.ceil((end - this.lane) / this.lanes));
  }
}

/** An injection that changes what comes anyway, until its time is over. */
interface Changing {
  readonly injection: RunningInjection;
  /** `disorder` only. */
  readonly gap: Gap | null;
  /** `offline` only: devices of this split. */
  readonly devices: number;
  affected: number;
  begun: boolean;
}

/** Of one injection in one split; the random numbers are kept by the split. */
export type InjectionState =
  | { readonly injection: RunningInjection; readonly lane: number; readonly lanes: number; readonly made: number }
  | {
      readonly injection: RunningInjection;
      readonly gap: GapState | null;
      readonly devices: number;
      readonly affected: number;
      readonly begun: boolean;
    };

export class SplitInjections {
  readonly #random: Random;
  readonly #adding = new Map<number, Adding>();
  readonly #changing = new Map<number, Changing>();

  constructor(random: Random) {
    this.#random = random;
  }

  start(injection: RunningInjection, lane: number, lanes: number): void {
    if (injection.kind === 'malformed' || injection.kind === 'late') {
      this.#adding.set(injection.id, new Adding(injection, lane, lanes));
      return;
    }
    this.#changing.set(injection.id, {
      injection,
      gap: injection.kind === 'disorder' ? new Gap(this.#random, injection.strength / 100) : null,
      devices: injection.kind === 'offline' ? Math.max(0, Math.ceil((injection.strength - lane) / lanes)) : 0,
      affected: 0,
      begun: false,
    });
  }

  snapshot(): InjectionState[] {
    return [
      ...[...this.#adding.values()].map(({ injection, lane, lanes, made }) => ({ injection, lane, lanes, made })),
      ...[...this.#changing.values()].map((changing) => ({ ...changing, gap: changing.gap?.snapshot() ?? null })),
    ];
  }

  restore(states: readonly InjectionState[]): void {
    for (const state of states) {
      const { injection } = state;
      if ('lane' in state) {
        const adding = new Adding(injection, state.lane, state.lanes);
        adding.made = state.made;
        this.#adding.set(injection.id, adding);
        continue;
      }
      const gap = state.gap === null ? null : new Gap(this.#random, state.gap.share);
      if (state.gap !== null) gap?.restore(state.gap);
      this.#changing.set(injection.id, { ...state, gap });
    }
  }

  /** Whether anything is going on that concerns this split. */
  get any(): boolean {
    return this.#adding.size > 0 || this.#changing.size > 0;
  }

  has(id: number): boolean {
    return this.#adding.has(id) || this.#changing.has(id);
  }

  affected(id: number): number {
    return this.#adding.get(id)?.made ?? this.#changing.get(id)?.affected ?? 0;
  }

  /** Forgets an injection that is over. */
  remove(id: number): void {
    this.#adding.delete(id);
    this.#changing.delete(id);
  }

  /** Injections of which nothing more can come from this split. */
  over(now: number): RunningInjection[] {
    const over: RunningInjection[] = [];
    for (const adding of this.#adding.values()) if (adding.complete) over.push(adding.injection);
    for (const { injection } of this.#changing.values()) if (now >= injection.endsAt) over.push(injection);
    return over;
  }

  all(): RunningInjection[] {
    return [...this.#adding.values(), ...this.#changing.values()].map((entry) => entry.injection);
  }

  /** The next run of events to add, at most `limit` of them; null when nothing is due. */
  nextAddition(now: number, limit: number): Addition | null {
    for (const adding of this.#adding.values()) {
      const count = Math.min(limit, adding.due(now));
      if (count > 0) return adding.take(count);
    }
    return null;
  }

  /** Injections of devices that shall fall silent now; each is given once. */
  *silences(now: number): Generator<{ id: number; devices: number }> {
    for (const changing of this.#changing.values()) {
      const { kind, id, startedAt } = changing.injection;
      if (kind !== 'offline' || changing.begun || now < startedAt) continue;
      changing.begun = true;
      yield { id, devices: changing.devices };
    }
  }

  setAffected(id: number, affected: number): void {
    const changing = this.#changing.get(id);
    if (changing !== undefined) changing.affected = affected;
  }

  /** Samplers of the out-of-order bursts in force. */
  *disorders(now: number): Generator<{ id: number; gap: Gap }> {
    for (const { injection, gap } of this.#changing.values()) {
      if (gap !== null && now >= injection.startedAt && now < injection.endsAt) yield { id: injection.id, gap };
    }
  }

  /** By how much bursts multiply the rate; each adds its own surplus. */
  rateFactor(now: number): number {
    let factor = 1;
    for (const { injection } of this.#changing.values()) if (isBurst(injection, now)) factor += injection.strength - 1;
    return factor;
  }

  /** `rows` rows were made; the bursts in force account for their share of them. */
  countBursts(now: number, rows: number): void {
    const factor = this.rateFactor(now);
    for (const changing of this.#changing.values()) {
      if (isBurst(changing.injection, now)) changing.affected += (rows * (changing.injection.strength - 1)) / factor;
    }
  }

  /** Wall time at which something begins, ends or is due; Infinity for none. */
  wakeAt(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const adding of this.#adding.values()) at = Math.min(at, adding.next);
    for (const { injection } of this.#changing.values()) {
      at = Math.min(at, now < injection.startedAt ? injection.startedAt : injection.endsAt);
    }
    return at;
  }
}

function isBurst(injection: RunningInjection, now: number): boolean {
  return injection.kind === 'burst' && now >= injection.startedAt && now < injection.endsAt;
}
