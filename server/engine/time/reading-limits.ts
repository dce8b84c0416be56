/**
 * How far one source subtask may read (`flink-reference` §2.4): neither its watermark nor any of its splits may pass what the alignment groups
 * allow. Makers of watermarks in the task say how far their splits have come, the coordinator what other subtasks allow; splits of the task
 * are compared right here.
 *
 *   a split may go on ⇔ its watermark ≤ smallest of (other subtasks of the group, other splits of the task) + drift
 */

/** How far a split has come. One that is idle, or has no watermark yet (-Infinity), neither waits nor holds anybody back. */
export interface SplitProgress {
  readonly index: number;
  readonly watermark: number;
  readonly idle: boolean;
}

/** Something in the task that makes watermarks of a group. */
export interface AlignedMaker {
  readonly maxDriftMs: number;
  /** What all its splits have come to, emitted or not; -Infinity: nothing yet. */
  reached(): number;
  splits(): Iterable<SplitProgress>;
  /** By how much whatever is furthest ahead is beyond what it may, ms; below 0: it may still go so far; null: nothing limits it. */
  drifts(ms: number | null): void;
}

export class ReadingLimits {
  readonly #members: { readonly group: string; readonly maker: AlignedMaker }[] = [];
  /** Per group, by the coordinator. */
  readonly #allowed = new Map<string, number>();
  readonly #source = new Waiting();
  readonly #splits = new Map<number, Waiting>();
  readonly #paused = new Set<number>();

  /** Nothing is limited where nobody has joined. */
  join(group: string, maker: AlignedMaker): void {
    this.#members.push({ group, maker });
  }

  /** Others are so far that this subtask may come to `watermark`. */
  allow(group: string, watermark: number): void {
    this.#allowed.set(group, watermark);
  }

  /** Whether somebody has joined. */
  get any(): boolean {
    return this.#members.length > 0;
  }

  /** Nothing at all is read just now. */
  get held(): boolean {
    return this.#source.waits;
  }

  /** Splits that are not read just now: all of them while the source is held. Always the same set. */
  get paused(): ReadonlySet<number> {
    return this.#paused;
  }

  /** Compares. `active`: splits that are not read to their end; `now`: processing time, ms. */
  update(active: ReadonlySet<number>, now: number): void {
    this.#paused.clear();
    let held = false;
    for (const { group, maker } of this.#members) {
      const allowed = this.#allowed.get(group) ?? Number.POSITIVE_INFINITY;
      const reached = maker.reached();
      if (reached > allowed) held = true;
      const beyond = Math.max(reached - allowed, this.#pauseBeyond(allowed, maker));
      maker.drifts(Number.isFinite(beyond) ? beyond : null);
    }
    if (held) for (const index of active) this.#paused.add(index);
    this.#settle(held, active, now);
  }

  /** Nothing waits any more. `now`: processing time, ms. */
  release(active: ReadonlySet<number>, now: number): void {
    this.#paused.clear();
    this.#settle(false, active, now);
  }

  /** Processing time in which that split (null: the source as a whole) waited, ms; it counts for no idle timeout. */
  waitedMs(split: number | null, now: number): number {
    return (split === null ? this.#source : this.#splits.get(split))?.ms(now) ?? 0;
  }

  /** Pauses splits that are too far; returns by how much the furthest is beyond its limit. */
  #pauseBeyond(allowed: number, maker: AlignedMaker): number {
    let smallest = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const split of maker.splits()) {
      if (!counts(split)) continue;
      if (split.watermark < smallest) [smallest, next] = [split.watermark, smallest];
      else if (split.watermark < next) next = split.watermark;
    }
    let furthest = Number.NEGATIVE_INFINITY;
    for (const split of maker.splits()) {
      if (!counts(split)) continue;
      // Nobody waits for itself.
      const others = split.watermark === smallest ? next : smallest;
      const beyond = split.watermark - Math.min(allowed, others + maker.maxDriftMs);
      if (beyond > 0) this.#paused.add(split.index);
      furthest = Math.max(furthest, beyond);
    }
    return furthest;
  }

  #settle(held: boolean, active: ReadonlySet<number>, now: number): void {
    this.#source.set(held, now);
    for (const index of this.#paused) if (!this.#splits.has(index)) this.#splits.set(index, new Waiting());
    for (const [index, waiting] of this.#splits) {
      if (active.has(index)) waiting.set(this.#paused.has(index), now);
      else this.#splits.delete(index);
    }
  }
}

function counts({ watermark, idle }: SplitProgress): boolean {
  return !idle && watermark !== Number.NEGATIVE_INFINITY;
}

/** How long something has waited in all. */
class Waiting {
  #since: number | null = null;
  #ms = 0;

  get waits(): boolean {
    return this.#since !== null;
  }

  set(waits: boolean, now: number): void {
    if (waits === this.waits) return;
    this.#ms = this.ms(now);
    this.#since = waits ? now : null;
  }

  ms(now: number): number {
    return this.#ms + (this.#since === null ? 0 : now - this.#since);
  }
}
