/**
 * Timers: an operator is called again for a key and namespace when the watermark, or the clock, has reached an instant
 * (`flink-reference` §1.5). Timers are state: unique per key, namespace and instant, part of snapshots, dealt out by key group.
 */

/** What user functions see; for the current key and namespace. */
export interface TimerService {
  /** -Infinity: none yet. */
  currentWatermark(): number;
  currentProcessingTime(): number;
  /** Fires when the watermark next advances to `time` or beyond it. */
  registerEventTimeTimer(time: number): void;
  deleteEventTimeTimer(time: number): void;
  /** Fires when the clock shows `time` or more. Those left at the end of the input never fire. */
  registerProcessingTimeTimer(time: number): void;
  deleteProcessingTimeTimer(time: number): void;
}
