/** Results compared as the contract asks: averages to 1e-9 relative, everything else exactly. Each function gives the differences it found. */

import type { ModelError, ModelLate, ModelRow } from '#testing/reference-model.ts';
import type { ErrorRecord, LateRecord } from './weir.ts';

const AVERAGES = new Set([6, 9, 12]);
const SHOWN = 5;

/** Rows as multisets: the order in which one watermark fires windows is nobody's promise. */
export function windowDifferences(actual: readonly ModelRow[], expected: readonly ModelRow[]): string[] {
  const differences = countDifference('windows', actual, expected);
  const [ours, theirs] = [sortedRows(actual), sortedRows(expected)];
  for (let i = 0; i < Math.max(ours.length, theirs.length) && differences.length < SHOWN; i++) {
    const [a, b] = [ours[i], theirs[i]];
    if (a === undefined || b === undefined || !sameRow(a, b))
      differences.push(`${JSON.stringify(a)} instead of ${JSON.stringify(b)}`);
  }
  return differences;
}

function sameRow(a: ModelRow, b: ModelRow): boolean {
  return a.every((cell, i) => {
    const other = b[i];
    if (!AVERAGES.has(i) || typeof cell !== 'number' || typeof other !== 'number') return cell === other;
    return Math.abs(cell - other) <= 1e-9 * Math.max(Math.abs(cell), Math.abs(other));
  });
}

/** Averages come last, since they may differ a little between two rows that are the same. */
function sortedRows(rows: readonly ModelRow[]): ModelRow[] {
  const order = [0, 1, 3, 4, 5, 7, 8, 10, 11, 2, 6, 9, 12];
  return [...rows].sort((a, b) => {
    for (const i of order) {
      const [x, y] = [a[i] ?? 0, b[i] ?? 0];
      if (x !== y) return x < y ? -1 : 1;
    }
    return 0;
  });
}

/** Errors in order, payloads to the byte. */
export function errorDifferences(
  actual: readonly ErrorRecord[],
  expected: readonly ModelError[],
  source?: string,
): string[] {
  const differences = countDifference('errors', actual, expected);
  for (let i = 0; i < expected.length && differences.length < SHOWN; i++) {
    const [a, b] = [actual[i], expected[i]];
    if (a === undefined || b === undefined) break;
    const same =
      a.reason === b.reason &&
      a.field === b.field &&
      a.payload.equals(b.payload) &&
      a.payloadBytes === b.payloadBytes &&
      a.offset === b.offset &&
      (source === undefined || a.source === source);
    if (!same) differences.push(`error ${i}: ${describeError(a)} instead of ${describeError({ ...b, source })}`);
  }
  return differences;
}

function describeError(error: { readonly payload: Buffer; readonly source?: string | undefined }): string {
  const { payload, ...rest } = error;
  return JSON.stringify({ ...rest, payload: payload.subarray(0, 200).toString('latin1') });
}

/** Errors without regard to order, for runs in which several readers meet them. */
export function sortErrors<E extends { readonly offset: number }>(errors: readonly E[]): E[] {
  return [...errors].sort((a, b) => a.offset - b.offset);
}

/** Late events in order. */
export function lateDifferences(actual: readonly LateRecord[], expected: readonly ModelLate[]): string[] {
  const differences = countDifference('late events', actual, expected);
  for (let i = 0; i < expected.length && differences.length < SHOWN; i++) {
    const [a, b] = [actual[i], expected[i]];
    if (a === undefined || b === undefined) break;
    const wanted: LateRecord = { ...b, late_by_ms: b.watermark - b.event_timestamp };
    const names = Object.keys(wanted) as (keyof LateRecord)[];
    if (names.some((name) => a[name] !== wanted[name]))
      differences.push(`late ${i}: ${JSON.stringify(a)} instead of ${JSON.stringify(wanted)}`);
  }
  return differences;
}

/** A name as a CSV can hold it: a lone surrogate has no UTF-8 and is written as the replacement character (JSON escapes it). */
export function asWritten(name: string): string {
  return Buffer.from(name).toString();
}

function countDifference(what: string, actual: readonly unknown[], expected: readonly unknown[]): string[] {
  return actual.length === expected.length ? [] : [`${actual.length} ${what} instead of ${expected.length}`];
}
