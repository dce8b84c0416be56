/** The hot half of sessions: for every row the slot of the session it is in. Generated per operator, so that it stays one shape. */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { SessionWindows } from './session-windows.ts';
import { type Sessions, SPAN } from './sessions.ts';

/** Whoever handles rows that are neither inside the current session of their key nor extend it. */
export interface SessionPlacer {
  /** `i`: of the row among those that count, `k`: its position. Slot, 0 for a row that counts nowhere, -1: not before the rows in front are added. */
  place(time: number, code: number, i: number, k: number): number;
  /** `place` asks to end the segment behind this row. */
  readonly stop: boolean;
}

/** Fills `slots[i]` for rows `from .. to` of those that count and returns how far it got. `now`: processing time in ms. */
export type LocateSession = (
  slots: Int32Array,
  batch: RecordBatch,
  codes: Int32Array,
  from: number,
  to: number,
  now: number,
  sessions: Sessions,
  placer: SessionPlacer,
) => number;

export function makeLocateSession(windows: SessionWindows): LocateSession {
  return new Function(`return function locateSession(slots, batch, codes, from, to, now, sessions, placer) {
    const rows = batch.selection, time = batch.time;
    let current = sessions.current, span = sessions.span;
    for (let i = from; i < to; i++) {
      const k = rows === null ? i : rows[i];
      const t = ${windows.time === 'event' ? 'time[k]' : 'now'};
      const code = codes[k];
      const slot = current[code + 1];
      const o = slot * ${SPAN};
      if (t >= span[o]) {
        const end = t + ${windows.gapMs};
        if (end <= span[o + 1]) { slots[i] = slot; continue; }
        if (t <= span[o + 1] && end < span[o + 2]) { span[o + 1] = end; slots[i] = slot; continue; }
      }
      const placed = placer.place(t, code, i, k);
      if (placed < 0) return i;
      slots[i] = placed;
      if (placer.stop) return i + 1;
      current = sessions.current; span = sessions.span;
    }
    return to;
  }`)() as LocateSession;
}
