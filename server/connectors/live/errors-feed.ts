/**
 * Main-thread half of the errors and late taps: adds the counters of all subtasks up, numbers the rows in one order, and works out rates.
 *
 * Bounds: `LIMITS.recentErrors` and `LIMITS.recentLate` rows, `REASON_PAIRS` counters per subtask, `MAX_SAMPLES` samples of them.
 */

import { type ErrorCount, type ErrorRow, type LateRow, LIMITS, RATE_WINDOW_MS } from '#shared/live.ts';
import { type Inspect, readAnswers, readFinal } from './answers.ts';
import type { ErrorsAnswer, LateAnswer, TapQuery } from './queries.ts';

/** Samples of the counters closer together than this are not kept apart. */
const SAMPLE_MS = 250;
/** As many as `RATE_WINDOW_MS` holds at that distance, and one before it. */
const MAX_SAMPLES = RATE_WINDOW_MS / SAMPLE_MS + 2;

interface Sample {
  at: number;
  counts: Map<string, number>;
}

export class ErrorsFeed {
  readonly #inspect: Inspect;
  readonly #errorsId: string;
  readonly #lateId: string;
  readonly #now: () => number;
  readonly #countsOf: ErrorsAnswer['counts'][] = [];
  readonly #errorCursors: number[] = [];
  readonly #lateCursors: number[] = [];
  #samples: Sample[] = [];
  #counts: ErrorCount[] = [];
  #recent: ErrorRow[] = [];
  #late: LateRow[] = [];
  #lastErrorId = 0;
  #lastLateId = 0;
  #pulling: Promise<void> | null = null;
  #pullingRows = false;

  constructor(inspect: Inspect, errorsId: string, lateId: string, now: () => number) {
    this.#inspect = inspect;
    this.#errorsId = errorsId;
    this.#lateId = lateId;
    this.#now = now;
  }

  /** By reason and field, in the order of first sight. */
  get counts(): readonly ErrorCount[] {
    return this.#counts;
  }

  /** Ids of the newest rows, 0 for none. */
  get lastErrorId(): number {
    return this.#lastErrorId;
  }

  get lastLateId(): number {
    return this.#lastLateId;
  }

  /** Kept rows with an id above `id`, oldest first. */
  errorsAfter(id: number): ErrorRow[] {
    return this.#recent.filter((row) => row.id > id);
  }

  lateAfter(id: number): LateRow[] {
    return this.#late.filter((row) => row.id > id);
  }

  /** For `JobMaster.onReport`: the errors tap of a subtask says its last word. */
  onErrorsReport(_subtask: number, message: unknown): void {
    const answer = readFinal<ErrorsAnswer>(message);
    if (answer === null) return;
    this.#takeErrors([answer]);
    this.#count(this.#now());
  }

  /** The same of the late tap. */
  onLateReport(_subtask: number, message: unknown): void {
    const answer = readFinal<LateAnswer>(message);
    if (answer !== null) this.#takeLate([answer]);
  }

  /** Brings news from the taps: the counters, and with `rows` the newest rows too. Calls while one is under way share it. */
  async pull(rows: boolean): Promise<void> {
    if (this.#pulling && rows && !this.#pullingRows) await this.#pulling;
    if (!this.#pulling) {
      this.#pullingRows = rows;
      this.#pulling = this.#pullNow(rows).finally(() => {
        this.#pulling = null;
      });
    }
    await this.#pulling;
  }

  async #pullNow(rows: boolean): Promise<void> {
    const query = (cursors: readonly number[], limit: number): TapQuery => ({ cursors, limit: rows ? limit : 0 });
    const [errors, late] = await Promise.all([
      this.#inspect(this.#errorsId, query(this.#errorCursors, LIMITS.recentErrors)),
      // The total of late events is a cell; only who looks at the rows needs the tap.
      rows ? this.#inspect(this.#lateId, query(this.#lateCursors, LIMITS.recentLate)) : [],
    ]);
    this.#takeErrors(readAnswers<ErrorsAnswer>(errors));
    this.#takeLate(readAnswers<LateAnswer>(late));
    this.#count(this.#now());
  }

  #takeErrors(answers: readonly ErrorsAnswer[]): void {
    const fresh: Omit<ErrorRow, 'id'>[] = [];
    for (const answer of answers) {
      const { subtask } = answer;
      const cursor = this.#errorCursors[subtask] ?? 0;
      this.#countsOf[subtask] = answer.counts;
      this.#errorCursors[subtask] = Math.max(cursor, answer.cursor);
      for (const { seq, ...row } of answer.rows) {
        if (seq > cursor) fresh.push({ ...row, injection: injectionOf(row.source) });
      }
    }
    fresh.sort((a, b) => a.at - b.at);
    const numbered = fresh.map((row) => ({ id: ++this.#lastErrorId, ...row }));
    this.#recent = [...this.#recent, ...numbered].slice(-LIMITS.recentErrors);
  }

  #takeLate(answers: readonly LateAnswer[]): void {
    const fresh: Omit<LateRow, 'id'>[] = [];
    for (const answer of answers) {
      const { subtask } = answer;
      const cursor = this.#lateCursors[subtask] ?? 0;
      this.#lateCursors[subtask] = Math.max(cursor, answer.cursor);
      for (const { seq, ...row } of answer.rows) if (seq > cursor) fresh.push(row);
    }
    fresh.sort((a, b) => a.at - b.at);
    const numbered = fresh.map((row) => ({ id: ++this.#lastLateId, ...row }));
    this.#late = [...this.#late, ...numbered].slice(-LIMITS.recentLate);
  }

  #count(now: number): void {
    const sums = new Map<string, ErrorCount>();
    for (const counts of this.#countsOf) {
      for (const { reason, field, count } of counts ?? []) {
        const key = keyOf(reason, field);
        const sum = sums.get(key);
        if (sum) sum.count += count;
        else sums.set(key, { reason, field, count, perSecond: 0 });
      }
    }
    this.#samples = this.#samples.filter((s) => s.at > now - 2 * RATE_WINDOW_MS);
    while ((this.#samples[1]?.at ?? now) <= now - RATE_WINDOW_MS) this.#samples.shift();
    const base = this.#samples[0];
    if (base && now > base.at) {
      for (const [key, sum] of sums) {
        sum.perSecond = round1(((sum.count - (base.counts.get(key) ?? 0)) * 1000) / (now - base.at));
      }
    }
    if (
      now - (this.#samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= SAMPLE_MS &&
      this.#samples.length < MAX_SAMPLES
    ) {
      this.#samples.push({ at: now, counts: new Map([...sums].map(([key, sum]) => [key, sum.count])) });
    }
    this.#counts = [...sums.values()];
  }
}

const keyOf = (reason: string, field: string | null): string => (field === null ? reason : `${reason}:${field}`);

const round1 = (value: number): number => Math.round(value * 10) / 10;

/** The simulator names its rows `simulator-<split>#<injection>` where an injection made them. */
export function injectionOf(source: string): number | null {
  const id = /^simulator-\d+#(\d+)$/.exec(source)?.[1];
  return id === undefined ? null : Number(id);
}
