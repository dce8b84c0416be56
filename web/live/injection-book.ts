import type { Injection } from '#shared/injections.ts';
import type { LiveEvent } from '#shared/live.ts';

/** Ended injections that stay on the list. */
const KEEP = 40;

/** All injections known, by id; a tick may bring only some of them, so lists are merged and never replaced. */
export class InjectionBook {
  readonly #byId = new Map<number, Injection>();

  clear(): void {
    this.#byId.clear();
  }

  merge(injections: readonly Injection[]): void {
    for (const injection of injections) this.#byId.set(injection.id, injection);
    this.#forget();
  }

  /** A stop is announced by an event, with the last numbers, before a tick has them. What a tick told of the end is newer. */
  note({ ended }: LiveEvent): void {
    if (ended === null || this.#byId.get(ended.id)?.running === false) return;
    this.merge([ended]);
  }

  /** Newest first. */
  list(): Injection[] {
    return [...this.#byId.values()].sort((a, b) => b.id - a.id);
  }

  #forget(): void {
    const ended = this.list().filter((injection) => !injection.running);
    for (const injection of ended.slice(KEEP)) this.#byId.delete(injection.id);
  }
}
