/** The two ends of a connection between two subtasks, and how the sending end is written to. */

import type { RecordBatch } from '../batch/record-batch.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { CheckpointBarrier } from './barrier.ts';

/** Sending end. Elements arrive in the order in which they were written. */
export interface ChannelWriter {
  /** It takes at least a watermark, a status, a marker or the end now, and probably rows. */
  ready(): boolean;
  /**
   * Writes rows `rows[from .. to)` (null: those positions themselves) and returns the first one that found no room. `known`: a string
   * column all of whose codes went this way in an earlier batch, so that nobody need look; -1: none.
   */
  write(batch: RecordBatch, rows: Int32Array | null, from: number, to: number, known: number): number;
  watermark(watermark: number, ingestedAt?: number): void;
  idle(idle: boolean): void;
  /** It arrives behind everything written so far; what is written later may come before it. */
  marker(marker: LatencyMarker): void;
  /** Behind everything written so far, and seen by the other side at once. Asks for no credit where it may overtake rows. */
  barrier(barrier: CheckpointBarrier): void;
  /** Has a consumer in this thread copy what it was lent and is not through with. False: it cannot now. */
  letGo(): boolean;
  /** No rows follow; barriers may. */
  end(): void;
  /** Makes what was written visible to the other side. */
  flush(): void;
}
