/**
 * What the simulator can be asked for, and how it is written on the command line: `devices=1000,rate=max,events=10M,seed=1,disorder=exp:2s`.
 * Options are plain data: they cross threads, and every thread builds the same simulator from them.
 */

import { UsageError } from '#base/errors.ts';
import { COUNT_FORMS, DURATION_FORMS, parseCount, parseDuration } from '#shared/quantities.ts';
import { type Disorder, MAX_DELAY_MS, parseDisorder } from './disorder.ts';

export interface SimulatorOptions {
  /** Devices at any time, 1 … 10 M. */
  readonly devices: number;
  /** Events per second over all splits; null: as fast as it goes. */
  readonly rate: number | null;
  /** Events in all, malformed and late ones included; null: without end. */
  readonly events: number | null;
  readonly seed: number;
  /** Parts that can be read in parallel, at most one per device. What a split holds depends on the options only, not on who reads it. */
  readonly splits: number;
  readonly disorder: Disorder;
  /** Share of events that cannot be used, 0..1. */
  readonly malformed: number;
  /** Share of events that come `behindMs` to `behindMs` + 50 s late, 0..1. */
  readonly late: number;
  /** Share of devices whose clock is off, and by how much at most, ahead or behind; null: all clocks are right. */
  readonly skew: { readonly share: number; readonly maxMs: number } | null;
  /** Share of devices that fall silent now and then and send what they measured later, 0..1. */
  readonly offline: number;
  /** Share of events that come from a handful of devices, 0..1. */
  readonly hot: number;
  /** Devices replaced by ones with a new name, per second of event time. */
  readonly churn: number;
  /** Event time of the first event, ms since the epoch; null: the time at which the job starts. */
  readonly start: number | null;
  /** Event time per wall time; only with a rate. */
  readonly speed: number;
  readonly profile: 'weather' | 'noise';
  /** Events per ms of event time while nothing ties event time to a rate (rate=max). */
  readonly tick: number;
  /** Longest time for which an injected out-of-order burst holds events back; the job's bound, if nothing shall be late. */
  readonly holdMs: number;
  /** How far late events are behind, at least (injected ones: at least 60 s). More than the job's bound and allowed lateness. */
  readonly behindMs: number;
}

/** Event time at which a reproducible run starts: 2023-11-14T22:13:20Z. */
export const FIXED_START = 1_700_000_000_000;
/** So that nothing falls before the epoch, however late. */
const MIN_START = MAX_DELAY_MS;
/** The last millisecond of the year 9999. */
const MAX_START = 253_402_300_799_999;
const DEFAULT_SPLITS = 4;
const DEFAULT_RATE = 1000;
const NOISE_TICK = 500;

const KEYS = [
  'devices',
  'rate',
  'events',
  'seed',
  'splits',
  'disorder',
  'malformed',
  'late',
  'skew',
  'offline',
  'hot',
  'churn',
  'start',
  'speed',
  'profile',
  'tick',
  'hold',
  'behind',
] as const;
type Key = (typeof KEYS)[number];

