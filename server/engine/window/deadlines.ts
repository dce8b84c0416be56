/**
 * When something has to be looked at: a binary heap of (instant, slot). What has changed its mind meanwhile is not searched for: its entry
 * comes out in time and is put back, or dropped.
 */
export class Deadlines {
  #instants = new Float64Array(64);
  #slots = new Int32Array(64);
  size = 0;

  /** Instant of the first entry; Infinity: none. */
  get first(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : (this.#instants[0] as number);
  }

  /** Slot of the first entry. */
  get slot(): number {
    return this.#slots[0] as number;
  }

  add(instant: number, slot: number): void {
    if (this.size === this.#slots.length) this.#grow();
    let at = this.size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((this.#instants[above] as number) <= instant) break;
      this.#instants[at] = this.#instants[above] as number;
      this.#slots[at] = this.#slots[above] as number;
      at = above;
    }
    this.#instants[at] = instant;
    this.#slots[at] = slot;
  }

  /** Takes the first entry out. */
  drop(): void {
    const last = --this.size;
    if (last > 0) this.#sink(this.#instants[last] as number, this.#slots[last] as number);
  }

  /** The first entry comes later. */
  postpone(instant: number): void {
    this.#sink(instant, this.slot);
  }

  get bytes(): number {
    return this.#instants.byteLength + this.#slots.byteLength;
  }

  /** Puts an entry into the free place at the top. */
  #sink(instant: number, slot: number): void {
    const { size } = this;
    const instants = this.#instants;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && (instants[below + 1] as number) < (instants[below] as number)) below++;
      if ((instants[below] as number) >= instant) break;
      instants[at] = instants[below] as number;
      this.#slots[at] = this.#slots[below] as number;
      at = below;
    }
    instants[at] = instant;
    this.#slots[at] = slot;
  }

  #grow(): void {
    const instants = new Float64Array(this.#instants.length * 2);
    instants.set(this.#instants);
    this.#instants = instants;
    const slots = new Int32Array(instants.length);
    slots.set(this.#slots);
    this.#slots = slots;
  }
}
