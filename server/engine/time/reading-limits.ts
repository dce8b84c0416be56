/**
 * How far one source subtask may read: its watermark may not pass what its alignment groups allow (`flink-reference` §2.4). Makers of
 * watermarks in the task tell how far they have come, the coordinator what is allowed.
 */
export class ReadingLimits {
  readonly #groups = new Map<string, { reached: number; allowed: number }>();
  #heldSince: number | null = null;
  #heldMs = 0;

  /** The splits of a maker of this group have come to `watermark`, whether it has emitted that yet or not. */
  reached(group: string, watermark: number): void {
    this.#of(group).reached = watermark;
  }

  allow(group: string, watermark: number): void {
    this.#of(group).allowed = watermark;
  }

  /** Whether some group is further than it may be. */
  get exceeded(): boolean {
    for (const { reached, allowed } of this.#groups.values()) if (reached > allowed) return true;
    return false;
  }

  /** Nothing is read just now because of it. */
  get held(): boolean {
    return this.#heldSince !== null;
  }

  /** `now`: processing time, ms. */
  hold(held: boolean, now: number): void {
    if (held === this.held) return;
    this.#heldMs = this.heldMs(now);
    this.#heldSince = held ? now : null;
  }

  /** Processing time in which nothing was read because of it, ms; it counts for no idle timeout. */
  heldMs(now: number): number {
    return this.#heldMs + (this.#heldSince === null ? 0 : now - this.#heldSince);
  }

  #of(group: string): { reached: number; allowed: number } {
    let found = this.#groups.get(group);
    if (found === undefined) {
      found = { reached: Number.NEGATIVE_INFINITY, allowed: Number.POSITIVE_INFINITY };
      this.#groups.set(group, found);
    }
    return found;
  }
}
