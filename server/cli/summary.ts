/** What a run came to, for people and for programs. */

import type { ErrorCount, JobState, Totals } from '#shared/live.ts';
import { duration, rounded, whole } from './words.ts';

export interface Summary {
  job: string;
  state: JobState;
  /** Cause when FAILED. */
  failure: string | null;
  /** Ended by a signal, not by the end of its input. */
  interrupted: boolean;
  events: number;
  /** Rows of results, and what the job calls them. */
  results: number;
  resultName: string;
  /** Of them, results of windows. */
  windows: number;
  errors: number;
  /** By `reason`, or `reason:field` where a field is to blame. */
  errorsByReason: Record<string, number>;
  /** Events too late for their window. */
  late: number;
  durationMs: number;
  eventsPerSecond: number;
  /** Directory of the results; null: none. */
  output: string | null;
  /** Of the results, in words; null: none. */
  table: string | null;
}

export interface Outcome {
  job: string;
  state: JobState;
  failure: Error | null;
  interrupted: boolean;
  totals: Pick<Totals, 'events' | 'windows' | 'errors' | 'late'>;
  results: { readonly name: string; readonly count: number };
  counts: readonly ErrorCount[];
  durationMs: number;
  output: string | null;
  table: string | null;
}

export function summarize({
  job,
  state,
  failure,
  interrupted,
  totals,
  results,
  counts,
  durationMs,
  output,
  table,
}: Outcome): Summary {
  const errorsByReason: Record<string, number> = {};
  const sorted = [...counts].sort((a, b) => b.count - a.count);
  for (const { reason, field, count } of sorted) {
    if (count > 0) errorsByReason[field === null ? reason : `${reason}:${field}`] = count;
  }
  return {
    job,
    state,
    failure: failure?.message ?? null,
    interrupted,
    events: totals.events,
    results: results.count,
    resultName: results.name,
    windows: totals.windows,
    errors: totals.errors,
    errorsByReason,
    late: totals.late,
    durationMs: Math.round(durationMs),
    eventsPerSecond: durationMs > 0 ? Math.round((totals.events * 1000) / durationMs) : 0,
    output,
    table,
  };
}

/** Lines for standard error, each with its line break. */
export function describeSummary(summary: Summary): string {
  const rows: [string, string][] = [
    ['events', whole(summary.events)],
    [summary.resultName, whole(summary.results)],
    ['errors', whole(summary.errors)],
    ...Object.entries(summary.errorsByReason).map(([reason, count]): [string, string] => [`  ${reason}`, whole(count)]),
    ['late', whole(summary.late)],
  ];
  const left = Math.max(...rows.map(([name]) => name.length));
  const right = Math.max(...rows.map(([, value]) => value.length));
  const table = rows.map(([name, value]) => `  ${name.padEnd(left)}  ${value.padStart(right)}\n`).join('');
  const rate = `${duration(summary.durationMs)}, ${rounded(summary.eventsPerSecond)} events/s`;
  return `${summary.job}: ${verdict(summary)} after ${rate}\n${table}${kept(summary)}`;
}

function verdict({ state, interrupted }: Summary): string {
  if (interrupted) return state === 'FINISHED' ? 'stopped' : state.toLowerCase();
  return state === 'FINISHED' ? 'done' : state.toLowerCase();
}

function kept({ output, table, interrupted, state }: Summary): string {
  const places = [output, table].filter((place) => place !== null).join(' and ');
  if (places === '') return '';
  if (state === 'FINISHED') {
    return interrupted
      ? `  Kept in ${places}: everything that was read until the stop, windows still open included.\n`
      : `  Results are in ${places}\n`;
  }
  return `  Kept in ${places}: what was committed before.\n`;
}
