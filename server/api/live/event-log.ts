/** Numbered news of this server process, the newest `LIMITS.events`. */

import { LIMITS, type LiveEvent } from '#shared/live.ts';

export class EventLog {
  readonly #events: LiveEvent[] = [];
  #seq = 0;

  /** Number of the newest event, 0 for none. */
  get seq(): number {
    return this.#seq;
  }

  add(event: Omit<LiveEvent, 'seq'>): LiveEvent {
    const numbered: LiveEvent = { seq: ++this.#seq, ...event };
    this.#events.push(numbered);
    if (this.#events.length > LIMITS.events) this.#events.shift();
    return numbered;
  }

  /** Kept events behind that number, oldest first. */
  after(seq: number): LiveEvent[] {
    return this.#events.filter((event) => event.seq > seq);
  }
}
