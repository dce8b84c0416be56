export interface JobFailure {
  /** Processing time, ms. */
  readonly at: number;
  readonly message: string;
  /** Null: the job was not restarted. */
  readonly restartInMs: number | null;
  /** For people: what restarted, `1 of 4 regions`; null: the job. */
  readonly scope: string | null;
}

/** Flink's `web.exception-history-size`. */
const KEPT = 16;

/** The last failures of a job, newest first. */
export class FailureLog {
  #failures: readonly JobFailure[] = [];
  #total = 0;

  add(failure: JobFailure): void {
    this.#total++;
    this.#failures = [failure, ...this.#failures].slice(0, KEPT);
  }

  get total(): number {
    return this.#total;
  }

  get latest(): readonly JobFailure[] {
    return this.#failures;
  }
}
