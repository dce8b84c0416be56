/** Messages between the job master and its task managers: each pair in order, everything else in an order that the seed draws. */

import type { Clock } from '#base/clock.ts';

interface Message {
  readonly due: number;
  readonly deliver: () => void;
}

export class SimulatedNetwork {
  readonly #clock: Clock;
  readonly #delay: () => number;
  readonly #pairs = new Map<string, Message[]>();

  /** `delay`: of one message, ms. */
  constructor(clock: Clock, delay: () => number) {
    this.#clock = clock;
    this.#delay = delay;
  }

  /** Arrives behind everything that was sent between these two before. */
  send(pair: string, deliver: () => void): void {
    const queue = this.#pairs.get(pair) ?? [];
    this.#pairs.set(pair, queue);
    queue.push({ due: Math.max(queue.at(-1)?.due ?? 0, this.#clock.now() + this.#delay()), deliver });
  }

  /** What is under way between these two never arrives. */
  drop(pair: string): void {
    this.#pairs.delete(pair);
  }

  /** What may arrive now. */
  due(): (() => void)[] {
    const now = this.#clock.now();
    const due: (() => void)[] = [];
    for (const queue of this.#pairs.values()) {
      if ((queue[0]?.due ?? Number.POSITIVE_INFINITY) <= now) due.push(() => queue.shift()?.deliver());
    }
    return due;
  }

  get nextAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const queue of this.#pairs.values()) at = Math.min(at, queue[0]?.due ?? at);
    return at;
  }
}
