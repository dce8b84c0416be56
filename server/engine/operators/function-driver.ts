/** The loop over a batch's rows that calls a user function. */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { OperatorFunction, RowMethod } from './function-operator.ts';

/** Rows between which no timer is due, one loop per operator and input: a shared one that has seen six functions is three times slower. */
export type FunctionDriver = (
  batch: RecordBatch,
  ids: Int32Array,
  from: number,
  to: number,
  cursor: { $k: number },
  call: DrivenCall,
  scope: { key: number },
  fn: OperatorFunction,
) => number;

/** What the loop keeps of the row it is at. */
export interface DrivenCall {
  k: number;
  watermark: number;
  /** The watermark has risen to `watermark`: timers up to there are to run, then it goes on. */
  rising: boolean;
  /** Instant of the first event-time timer. */
  due: number;
  /** The loop is to stop behind this row: a batch of results is full, or something is to be done to all keys. */
  full: boolean;
  /** State of some key is to be cleaned up behind every row. */
  cleansEveryRecord: boolean;
  afterRecord(): void;
}

/** Returns the row it stopped at: `to`, or a timer is due before it, or results fill a batch. */
export function makeFunctionDriver(method: RowMethod, keyed: boolean): FunctionDriver {
  return new Function(`return function drive(batch, ids, from, to, cursor, call, scope, fn) {
    const rows = batch.selection, watermarks = batch.watermarks;
    for (let i = from; i < to; i++) {
      const k = rows === null ? i : rows[i];
      if (watermarks !== null && watermarks[k] > call.watermark) {
        call.watermark = watermarks[k];
        if (call.due <= call.watermark) { call.rising = true; return i; }
      }
      cursor.$k = k;
      call.k = k;
      ${keyed ? 'scope.key = ids[k];' : ''}
      fn.${method}(cursor, call, call);
      ${keyed ? 'if (call.cleansEveryRecord) call.afterRecord();' : ''}
      if (call.full) return i + 1;
    }
    return to;
  }`)() as FunctionDriver;
}
