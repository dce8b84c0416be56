/** Which windows a record belongs to (`flink-reference` §1.2). */

import { UsageError } from '#base/errors.ts';
import type { TimeWindow } from './contents.ts';

/** Start of the window of the given size and offset that holds `timestamp`, all in ms. Exact for every instant a Date can name. */
export function windowStart(timestamp: number, offset: number, size: number): number {
  const remainder = (timestamp - offset) % size;
  return remainder < 0 ? timestamp - (remainder + size) : timestamp - remainder;
}

/** Tumbling windows: every record is in exactly one. */
export interface TumblingWindows {
  readonly kind: 'tumbling';
  readonly time: 'event' | 'processing';
  readonly sizeMs: number;
  readonly offsetMs: number;
}

/** Windows of `sizeMs` that begin every `slideMs`: a record is in several of them, or in none where they leave gaps. */
export interface SlidingWindows {
  readonly kind: 'sliding';
  readonly time: 'event' | 'processing';
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;
}

/** Windows that begin together every `sizeMs` and end one by one every `stepMs`: the total so far, as SQL's CUMULATE. */
export interface CumulativeWindows {
  readonly kind: 'cumulative';
  readonly time: 'event' | 'processing';
  readonly sizeMs: number;
  readonly stepMs: number;
  readonly offsetMs: number;
}

/** Windows whose borders are known without looking at the data. */
export type AlignedWindows = TumblingWindows | SlidingWindows | CumulativeWindows;

function tumbling(time: 'event' | 'processing', sizeMs: number, offsetMs: number): TumblingWindows {
  if (!Number.isInteger(sizeMs) || !Number.isInteger(offsetMs) || !(Math.abs(offsetMs) < sizeMs)) {
    throw new UsageError(
      `Tumbling windows need whole milliseconds with abs(offset) < size, and size > 0; got size ${sizeMs} ms, offset ${offsetMs} ms.`,
    );
  }
  return { kind: 'tumbling', time, sizeMs, offsetMs };
}

function sliding(time: 'event' | 'processing', sizeMs: number, slideMs: number, offsetMs: number): SlidingWindows {
  const whole = [sizeMs, slideMs, offsetMs].every(Number.isInteger);
  if (!whole || !(sizeMs > 0) || !(Math.abs(offsetMs) < slideMs)) {
    throw new UsageError(
      `Sliding windows need whole milliseconds with abs(offset) < slide, and size > 0; got size ${sizeMs} ms, slide ${slideMs} ms, offset ${offsetMs} ms.`,
    );
  }
  return { kind: 'sliding', time, sizeMs, slideMs, offsetMs };
}

function cumulative(time: 'event' | 'processing', sizeMs: number, stepMs: number, offsetMs: number): CumulativeWindows {
  const whole = [sizeMs, stepMs, offsetMs].every(Number.isInteger);
  if (!whole || !(stepMs > 0) || sizeMs % stepMs !== 0 || !(Math.abs(offsetMs) < sizeMs)) {
    throw new UsageError(
      `Cumulating windows need whole milliseconds, a size that is a multiple of the step, and abs(offset) < size; got size ${sizeMs} ms, step ${stepMs} ms, offset ${offsetMs} ms.`,
    );
  }
  return { kind: 'cumulative', time, sizeMs, stepMs, offsetMs };
}

export const TumblingEventTimeWindows = {
  of: (sizeMs: number, offsetMs = 0): TumblingWindows => tumbling('event', sizeMs, offsetMs),
};

export const TumblingProcessingTimeWindows = {
  of: (sizeMs: number, offsetMs = 0): TumblingWindows => tumbling('processing', sizeMs, offsetMs),
};

export const SlidingEventTimeWindows = {
  of: (sizeMs: number, slideMs: number, offsetMs = 0): SlidingWindows => sliding('event', sizeMs, slideMs, offsetMs),
};

export const SlidingProcessingTimeWindows = {
  of: (sizeMs: number, slideMs: number, offsetMs = 0): SlidingWindows =>
    sliding('processing', sizeMs, slideMs, offsetMs),
};

export const CumulativeEventTimeWindows = {
  of: (maxSizeMs: number, stepMs: number, offsetMs = 0): CumulativeWindows =>
    cumulative('event', maxSizeMs, stepMs, offsetMs),
};

export const CumulativeProcessingTimeWindows = {
  of: (maxSizeMs: number, stepMs: number, offsetMs = 0): CumulativeWindows =>
    cumulative('processing', maxSizeMs, stepMs, offsetMs),
};

/** All windows that hold an instant, one by one; for whoever keeps rows per window. Sliding ones come newest first, as in Flink. */
export function windowsOf(windows: AlignedWindows, timestamp: number): TimeWindow[] {
  const { kind, sizeMs, offsetMs } = windows;
  const found: TimeWindow[] = [];
  if (kind === 'sliding') {
    const last = windowStart(timestamp, offsetMs, windows.slideMs);
    for (let start = last; start > timestamp - sizeMs; start -= windows.slideMs) {
      found.push({ start, end: start + sizeMs });
    }
    return found;
  }
  const start = windowStart(timestamp, offsetMs, sizeMs);
  if (kind === 'tumbling') return [{ start, end: start + sizeMs }];
  for (let end = start + windows.stepMs; end <= start + sizeMs; end += windows.stepMs) {
    if (end > timestamp) found.push({ start, end });
  }
  return found;
}