/** Reads the text of `--simulate`. Empty text means all defaults. Throws a UsageError that names the key and what it allows. */
export function parseSimulate(text: string): SimulatorOptions {
  const given = split(text);
  const read = <T>(key: Key, fallback: T, parse: (text: string) => T): T => {
    const value = given.get(key);
    return value === undefined ? fallback : parse(value);
  };
  const count = (key: Key, fallback: number, min: number, max: number) =>
    read(key, fallback, (t) => within(key, t, parseCount(t), min, max, `must be ${COUNT_FORMS}`));
  const number = (key: Key, fallback: number, min: number, max: number) =>
    read(key, fallback, (t) => within(key, t, plainNumber(t), min, max, 'must be a number'));
  const share = (key: Key) =>
    read(key, 0, (t) => within(key, t, plainNumber(t), 0, 1, 'must be a share from 0 to 1, such as 0.01'));
  const time = (key: Key, fallback: number) =>
    read(key, fallback, (t) => within(key, t, parseDuration(t), 1, MAX_DELAY_MS, `must be ${DURATION_FORMS}`));

  const devices = count('devices', 1000, 1, 10_000_000);
  const splits = count('splits', Math.min(DEFAULT_SPLITS, devices), 1, 1024);
  if (splits > devices)
    throw bad('splits', String(splits), `every split needs a device of its own, and there are ${devices}`);
  const events = read('events', null, (t) =>
    t === 'unbounded'
      ? null
      : within('events', t, parseCount(t), 1, Number.MAX_SAFE_INTEGER, `must be unbounded or ${COUNT_FORMS}`),
  );
  const rate = read('rate', events === null ? DEFAULT_RATE : null, (t) =>
    t === 'max' ? null : checkRate(t, parseCount(t) ?? plainNumber(t)),
  );
  const profile = read('profile', 'weather' as const, (t) => {
    if (t !== 'weather' && t !== 'noise') throw bad('profile', t, 'must be weather or noise');
    return t;
  });
  if (rate !== null && given.has('tick'))
    throw bad('tick', given.get('tick'), 'needs rate=max; with a rate, event time goes by speed');
  if (rate === null && given.has('speed'))
    throw bad('speed', given.get('speed'), 'needs a rate; with rate=max, event time goes by tick');
  return {
    devices,
    rate,
    events,
    seed: count('seed', 1, 0, Number.MAX_SAFE_INTEGER),
    splits,
    disorder: read(
      'disorder',
      profile === 'noise' ? { kind: 'uniform', maxMs: 1024 } : { kind: 'none' },
      parseDisorder,
    ),
    malformed: share('malformed'),
    late: share('late'),
    skew: read('skew', null, parseSkew),
    offline: share('offline'),
    hot: share('hot'),
    churn: number('churn', 0, 0, 1e6),
    start: read('start', rate !== null && events === null ? null : FIXED_START, (t) =>
      within('start', t, parseCount(t), MIN_START, MAX_START, 'must be a time in ms since the epoch'),
    ),
    speed: number('speed', 1, 0.001, 1e6),
    profile,
    // A device of the weather profile measures once a second, whether it is one of ten or of a million.
    tick: number('tick', profile === 'noise' ? NOISE_TICK : devices / 1000, 0.000_001, 1e6),
    holdMs: time('hold', 5000),
    behindMs: time('behind', 10_000),
  };
}

/** Throws a UsageError unless it is a rate that can be had: above 0, at most 1G. */
export function checkRate(text: string, rate: number | null): number {
  if (rate === null || !(rate >= 0.001 && rate <= 1e9))
    throw bad('rate', text, 'must be max, or events per second from 0.001 to 1G');
  return rate;
}

/** Throws a UsageError unless it is a share, 0..1. */
export function checkShare(key: 'malformed' | 'late', share: number): number {
  if (!(share >= 0 && share <= 1)) throw bad(key, String(share), 'must be a share from 0 to 1, such as 0.01');
  return share;
}

/** Pieces at commas; a piece without `=` belongs to the value before (`lognormal:500ms,0.8`). */
function split(text: string): Map<Key, string> {
  const given = new Map<Key, string>();
  let last: Key | null = null;
  if (text.trim() === '') return given;
  for (const piece of text.split(',')) {
    const at = piece.indexOf('=');
    if (at < 0) {
      if (last === null || piece.trim() === '')
        throw new UsageError(`simulate: "${piece}" is not of the form key=value; keys are ${KEYS.join(', ')}.`);
      given.set(last, `${given.get(last)},${piece.trim()}`);
      continue;
    }
    const name = piece.slice(0, at).trim();
    const key = KEYS.find((k) => k === name);
    if (key === undefined) throw new UsageError(`simulate: unknown key "${name}"; keys are ${KEYS.join(', ')}.`);
    if (given.has(key)) throw new UsageError(`simulate: ${key} is given twice.`);
    given.set(key, piece.slice(at + 1).trim());
    last = key;
  }
  return given;
}

function parseSkew(text: string): SimulatorOptions['skew'] {
  if (text === 'none') return null;
  const [share = '', max = '', ...more] = text.split(':');
  const value = plainNumber(share);
  const ms = parseDuration(max);
  if (value === null || value > 1 || ms === null || ms < 1 || ms > 3_600_000 || more.length > 0) {
    throw bad(
      'skew',
      text,
      'must be none or SHARE:D, the share of devices and how far their clocks are off (at most 1h), such as 0.1:2s',
    );
  }
  return { share: value, maxMs: ms };
}

/** A non-negative decimal number without unit, or null. */
function plainNumber(text: string): number | null {
  return /^\d+(\.\d+)?(e-?\d+)?$/.test(text) ? Number(text) : null;
}

function within(key: Key, text: string, value: number | null, min: number, max: number, must: string): number {
  if (value === null) throw bad(key, text, must);
  if (!(value >= min && value <= max)) throw bad(key, text, `must be from ${min} to ${max}`);
  return value;
}

function bad(key: Key, value: string | undefined, must: string): UsageError {
  return new UsageError(`simulate: ${key}=${value ?? ''}: ${must}.`);
}
