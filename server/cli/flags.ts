/** Values of flags: text in, value out, or a sentence that says what would have been right. */

import { InvalidArgumentError } from 'commander';
import type { JobWindows } from '#shared/live.ts';
import { BYTES_FORMS, COUNT_FORMS, DURATION_FORMS, parseBytes, parseCount, parseDuration } from '#shared/quantities.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Milliseconds; the bounds are named as in `at least 1ms`. */
export function duration(range: Range & { readonly says: string }): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms === null) throw new InvalidArgumentError(`Give ${DURATION_FORMS}.`);
    if (ms < range.min || ms > range.max) throw new InvalidArgumentError(`It must be ${range.says}.`);
    return ms;
  };
}

export function bytes(range: Range): (text: string) => number {
  return (text) => {
    const size = parseBytes(text);
    if (size === null) throw new InvalidArgumentError(`Give ${BYTES_FORMS}.`);
    if (size < range.min || size > range.max) {
      throw new InvalidArgumentError(`It must be from ${range.min} to ${range.max} bytes.`);
    }
    return size;
  };
}

export function count(range: Range): (text: string) => number {
  return (text) => {
    const value = parseCount(text);
    if (value === null) throw new InvalidArgumentError(`Give ${COUNT_FORMS}.`);
    if (value < range.min || value > range.max) {
      throw new InvalidArgumentError(`It must be from ${range.min} to ${range.max}.`);
    }
    return value;
  };
}

const windowLength = duration({ min: 1, max: 100 * 86_400_000, says: 'from 1ms to 100d' });

/** An event in more windows than this is a mistake. */
const MOST_WINDOWS_PER_EVENT = 10_000;

/** `5s`: tumbling windows; `60s/1s`: windows of 60 s that begin every second. 1 ms to 100 days. */
export function windows(text: string): JobWindows {
  const [size = '', slide, ...more] = text.split('/');
  if (more.length > 0) throw new InvalidArgumentError('Give a length, such as 5s, or length/slide, such as 60s/1s.');
  const sizeMs = windowLength(size);
  if (slide === undefined) return { kind: 'tumbling', sizeMs };
  const slideMs = windowLength(slide);
  if (slideMs > sizeMs) {
    throw new InvalidArgumentError('The slide must not be longer than the window: events in between would get lost.');
  }
  if (sizeMs / slideMs > MOST_WINDOWS_PER_EVENT) {
    throw new InvalidArgumentError(`Every event would be in more than ${MOST_WINDOWS_PER_EVENT} windows.`);
  }
  return { kind: 'sliding', sizeMs, slideMs };
}

/** The silence that ends a session, 1 ms to 100 days. */
export const sessionGap = windowLength;

/** `off`, or milliseconds. (Not null for off: commander takes that for no value.) */
export function idleTimeout(text: string): number | 'off' {
  if (text === 'off') return 'off';
  const ms = parseDuration(text);
  if (ms === null || ms < 1 || ms > 86_400_000) {
    throw new InvalidArgumentError('Give off, or a time from 1ms to 1d, such as 30s.');
  }
  return ms;
}

export function watermarkEmit(text: string): 'on-event' | number {
  if (text === 'on-event') return text;
  const ms = parseDuration(text);
  if (ms === null || ms < 1 || ms > 3_600_000) {
    throw new InvalidArgumentError('Give on-event, or an interval from 1ms to 1h, such as 200ms.');
  }
  return ms;
}

export interface Parallelism {
  readonly source: number;
  readonly window: number;
}

/** Keys are dealt to 128 groups, so more subtasks would have nothing to do. */
export const MAX_PARALLELISM = 128;

/** `2`, or `source=1,window=4`; what is not named is 1. */
export function parallelism(text: string): Parallelism {
  if (!text.includes('=')) {
    const all = subtasks(text);
    return { source: all, window: all };
  }
  const given = { source: 1, window: 1 };
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=', 2);
    if (name !== 'source' && name !== 'window') {
      throw new InvalidArgumentError(`"${name}" is neither source nor window: give a number, or source=1,window=4.`);
    }
    given[name] = subtasks(value);
  }
  return given;
}

function subtasks(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > MAX_PARALLELISM) {
    throw new InvalidArgumentError(`Give a whole number from 1 to ${MAX_PARALLELISM}, or source=1,window=4.`);
  }
  return value;
}
