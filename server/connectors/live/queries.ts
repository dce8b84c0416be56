/**
 * What the two halves of the live tap say to each other. The writers in the task managers keep a bounded remainder of what passes; the feeds
 * on the main thread ask for news whenever somebody looks. All of it is plain data.
 *
 *   sink writer (task manager) <── query with a cursor per subtask ── feed (main thread)
 *                              ──  what came after the cursor      ─>
 *
 * What nobody fetches before it is overwritten is gone; counters never lose anything.
 */

/** A cursor is the `seq` of the last row held; 0 asks for everything kept. */
export interface TapQuery {
  /** By subtask; a missing one counts as 0. */
  cursors: readonly number[];
  /** Rows in the answer, at most; 0 asks for counters only. The rest comes with the next query. */
  limit: number;
}

export interface ResultsQuery extends TapQuery {
  /** Only rows of these devices; null: of all that are kept. */
  devices: readonly string[] | null;
  /** Devices to keep results of from now on, besides those the tap chose; replaces the list of the query before. */
  pinned: readonly string[];
}

export interface ResultRow {
  seq: number;
  device: string;
  start: number;
  end: number;
  /** Columns of the result behind device, start and end. */
  values: number[];
  /** The window had fired before, or the session was shorter. */
  lateUpdate: boolean;
  /** Processing time of arrival, ms. */
  at: number;
}

export interface ResultsAnswer {
  /** Who answers; answers come in any order. */
  subtask: number;
  cursor: number;
  /** Results that passed, kept or not. */
  total: number;
  /** Distinct devices in them; only a lower bound once `DISTINCT_DEVICES` is reached. */
  devices: number;
  atLeast: boolean;
  rows: ResultRow[];
}

/** What a writer reports of itself when it closes, so that the end of a job is not lost on those who come later. */
export interface FinalReport<A> {
  final: A;
}

/** Distinct devices a tap counts exactly per subtask; beyond, it says "at least". */
export const DISTINCT_DEVICES = 100_000;

/** Devices that may be pinned at a time, over all who look. */
export const PINNED_DEVICES = 64;

export interface ErrorTapRow {
  seq: number;
  at: number;
  reason: string;
  field: string | null;
  /** Beginning of the payload, at most `LIMITS.payloadPreview` characters. */
  payload: string;
  payloadBytes: number;
  source: string;
  offset: number;
}

export interface ErrorsAnswer {
  /** Who answers; answers come in any order. */
  subtask: number;
  cursor: number;
  total: number;
  counts: { reason: string; field: string | null; count: number }[];
  rows: ErrorTapRow[];
}

/** Pairs of reason and field that are counted apart; further ones count together under the reason `other`. */
export const REASON_PAIRS = 256;

export interface LateTapRow {
  seq: number;
  at: number;
  device: string;
  eventTimestamp: number;
  watermark: number;
  lateByMs: number;
  values: Record<string, number>;
}

export interface LateAnswer {
  /** Who answers; answers come in any order. */
  subtask: number;
  cursor: number;
  total: number;
  rows: LateTapRow[];
}

/** Reads a query that came from another thread; what is not one reads as "counters only". */
export function readTapQuery(query: unknown, subtask: number): { cursor: number; limit: number } {
  if (typeof query !== 'object' || query === null) return { cursor: 0, limit: 0 };
  const cursors = 'cursors' in query && Array.isArray(query.cursors) ? query.cursors : [];
  const cursor: unknown = cursors[subtask];
  const limit = 'limit' in query && typeof query.limit === 'number' ? query.limit : 0;
  return { cursor: typeof cursor === 'number' ? cursor : 0, limit };
}

/** A query for everything after `cursor`, as one subtask asks itself at its end. */
export function finalQuery(subtask: number, cursor: number, limit: number): TapQuery {
  const cursors: number[] = new Array<number>(subtask + 1).fill(0);
  cursors[subtask] = cursor;
  return { cursors, limit };
}

/** The strings of a list that came from another thread, at most `most`; null for what is no list. */
export function readNames(list: unknown, most: number): string[] | null {
  if (!Array.isArray(list)) return null;
  return list.filter((name): name is string => typeof name === 'string').slice(0, most);
}
