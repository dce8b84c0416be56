/**
 * Main-thread half of the live results: asks the taps, numbers what they answer in one order, and keeps it for all who look.
 *
 * Bounds: `LIMITS.watchedDevices` + `PINNED_DEVICES` devices, `LIMITS.resultsPerDevice` results each.
 */

import { LIMITS, type WindowResult } from '#shared/live.ts';
import { type Inspect, readAnswers, readFinal } from './answers.ts';
import { PINNED_DEVICES, type ResultsAnswer, type ResultsQuery } from './queries.ts';
import { dropReplaced } from './replaced.ts';

/** Rows one subtask may answer at once: bounds the time that a question takes from its job. */
const ROWS_PER_ANSWER = 1500;

export class ResultsFeed {
  readonly #inspect: Inspect;
  readonly #operatorId: string;
  readonly #byDevice = new Map<string, WindowResult[]>();
  readonly #order = new Intl.Collator('en', { numeric: true });
  readonly #cursors: number[] = [];
  #chosen: string[] = [];
  #pinned: string[] = [];
  /** What each subtask last said of itself. */
  readonly #subtasks: { devices: number; total: number }[] = [];
  #lastId = 0;
  #pulling: Promise<boolean> | null = null;

  constructor(inspect: Inspect, operatorId: string) {
    this.#inspect = inspect;
    this.#operatorId = operatorId;
  }

  /** Distinct devices in results, a lower bound beyond `DISTINCT_DEVICES` per subtask. */
  get devicesSeen(): number {
    return this.#subtasks.reduce((sum, of) => sum + of.devices, 0);
  }

  /** Results of all devices so far, as of the last pull. */
  get total(): number {
    return this.#subtasks.reduce((sum, of) => sum + of.total, 0);
  }

  /** Devices shown to who pinned none, by name. */
  get chosen(): readonly string[] {
    return this.#chosen;
  }

  /** Keeps results of these too from the next pull on; at most `PINNED_DEVICES`, the rest is ignored. */
  pin(devices: readonly string[]): void {
    this.#pinned = [...new Set(devices)].slice(0, PINNED_DEVICES);
  }

  /** For `JobMaster.onReport`: the tap of a subtask says its last word. */
  onReport(_subtask: number, message: unknown): void {
    const answer = readFinal<ResultsAnswer>(message);
    if (answer !== null) this.#take(answer);
  }

  /** Brings news from the taps. Calls while one is under way share it. True: there is more than fitted, ask again soon. */
  pull(): Promise<boolean> {
    this.#pulling ??= this.#pullNow().finally(() => {
      this.#pulling = null;
    });
    return this.#pulling;
  }

  /** Kept results of these devices with an id above `after`, oldest first, at most `limit` (the oldest). */
  results(devices: readonly string[], after: number, limit: number): WindowResult[] {
    const found: WindowResult[] = [];
    for (const device of devices) {
      const rows = this.#byDevice.get(device) ?? [];
      for (let i = rows.length - 1; i >= 0; i--) {
        const row = rows[i] as WindowResult;
        if (row.id <= after) break;
        found.push(row);
      }
    }
    found.sort((a, b) => a.id - b.id);
    return found.length > limit ? found.slice(0, limit) : found;
  }

  /** Id of the newest result, 0 for none. */
  get lastId(): number {
    return this.#lastId;
  }

  async #pullNow(): Promise<boolean> {
    const full = this.#chosen.length >= LIMITS.watchedDevices;
    const query: ResultsQuery = {
      cursors: this.#cursors,
      limit: ROWS_PER_ANSWER,
      devices: full ? [...this.#chosen, ...this.#pinned] : null,
      pinned: this.#pinned,
    };
    const answers = readAnswers<ResultsAnswer>(await this.#inspect(this.#operatorId, query));
    let more = false;
    for (const answer of answers) {
      this.#take(answer);
      more ||= answer.rows.length === ROWS_PER_ANSWER;
    }
    this.#forgetUnpinned();
    return more;
  }

  #take(answer: ResultsAnswer): void {
    const { subtask } = answer;
    const cursor = this.#cursors[subtask] ?? 0;
    this.#cursors[subtask] = Math.max(cursor, answer.cursor);
    this.#subtasks[subtask] = { devices: answer.devices, total: answer.total };
    for (const row of answer.rows) {
      if (row.seq <= cursor || !this.#takes(row.device)) continue;
      this.#put({
        id: ++this.#lastId,
        device: row.device,
        start: row.start,
        end: row.end,
        values: row.values,
        pane: row.lateUpdate ? 'late-update' : 'on-time',
        at: row.at,
      });
    }
  }

  #takes(device: string): boolean {
    if (this.#byDevice.has(device)) return true;
    if (this.#chosen.length < LIMITS.watchedDevices) {
      this.#chosen.push(device);
      this.#chosen.sort(this.#order.compare);
      return true;
    }
    return this.#pinned.includes(device);
  }

  #put(result: WindowResult): void {
    let rows = this.#byDevice.get(result.device);
    if (!rows) {
      rows = [];
      this.#byDevice.set(result.device, rows);
    }
    dropReplaced(rows, result);
    if (rows.length === LIMITS.resultsPerDevice) rows.shift();
    rows.push(result);
  }

  #forgetUnpinned(): void {
    if (this.#byDevice.size <= this.#chosen.length + this.#pinned.length) return;
    const kept = new Set([...this.#chosen, ...this.#pinned]);
    for (const device of this.#byDevice.keys()) if (!kept.has(device)) this.#byDevice.delete(device);
  }
}
