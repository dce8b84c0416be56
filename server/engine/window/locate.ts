/** The hot half of windowing: for every row the slot of its key in its slice. Generated per operator, so that it stays one shape. */

import { WeirError } from '#base/errors.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Panes } from './panes.ts';
import type { Slices } from './slices.ts';

/** Whoever handles rows that are not on the fast path. */
export interface Placer {
  place(number: number, code: number, k: number): number;
  /** `place` asks to end the segment behind this row. */
  readonly stop: boolean;
}

/**
 * Fills `slots[i]` for rows `from .. to` of those that count and returns how far it got. `now` is the processing time in ms, used by
 * processing-time windows only.
 */
export type Locate = (
  slots: Int32Array,
  batch: RecordBatch,
  codes: Int32Array,
  from: number,
  to: number,
  now: number,
  panes: Panes,
  placer: Placer,
) => number;

export function makeLocate(slices: Slices, rowsTime: 'event' | 'processing'): Locate {
  const time = rowsTime === 'event' ? 'time[k]' : 'now';
  // A true division: a multiplication by the inverse is off by one at borders for many sizes.
  const number = `Math.floor((t - ${slices.offsetMs}) / ${slices.sliceMs})`;
  return new Function(`return function locate(slots, batch, codes, from, to, now, panes, placer) {
    const rows = batch.selection, time = batch.time;
    let ring = panes.ring, index = panes.index, keys = panes.keys, mask = ring.length - 1;
    // The slice that the row before was in, if it is open: most rows are in it too, and save the division.
    let begin = Infinity, end = -Infinity, at = 0;
    for (let i = from; i < to; i++) {
      const k = rows === null ? i : rows[i];
      const t = ${time};
      const code = codes[k];
      let slot;
      if (t >= begin && t < end && (slot = index[at + code]) !== 0) { slots[i] = slot; continue; }
      const w = ${number};
      const row = w & mask;
      if (ring[row] === w) {
        at = row * keys + 1;
        begin = w * ${slices.sliceMs} + ${slices.offsetMs}; end = begin + ${slices.sliceMs};
        if ((slot = index[at + code]) !== 0) { slots[i] = slot; continue; }
      }
      slots[i] = placer.place(w, code, k);
      if (placer.stop) return i + 1;
      ring = panes.ring; index = panes.index; mask = ring.length - 1; end = -Infinity;
    }
    return to;
  }`)() as Locate;
}

/** Rows that no window can take fail the job; the fast path leaves them to `place`. */
export function refuseMisfits(slice: number, code: number): void {
  if (Number.isNaN(slice)) {
    throw new WeirError(
      'NO_TIMESTAMP',
      'A row without event timestamp reached an event-time window: assign timestamps and watermarks before it, or use processing time.',
    );
  }
  if (code < 0) {
    throw new WeirError('NULL_KEY', 'A row with a null key reached a window: give it a key, or filter it out before.');
  }
}
