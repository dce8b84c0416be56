/** Asking the outside world about rows: what a user writes, and how patient an operator is with the answers. */

import { UsageError } from '#base/errors.ts';
import type { Fields, Row } from '../batch/schema.ts';
import type { OutputTag } from './process.ts';

/** What a function may do beside answering. */
export interface AsyncContext {
  /** A row for a side output, which goes out with the answer; one whose attempt fails, or is not the last, is forgotten. */
  output<F extends Fields>(tag: OutputTag<F>, row: Row<F>): void;
}

/** Asks for a row, without waiting. Rows handed to it are copies that stay. */
export interface AsyncFunction<In extends Fields, Out extends Fields> {
  /** The rows that become of this one: any number. A rejected promise is an error, which is asked again or fails the job. */
  asyncInvoke(row: Row<In>, ctx: AsyncContext): Promise<readonly Row<Out>[]>;
  /** What becomes of a row whose answer took too long; without it that fails the job. */
  timeout?(row: Row<In>, ctx: AsyncContext): readonly Row<Out>[];
  close?(): void;
}

export interface AsyncRetry<Out extends Fields> {
  /**
   * How often a row is asked for at most, the first time included; what comes of the last time counts. **Flink** counts the times behind the
   * first.
   */
  readonly attempts: number;
  /** Time before the second attempt, ms. */
  readonly delayMs: number;
  /** Each later delay is so many times the one before; 1 (the same delay) if not given. */
  readonly factor?: number;
  /** No delay is longer, ms. */
  readonly maxDelayMs?: number;
  /** Errors worth another attempt; all if not given. */
  readonly whenError?: (error: unknown) => boolean;
  /** Answers that are none yet; none if not given. */
  readonly whenRows?: (rows: readonly Row<Out>[]) => boolean;
}

export interface AsyncSettings<Out extends Fields> {
  /** Rows asked for whose results have not gone out yet, at most; more wait, and hold the input up. 100 if not given. */
  readonly capacity?: number;
  /** From the first time a row is asked for, attempts and delays included, ms; Infinity: no limit. */
  readonly timeoutMs: number;
  /** Results in the order of the input, or as they come (but never past a watermark). */
  readonly ordered: boolean;
  readonly retry?: AsyncRetry<Out>;
}

/** Refuses what cannot work, by name. */
export function checkAsync(name: string, { capacity = 100, timeoutMs, retry }: AsyncSettings<Fields>): void {
  const refuse = (what: string, value: number): never => {
    throw new UsageError(`${name}: ${what}, not ${value}.`);
  };
  if (!Number.isInteger(capacity) || capacity < 1) refuse('capacity must be a whole number, 1 or more', capacity);
  if (!(timeoutMs > 0)) refuse('timeoutMs must be more than 0', timeoutMs);
  if (retry === undefined) return;
  const { attempts, delayMs, factor = 1, maxDelayMs = Number.POSITIVE_INFINITY } = retry;
  if (!Number.isInteger(attempts) || attempts < 1) refuse('attempts must be a whole number, 1 or more', attempts);
  if (!(delayMs >= 0 && delayMs < Number.POSITIVE_INFINITY)) refuse('delayMs must be 0 or more', delayMs);
  if (!(factor >= 1)) refuse('factor must be 1 or more', factor);
  if (!(maxDelayMs >= 0)) refuse('maxDelayMs must be 0 or more', maxDelayMs);
}

/** Time before attempt `attempt + 1`, ms. */
export function retryDelay(
  { delayMs, factor = 1, maxDelayMs = Number.POSITIVE_INFINITY }: AsyncRetry<Fields>,
  attempt: number,
): number {
  return Math.min(delayMs * factor ** (attempt - 1), maxDelayMs);
}
