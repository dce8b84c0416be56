/**
 * Strings as small integers. A dictionary belongs to one producer in one thread; a code means something only together with it, and the
 * entries a consumer lacks travel in band with the first batch that uses them (`exchange/`).
 *
 *   codeOf('device-7') ── first sight ──> a free code, kept until a sweep finds that nobody holds it
 *   get(code)          ── the string
 *
 * Bound: whoever owns a dictionary sweeps it between batches once it has grown past its limit (`sweepIfLarge`). Whoever keeps codes longer
 * than a batch (open windows, the tables of a channel) registers a holder; whoever keeps something per code (which entries a channel has
 * sent, bytes already seen) listens to `onFree`.
 *
 * Thread contract: used by one thread only.
 */

/** Calls `mark` for every code it still needs. */
export type Holder = (mark: (code: number) => void) => void;

/** Entries a dictionary may hold before it is swept for the first time; afterwards twice what survived, if that is more. */
export const SWEEP_ENTRIES = 1 << 19;

/** What is swept between batches. */
export interface Swept {
  /** Drops what nobody holds, if there is too much. Returns whether it swept. */
  sweepIfLarge(): boolean;
  /** … however little it is. */
  sweep(): void;
  /** Entries in use. */
  readonly size: number;
}

export class Dictionary implements Swept {
  #strings: (string | null)[] = [];
  #codes = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #holders: Holder[] = [];
  readonly #listeners: ((code: number, text: string) => void)[] = [];
  readonly #sweepListeners: (() => void)[] = [];
  readonly #minimum: number;
  #limit: number;

  constructor(sweepEntries = SWEEP_ENTRIES) {
    this.#minimum = sweepEntries;
    this.#limit = sweepEntries;
  }

  /** Codes in use are below this. */
  get capacity(): number {
    return this.#strings.length;
  }

  /** Entries in use. */
  get size(): number {
    return this.#codes.size;
  }

  /** Code of a string, given on first sight. */
  codeOf(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const code = this.#free.pop() ?? this.#strings.length;
    this.#strings[code] = text;
    this.#codes.set(text, code);
    return code;
  }

  /** Code of a string already seen, or -1. */
  find(text: string): number {
    return this.#codes.get(text) ?? -1;
  }

  /** String of a code in use; -1 and unknown codes are null. */
  get(code: number): string | null {
    return this.#strings[code] ?? null;
  }

  /** Keeps codes alive across sweeps. */
  hold(holder: Holder): void {
    this.#holders.push(holder);
  }

  /** Called for every entry that a sweep drops; its code may be given to another string from then on. */
  onFree(listener: (code: number, text: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Called after a sweep. */
  onSwept(listener: () => void): void {
    this.#sweepListeners.push(listener);
  }

  /**
   * Drops the entries nobody holds, if there are too many. Only between batches: codes in a batch that is still under way are held by
   * nobody. Returns whether it swept.
   */
  sweepIfLarge(): boolean {
    if (this.#codes.size < this.#limit) return false;
    this.sweep();
    return true;
  }

  /** The same whatever their number. */
  sweep(): void {
    const held = new Uint8Array(this.#strings.length);
    for (const holder of this.#holders) {
      holder((code) => {
        held[code] = 1;
      });
    }
    for (let code = 0; code < this.#strings.length; code++) {
      const text = this.#strings[code];
      if (held[code] === 1 || text === null || text === undefined) continue;
      this.#codes.delete(text);
      this.#strings[code] = null;
      this.#free.push(code);
      for (const listener of this.#listeners) listener(code, text);
    }
    this.#limit = Math.max(this.#minimum, this.#codes.size * 2);
    for (const listener of this.#sweepListeners) listener();
  }
}
