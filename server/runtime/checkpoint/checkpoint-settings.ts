/** When checkpoints are taken and how patient the job is with them (`flink-reference` §4.1, its defaults too). */

import { UsageError } from '#base/errors.ts';
import type { CheckpointMode } from '#engine/exchange/barrier-aligner.ts';

export interface CheckpointSettings {
  /** Time between two triggers, ms, at least 10; null: only when somebody asks. A shorter one than `minPauseMs` is raised to it. */
  readonly intervalMs: number | null;
  /** `at-least-once`: barriers hold no channel up, and rows may count twice after a failure. */
  readonly mode: CheckpointMode;
  /** After which a checkpoint that is not acknowledged fails, ms, at least 10. */
  readonly timeoutMs: number;
  /** From the completion of one to the next trigger by itself, ms. More than 0 also means one at a time. */
  readonly minPauseMs: number;
  /** How many may be in progress before another is triggered; savepoints may go beyond. */
  readonly maxConcurrent: number;
  /** How many failures in a row the job survives; Infinity: any number. */
  readonly tolerableFailures: number;
  /** How many completed checkpoints are kept. */
  readonly retained: number;
  /** Barriers overtake rows, which are written with the checkpoint. */
  readonly unaligned: boolean;
  /** How long an unaligned checkpoint tries to align first, from its trigger, ms. */
  readonly alignedTimeoutMs: number;
  /** A checkpoint writes what has changed since one before, and refers to the rest. */
  readonly incremental: boolean;
  /** Savepoints that are taken by themselves, and how many of them are kept. */
  readonly savepoints: { readonly intervalMs: number; readonly retained: number } | null;
  /** How many ended checkpoints the statistics show. */
  readonly history: number;
}

export const DEFAULT_CHECKPOINT_SETTINGS: CheckpointSettings = {
  intervalMs: null,
  mode: 'exactly-once',
  timeoutMs: 600_000,
  minPauseMs: 0,
  maxConcurrent: 1,
  tolerableFailures: 0,
  retained: 1,
  unaligned: false,
  alignedTimeoutMs: 0,
  incremental: false,
  savepoints: null,
  history: 10,
};

const SHORTEST_MS = 10;
const YEAR_MS = 365 * 24 * 3_600_000;

/** The settings with defaults for what is not given. Throws a UsageError that names the setting which cannot work. */
export function checkpointSettings(given: Partial<CheckpointSettings> = {}): CheckpointSettings {
  const settings = { ...DEFAULT_CHECKPOINT_SETTINGS, ...given };
  const { savepoints } = settings;
  const refuse = (what: string, value: unknown): never => {
    throw new UsageError(`Checkpoints: ${what}, not ${value}.`);
  };
  const whole = (name: string, value: number, least: number): void => {
    if (!Number.isSafeInteger(value) || value < least) refuse(`${name} must be a whole number from ${least}`, value);
  };
  if (settings.intervalMs !== null) whole('intervalMs', settings.intervalMs, SHORTEST_MS);
  if (settings.mode !== 'exactly-once' && settings.mode !== 'at-least-once')
    refuse('mode must be exactly-once or at-least-once', settings.mode);
  whole('timeoutMs', settings.timeoutMs, SHORTEST_MS);
  whole('minPauseMs', settings.minPauseMs, 0);
  if (settings.minPauseMs > YEAR_MS) refuse('minPauseMs must be a year or less', settings.minPauseMs);
  whole('maxConcurrent', settings.maxConcurrent, 1);
  if (settings.tolerableFailures !== Number.POSITIVE_INFINITY)
    whole('tolerableFailures', settings.tolerableFailures, 0);
  whole('retained', settings.retained, 1);
  whole('alignedTimeoutMs', settings.alignedTimeoutMs, 0);
  if (settings.unaligned && settings.mode !== 'exactly-once')
    refuse('unaligned needs the mode exactly-once', settings.mode);
  if (settings.unaligned && settings.maxConcurrent !== 1)
    refuse('unaligned needs maxConcurrent 1', settings.maxConcurrent);
  if (!settings.unaligned && settings.alignedTimeoutMs > 0)
    refuse('alignedTimeoutMs must be 0 where unaligned is off', settings.alignedTimeoutMs);
  if (savepoints !== null) {
    whole('savepoints.intervalMs', savepoints.intervalMs, SHORTEST_MS);
    whole('savepoints.retained', savepoints.retained, 1);
  }
  whole('history', settings.history, 0);
  return settings;
}

/** Time between two triggers, ms; Infinity: none come by themselves. */
export function periodOf({ intervalMs, minPauseMs }: CheckpointSettings): number {
  return intervalMs === null ? Number.POSITIVE_INFINITY : Math.max(intervalMs, minPauseMs);
}

/** How many may be in progress at a time. */
export function concurrencyOf({ maxConcurrent, minPauseMs }: CheckpointSettings): number {
  return minPauseMs > 0 ? 1 : maxConcurrent;
}
