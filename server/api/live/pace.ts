/**
 * How many ticks a second one client gets. It reports every tenth tick it saw; when two reports are missing it gets half as many
 * (10, 5, 2, 1 Hz), when reports come promptly again twice as many.
 */

/** Server ticks per tick of this client. */
const DIVIDERS = [1, 2, 5, 10] as const;
/** Ticks between two reports of a client. */
const REPORT_EVERY = 10;
/** Two missing reports, and half an interval for the way. */
const MISSING = 2 * REPORT_EVERY + REPORT_EVERY / 2;
/** A report about a tick that is at most this many server ticks old is prompt. */
const PROMPT = 12;
/** Prompt reports in a row before the rate is raised. */
const RAISE_AFTER = 2;

export class Pace {
  #step = 0;
  #turns = 0;
  #unreported = 0;
  #prompt = 0;

  get rateHz(): number {
    return 10 / (DIVIDERS[this.#step] as number);
  }

  /** Once per server tick: whether this one is for the client. */
  due(): boolean {
    this.#turns++;
    if (this.#turns % (DIVIDERS[this.#step] as number) !== 0) return false;
    this.#unreported++;
    if (this.#unreported >= MISSING && this.#step < DIVIDERS.length - 1) {
      this.#step++;
      this.#unreported = 0;
      this.#prompt = 0;
    }
    return true;
  }

  /** The client says that it saw tick `seq`; `now` is the number of the newest. */
  seen(seq: number, now: number): void {
    if (seq > now) return;
    this.#unreported = 0;
    this.#prompt = now - seq <= PROMPT ? this.#prompt + 1 : 0;
    if (this.#prompt < RAISE_AFTER || this.#step === 0) return;
    this.#step--;
    this.#prompt = 0;
  }
}
