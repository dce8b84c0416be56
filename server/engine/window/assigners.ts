/** Which windows a record belongs to (`flink-reference` §1.2). */

import { UsageError } from '#base/errors.ts';

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

function tumbling(time: 'event' | 'processing', sizeMs: number, offsetMs: number): TumblingWindows {
  if (!Number.isInteger(sizeMs) || !Number.isInteger(offsetMs) || !(Math.abs(offsetMs) < sizeMs)) {
    throw new UsageError(
      `Tumbling windows need whole milliseconds with abs(offset) < size, and size > 0; got size ${sizeMs} ms, offset ${offsetMs} ms.`,
    );
  }
  return { kind: 'tumbling', time, sizeMs, offsetMs };
}

export const TumblingEventTimeWindows = {
  of: (sizeMs: number, offsetMs = 0): TumblingWindows => tumbling('event', sizeMs, offsetMs),
};

export const TumblingProcessingTimeWindows = {
  of: (sizeMs: number, offsetMs = 0): TumblingWindows => tumbling('processing', sizeMs, offsetMs),
};

/** The window with number `index` counts from the offset; windows are half-open `[start, end)`. */
export function startOf(windows: TumblingWindows, index: number): number {
  return index * windows.sizeMs + windows.offsetMs;
}

/** Last instant of the window with number `index`: the timestamp of its result. */
export function maxTimestampOf(windows: TumblingWindows, index: number): number {
  return startOf(windows, index) + windows.sizeMs - 1;
}
