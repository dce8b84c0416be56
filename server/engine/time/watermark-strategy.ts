/** How event time advances: which watermarks a stream gets, and when. */

import { UsageError } from '#base/errors.ts';

export interface WatermarkStrategy {
  /** Rows come at most this much behind the largest timestamp before them, ms; 0: in order. */
  readonly outOfOrdernessMs: number;
  /** `on-event`: after every record that raises it; a number: every so many ms of processing time (Flink: 200). */
  readonly emit: 'on-event' | number;
  /** A split without rows for this long holds the watermark back no more; null: it always does. */
  readonly idleTimeoutMs: number | null;
}

/** Bounded out-of-orderness (`flink-reference` §2). Errors name the setting. */
export function boundedOutOfOrderness(
  outOfOrdernessMs: number,
  options: { emit?: 'on-event' | number; idleTimeoutMs?: number | null } = {},
): WatermarkStrategy {
  const emit = options.emit ?? 200;
  const idleTimeoutMs = options.idleTimeoutMs ?? null;
  if (!(outOfOrdernessMs >= 0)) throw new UsageError(`Out-of-orderness must be 0 or more, not ${outOfOrdernessMs} ms.`);
  if (emit !== 'on-event' && !(emit > 0))
    throw new UsageError(`The watermark interval must be more than 0, not ${emit} ms.`);
  if (idleTimeoutMs !== null && !(idleTimeoutMs > 0)) {
    throw new UsageError(`The idle timeout must be more than 0, not ${idleTimeoutMs} ms.`);
  }
  return { outOfOrdernessMs, emit, idleTimeoutMs };
}

/** Strictly ascending timestamps: a bound of 0. */
export function ascendingTimestamps(
  options: { emit?: 'on-event' | number; idleTimeoutMs?: number | null } = {},
): WatermarkStrategy {
  return boundedOutOfOrderness(0, options);
}

/** Watermark of one split under a bound: max timestamp - bound - 1, because equal timestamps may still come. */
export class BoundedOutOfOrderness {
  readonly #bound: number;
  maxTimestamp = Number.NEGATIVE_INFINITY;

  constructor(boundMs: number) {
    this.#bound = boundMs;
  }

  onEvent(timestamp: number): void {
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
  }

  get watermark(): number {
    return this.maxTimestamp - this.#bound - 1;
  }
}

/**
 * Whether a split has gone idle (Flink's WatermarksWithIdleness): idle once more than the timeout has passed between two checks without
 * an event in between, so that it takes at least two checks after the last event.
 */
export class IdlenessTimer {
  readonly #timeoutMs: number;
  #events = 0;
  #eventsAtCheck = 0;
  #idleSince: number | null = null;

  constructor(timeoutMs: number) {
    if (!(timeoutMs > 0)) throw new UsageError(`The idle timeout must be more than 0, not ${timeoutMs} ms.`);
    this.#timeoutMs = timeoutMs;
  }

  activity(): void {
    this.#events++;
  }

  isIdle(now: number): boolean {
    if (this.#events !== this.#eventsAtCheck) {
      this.#eventsAtCheck = this.#events;
      this.#idleSince = null;
      return false;
    }
    if (this.#idleSince === null) {
      this.#idleSince = now;
      return false;
    }
    return now - this.#idleSince > this.#timeoutMs;
  }
}
