/**
 * Restart strategies as people write them: `fixed-delay,attempts=3,delay=1s`. Names, keys, aliases and defaults are Flink's
 * (`restart-strategy.<type>.<key>`, `flink-reference` §5.1).
 */

import { UsageError } from '#base/errors.ts';
import { DURATION_FORMS, formatDuration, parseDuration } from '#shared/quantities.ts';

export type RestartSettings =
  | { readonly type: 'none' }
  /** `attempts`: restarts in all; Infinity: any number. */
  | { readonly type: 'fixed-delay'; readonly attempts: number; readonly delayMs: number }
  | {
      readonly type: 'failure-rate';
      /** More failures than these within the interval are too many. */
      readonly maxFailures: number;
      readonly intervalMs: number;
      readonly delayMs: number;
    }
  | {
      readonly type: 'exponential-delay';
      readonly initialMs: number;
      readonly maxMs: number;
      readonly multiplier: number;
      /** Running for so long makes the next delay the first one again. */
      readonly resetMs: number;
      /** Share of a delay by which it is made longer or shorter by chance. */
      readonly jitter: number;
      /** Restarts without such a time between them; Infinity: any number. */
      readonly attempts: number;
    };

type Reader = (text: string) => number | null;

interface Key {
  readonly field: string;
  readonly fallback: number;
  readonly read: Reader;
  readonly write: (value: number) => string;
  /** What would have been right. */
  readonly forms: string;
}

const time = (field: string, fallback: number, least = 1): Key => ({
  field,
  fallback,
  read: (text) => atLeast(parseDuration(text), least),
  write: formatDuration,
  forms: least > 0 ? `${DURATION_FORMS}, more than 0` : DURATION_FORMS,
});
const number = (field: string, fallback: number, read: Reader, forms: string): Key => ({
  field,
  fallback,
  read,
  write: (value) => (value === Number.POSITIVE_INFINITY ? 'infinite' : String(value)),
  forms,
});
const attempts = (fallback: number): Key =>
  number(
    'attempts',
    fallback,
    (text) => (text === 'infinite' ? Number.POSITIVE_INFINITY : whole(text)),
    'a whole number, 1 or more, or infinite',
  );

const KEYS: Record<RestartSettings['type'], Record<string, Key>> = {
  none: {},
  'fixed-delay': { attempts: attempts(1), delay: time('delayMs', 1000, 0) },
  'failure-rate': {
    'max-failures-per-interval': number('maxFailures', 1, whole, 'a whole number, 1 or more'),
    'failure-rate-interval': time('intervalMs', 60_000),
    delay: time('delayMs', 1000, 0),
  },
  'exponential-delay': {
    'initial-backoff': time('initialMs', 1000),
    'max-backoff': time('maxMs', 60_000),
    'backoff-multiplier': number(
      'multiplier',
      1.5,
      (text) => decimal(text, (value) => value > 1),
      'a number greater than 1',
    ),
    'reset-backoff-threshold': time('resetMs', 3_600_000),
    'jitter-factor': number('jitter', 0.1, (text) => decimal(text, (value) => value <= 1), 'a number from 0 to 1'),
    'attempts-before-reset-backoff': attempts(Number.POSITIVE_INFINITY),
  },
};

const ALIASES: Readonly<Record<string, RestartSettings['type']>> = {
  off: 'none',
  disable: 'none',
  fixeddelay: 'fixed-delay',
  failurerate: 'failure-rate',
  exponentialdelay: 'exponential-delay',
};

/** With checkpoints a job comes back from any failure, without them from none (Flink since 1.19). */
export function defaultRestart(checkpointing: boolean): RestartSettings {
  return parseRestart(checkpointing ? 'exponential-delay' : 'none');
}

/** Reads `TYPE[,KEY=VALUE]…`. Throws a UsageError that names what is wrong and what would be right. */
export function parseRestart(text: string): RestartSettings {
  const [first = '', ...rest] = text.split(',').map((part) => part.trim());
  const type = ALIASES[first] ?? first;
  const keys = Object.hasOwn(KEYS, type) ? KEYS[type as RestartSettings['type']] : undefined;
  if (keys === undefined)
    throw new UsageError(`There is no restart strategy "${first}"; there are: ${Object.keys(KEYS).join(', ')}.`);
  const settings: Record<string, number> = {};
  for (const { field, fallback } of Object.values(keys)) settings[field] = fallback;
  for (const part of rest) {
    const [, name = '', value = ''] = /^([^=]*)(?:=(.*))?$/.exec(part) ?? [];
    const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (key === undefined) {
      const known = Object.keys(keys).join(', ') || 'none';
      throw new UsageError(`Restart strategy ${type} has no setting "${name}"; there are: ${known}.`);
    }
    const read = key.read(value);
    if (read === null) throw new UsageError(`Restart strategy ${type}: ${name} must be ${key.forms}, not "${value}".`);
    settings[key.field] = read;
  }
  const read = { type, ...settings } as RestartSettings;
  if (read.type === 'exponential-delay' && read.initialMs > read.maxMs) {
    const [initial, max] = [formatDuration(read.initialMs), formatDuration(read.maxMs)];
    throw new UsageError(
      `Restart strategy ${type}: initial-backoff ${initial} must not be longer than max-backoff ${max}.`,
    );
  }
  return read;
}

/** The words that `parseRestart` reads back to the same settings. */
export function restartWords(settings: RestartSettings): string {
  const values = settings as unknown as Readonly<Record<string, number>>;
  const words = Object.entries(KEYS[settings.type]).map(
    ([name, key]) => `${name}=${key.write(values[key.field] as number)}`,
  );
  return [settings.type, ...words].join(',');
}

function atLeast(value: number | null, least: number): number | null {
  return value !== null && value >= least ? value : null;
}

function whole(text: string): number | null {
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? atLeast(Number(text), 1) : null;
}

function decimal(text: string, right: (value: number) => boolean): number | null {
  return /^\d+(\.\d+)?$/.test(text) && right(Number(text)) ? Number(text) : null;
}
