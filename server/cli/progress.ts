/**
 * How far a run is, on standard error: a bar on a terminal, a plain line every five seconds elsewhere.
 *
 *   [██████████░░░░░░░░░░]  50 %  1.23 M events  410 k events/s  3 s left
 */

import { duration, rounded } from './words.ts';

export interface Progress {
  events: number;
  eventsPerSecond: number;
  /** Share of the input that was read, 0..1; null when nobody knows how much there is. */
  share: number | null;
  /** Since the start. */
  elapsedMs: number;
}

export interface ProgressOutput {
  readonly terminal: boolean;
  /** Columns of the terminal. */
  readonly columns: number;
  write(text: string): void;
}

const BAR_MS = 200;
const LINE_MS = 5000;
const BAR_CELLS = 20;

export class ProgressReporter {
  readonly #out: ProgressOutput;
  #shownAt = 0;
  #drawn = false;

  constructor(out: ProgressOutput) {
    this.#out = out;
  }

  /** To be called as often as one likes; shows what is due. */
  update(progress: Progress): void {
    const every = this.#out.terminal ? BAR_MS : LINE_MS;
    if (progress.elapsedMs - this.#shownAt < every) return;
    this.#shownAt = progress.elapsedMs;
    if (!this.#out.terminal) {
      this.#out.write(`${words(progress).join(', ')}\n`);
      return;
    }
    const line = [...(progress.share === null ? [] : [bar(progress.share)]), ...words(progress)].join('  ');
    this.#out.write(`\r\x1b[K${line.slice(0, Math.max(10, this.#out.columns - 1))}`);
    this.#drawn = true;
  }

  /** Removes the bar, so that something else can be written. */
  clear(): void {
    if (this.#drawn) this.#out.write('\r\x1b[K');
    this.#drawn = false;
  }
}

function words({ events, eventsPerSecond, share, elapsedMs }: Progress): string[] {
  const list = [`${rounded(events)} events`, `${rounded(eventsPerSecond)} events/s`];
  if (share === null) return [...list, `${duration(elapsedMs)} so far`];
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
  // Of the first instants nothing can be foretold.
  if (share < 0.01 || elapsedMs < 500) return [percent, ...list];
  return [percent, ...list, `${duration((elapsedMs / share) * (1 - share))} left`];
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)}]`;
}
