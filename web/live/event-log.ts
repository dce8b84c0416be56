import { LIMITS, type LiveEvent } from '#shared/live.ts';

/** The numbered events of one server epoch, oldest first: each once, in order, the newest `LIMITS.events`. */
export class EventLog {
  #events: LiveEvent[] = [];
  #seq = 0;

  /** Number of the last event held, 0 for none: what the client names when it connects again. */
  get seq(): number {
    return this.#seq;
  }

  get events(): readonly LiveEvent[] {
    return this.#events;
  }

  clear(): void {
    this.#events = [];
    this.#seq = 0;
  }

  /** `repeat`: already held. `gap`: events are missing before this one, so it was not taken; ask for a snapshot. */
  add(event: LiveEvent): 'added' | 'repeat' | 'gap' {
    if (event.seq <= this.#seq) return 'repeat';
    if (this.#seq > 0 && event.seq > this.#seq + 1) return 'gap';
    this.#push(event);
    return 'added';
  }

  /** Events of a snapshot: the server no longer has what is missing, so a jump in numbers is accepted. */
  addAll(events: readonly LiveEvent[]): void {
    for (const event of events) if (event.seq > this.#seq) this.#push(event);
  }

  #push(event: LiveEvent): void {
    this.#events = [...this.#events.slice(1 - LIMITS.events), event];
    this.#seq = event.seq;
  }
}
