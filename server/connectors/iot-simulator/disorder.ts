/**
 * How long events are under way: the delay between the event's timestamp and its arrival, as text, as data, and as numbers drawn from it.
 *
 * Events are made in the order in which they arrive, so a delay is subtracted from the arrival time and nothing has to wait anywhere.
 */

import { UsageError } from '#base/errors.ts';
import { DURATION_FORMS, formatDuration, parseDuration } from '#shared/quantities.ts';

export type Disorder =
  | { readonly kind: 'none' }
  /** Uniform over the whole milliseconds 0 … maxMs - 1. */
  | { readonly kind: 'uniform'; readonly maxMs: number }
  | { readonly kind: 'exp'; readonly meanMs: number }
  /** exp(normal(ln medianMs, sigma)) */
  | { readonly kind: 'lognormal'; readonly medianMs: number; readonly sigma: number };

/** No event is under way for longer than this, whatever was drawn. */
export const MAX_DELAY_MS = 86_400_000;

const FORMS = 'none, uniform:D, exp:MEAN or lognormal:MEDIAN,SIGMA (for example exp:2s)';

/** Reads `none`, `uniform:1s`, `exp:2s`, `lognormal:500ms,0.8`; throws a UsageError that says what is wrong. */
export function parseDisorder(text: string): Disorder {
  const [kind = '', parameters = ''] = text.split(/:(.*)/s);
  const bad = (what: string) => new UsageError(`simulate: disorder=${text}: ${what}`);
  const time = (part: string) => {
    const ms = parseDuration(part);
    if (ms === null) throw bad(`"${part}" is not ${DURATION_FORMS}.`);
    if (ms < 1 || ms > MAX_DELAY_MS) throw bad(`"${part}" must be from 1ms to 1d.`);
    return ms;
  };
  switch (kind) {
    case 'none':
      if (text !== 'none') throw bad('none takes no parameter.');
      return { kind };
    case 'uniform':
      return { kind, maxMs: time(parameters) };
    case 'exp':
      return { kind, meanMs: time(parameters) };
    case 'lognormal': {
      const [median = '', sigma, ...more] = parameters.split(',');
      const value = Number(sigma);
      if (sigma === undefined || sigma.trim() === '' || more.length > 0)
        throw bad('lognormal takes a median and a sigma, as in lognormal:500ms,0.8.');
      if (!(value > 0 && value <= 5)) throw bad(`sigma "${sigma}" must be above 0 and at most 5.`);
      return { kind, medianMs: time(median), sigma: value };
    }
    default:
      throw bad(`must be ${FORMS}.`);
  }
}

/** The text that `parseDisorder` reads back to the same. */
export function formatDisorder(disorder: Disorder): string {
  switch (disorder.kind) {
    case 'none':
      return 'none';
    case 'uniform':
      return `uniform:${formatDuration(disorder.maxMs)}`;
    case 'exp':
      return `exp:${formatDuration(disorder.meanMs)}`;
    case 'lognormal':
      return `lognormal:${formatDuration(disorder.medianMs)},${disorder.sigma}`;
  }
}

/** Cells of the quantile table: 64 KiB, so that it stays in the second-level cache. */
const CELLS = 8192;

/**
 * Draws delays and subtracts them from timestamps. A draw is a look-up in a table of quantiles with a straight line between two of them;
 * the outermost cells, where the line would be a poor guess, are computed. One step of the generator per row, so what a row gets does
 * not depend on how rows are cut into batches.
 */
export class Delays {
  readonly #disorder: Disorder;
  readonly #quantiles = new Float64Array(CELLS + 1);
  #state: number;

  constructor(disorder: Disorder, seed: number) {
    this.#disorder = disorder;
    this.#state = seed | 0;
    if (disorder.kind === 'none') return;
    for (let i = 0; i <= CELLS; i++) this.#quantiles[i] = Math.min(MAX_DELAY_MS, quantile(disorder, i / CELLS));
  }

  /** Of the generator; the rest follows from the disorder. */
  get state(): number {
    return this.#state;
  }

  set state(state: number) {
    this.#state = state;
  }

  get kind(): Disorder['kind'] {
    return this.#disorder.kind;
  }

  /** Makes rows from..to-1 as much older as their way here took; never older than the epoch. */
  subtract(time: Float64Array, from: number, to: number): void {
    const disorder = this.#disorder;
    if (disorder.kind === 'none') return;
    const quantiles = this.#quantiles;
    // Rounded to the nearest millisecond, except for uniform, whose bounds are whole milliseconds.
    const half = disorder.kind === 'uniform' ? 0 : 0.5;
    let state = this.#state;
    for (let k = from; k < to; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const u = (state >>> 0) * (CELLS / 4294967296);
      const cell = u | 0;
      let delay: number;
      if (cell === 0 || cell === CELLS - 1) {
        delay = Math.min(MAX_DELAY_MS, quantile(disorder, ((state >>> 0) + 0.5) / 4294967296));
      } else {
        const low = quantiles[cell] as number;
        delay = low + ((quantiles[cell + 1] as number) - low) * (u - cell);
      }
      time[k] = Math.max(0, (time[k] as number) - ((delay + half) | 0));
    }
    this.#state = state;
  }
}

/** The delay that a share `u` of all delays stays below. */
function quantile(disorder: Disorder, u: number): number {
  switch (disorder.kind) {
    case 'none':
      return 0;
    case 'uniform':
      return u * disorder.maxMs;
    case 'exp':
      return -Math.log(1 - u) * disorder.meanMs;
    case 'lognormal':
      return Math.exp(Math.log(disorder.medianMs) + disorder.sigma * normalQuantile(u));
  }
}

/**
 * Inverse of the standard normal distribution by Newton's method on its integral; good to about 1e-7, which is far below a millisecond
 * of any delay one can ask for. Slow (microseconds): only tables and tails are made with it.
 */
function normalQuantile(u: number): number {
  if (u <= 0) return -Infinity;
  if (u >= 1) return Infinity;
  // The far side is the mirror image, where 1 - u would lose digits.
  if (u > 0.5) return -normalQuantile(1 - u);
  let z = u < 0.02 ? -Math.sqrt(-2 * Math.log(u)) : 0;
  for (let i = 0; i < 60; i++) {
    const step = (normalShare(z) - u) / (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI));
    z -= Math.min(0.5, Math.max(-0.5, step));
    if (Math.abs(step) < 1e-10) break;
  }
  return z;
}

/** Share of the standard normal distribution below z <= 0: series near the middle, continued fraction in the tail. */
function normalShare(z: number): number {
  const x = -z;
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let n = 3; term > 1e-16 * sum; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = x;
  for (let n = 60; n > 0; n--) fraction = x + n / fraction;
  return density / fraction;
}
