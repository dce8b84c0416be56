import { UsageError } from '#base/errors.ts';

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
