/**
 * Everything the simulator's enumerator (main thread) and its readers (task manager threads) say to each other, and what the enumerator is
 * told from outside. Plain data.
 */

import { UsageError } from '#base/errors.ts';
import type { Split } from '#engine/io/source.ts';
import { INJECTIONS, type Injection, MALFORMED_KINDS } from '#shared/injections.ts';
import type { SimulatorSettings } from '#shared/live.ts';
import { parseDisorder } from './disorder.ts';
import { checkRate, checkShare } from './options.ts';
import type { StreamState } from './split-stream.ts';

export interface SimulatorSplit extends Split {
  /** 0 … splits - 1. */
  readonly index: number;
  /** Wall time at which the job started, the same for all splits. */
  readonly startedAt: number;
  /** Null: from the beginning. */
  readonly state: StreamState | null;
  /** Events of injections that its reader counted for splits that are done with them, by injection. */
  readonly settled: readonly (readonly [id: number, events: number])[];
}

/** What may change while it runs; absent: stays as it is. `rate` null means max. */
export type SettingsChange = Partial<Pick<SimulatorSettings, 'rate' | 'malformed' | 'late' | 'disorder'>>;

/** The part of an injection that says what to do. */
export type RunningInjection = Pick<
  Injection,
  'id' | 'kind' | 'strength' | 'durationMs' | 'malformed' | 'startedAt' | 'endsAt'
>;

/** Into the enumerator's `onControl`. */
export type ControlEvent =
  | ({ readonly type: 'settings' } & SettingsChange)
  | { readonly type: 'inject'; readonly injection: RunningInjection }
  | { readonly type: 'stop'; readonly id: number };

/** From the enumerator to readers. */
export type ReaderOrder =
  | ({ readonly type: 'settings' } & SettingsChange)
  | {
      readonly type: 'inject';
      readonly injection: RunningInjection;
      /** Splits that take part: the n-th of them makes every n-th event, so that together they make exactly as many as were asked for. */
      readonly lanes: readonly number[];
    }
  | { readonly type: 'stop'; readonly id: number }
  /** Asks for `reading`. */
  | { readonly type: 'resumed' };

/** From readers to the enumerator. */
export type ReaderNews =
  /** `count`: events of this reader since the injection began. After `done` nothing more comes. */
  | { readonly type: 'affected'; readonly id: number; readonly count: number; readonly done: boolean }
  | { readonly type: 'split-finished'; readonly split: number }
  /** Splits and injections that came back to this reader when the job went on. */
  | { readonly type: 'reading'; readonly splits: readonly number[]; readonly injections: readonly number[] };

/** Reads what came from outside; throws a UsageError that says what is wrong with it. */
export function checkControl(event: unknown): ControlEvent {
  if (!isObject(event)) throw new UsageError('simulator: a control event must be an object with a type.');
  switch (event.type) {
    case 'settings':
      return { type: 'settings', ...checkSettings(event) };
    case 'inject':
      return { type: 'inject', injection: checkInjection(event.injection) };
    case 'stop':
      return { type: 'stop', id: integer('id', event.id, 0, Number.MAX_SAFE_INTEGER) };
    default:
      throw new UsageError(
        `simulator: unknown control event ${JSON.stringify(event.type)}; known are settings, inject and stop.`,
      );
  }
}

function checkSettings(event: Record<string, unknown>): SettingsChange {
  const change: SettingsChange = {};
  const { rate, malformed, late, disorder } = event;
  if (rate === null) change.rate = null;
  else if (rate !== undefined) change.rate = checkRate(String(rate), typeof rate === 'number' ? rate : null);
  if (malformed !== undefined)
    change.malformed = checkShare('malformed', typeof malformed === 'number' ? malformed : Number.NaN);
  if (late !== undefined) change.late = checkShare('late', typeof late === 'number' ? late : Number.NaN);
  if (disorder !== undefined) {
    change.disorder = String(disorder);
    parseDisorder(change.disorder);
  }
  return change;
}

function checkInjection(value: unknown): RunningInjection {
  if (!isObject(value)) throw new UsageError('simulator: inject needs an injection.');
  const kind = (Object.keys(INJECTIONS) as (keyof typeof INJECTIONS)[]).find((k) => k === value.kind);
  if (kind === undefined) {
    throw new UsageError(
      `simulator: unknown injection ${JSON.stringify(value.kind)}; known are ${Object.keys(INJECTIONS).join(', ')}.`,
    );
  }
  const { min, max, once } = INJECTIONS[kind];
  const malformed = MALFORMED_KINDS.find((k) => k === value.malformed) ?? null;
  if (malformed === null && value.malformed !== null && value.malformed !== undefined) {
    throw new UsageError(
      `simulator: unknown kind of malformed event ${JSON.stringify(value.malformed)}; known are ${MALFORMED_KINDS.join(', ')}.`,
    );
  }
  const durationMs = integer('durationMs', value.durationMs, 0, MAX_DURATION_MS);
  if (durationMs === 0 && !once)
    throw new UsageError(`simulator: ${kind} needs a duration; only malformed and late events can come all at once.`);
  const startedAt = integer('startedAt', value.startedAt, 0, Number.MAX_SAFE_INTEGER);
  return {
    id: integer('id', value.id, 0, Number.MAX_SAFE_INTEGER),
    kind,
    strength: integer('strength', value.strength, min, max),
    durationMs,
    malformed,
    startedAt,
    endsAt: startedAt + durationMs,
  };
}

/** An injection ends after a day at the latest. */
const MAX_DURATION_MS = 86_400_000;

function integer(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new UsageError(
      `simulator: ${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(value)}.`,
    );
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Whether an event from the enumerator is one of its orders; both ends are this connector, so the type says it all. */
export function isOrder(event: unknown): event is ReaderOrder {
  return isObject(event) && ['settings', 'inject', 'stop', 'resumed'].includes(event.type as string);
}

export function isNews(event: unknown): event is ReaderNews {
  return isObject(event) && ['affected', 'split-finished', 'reading'].includes(event.type as string);
}
