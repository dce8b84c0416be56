/** Rows of one key that wait for partners, by timestamp, those of one instant in order of arrival: plain data, part of the state of the key. */

type PlainRow = Record<string, unknown>;

export interface WaitingRows {
  /** Ascending. */
  readonly times: number[];
  /** `rows[i]` has the timestamp `times[i]`. */
  readonly rows: PlainRow[];
}

/** Position of the first row at `time` or behind it. */
export function firstFrom({ times }: WaitingRows, time: number): number {
  return split(times, (at) => at < time);
}

/** Behind all that have the same timestamp. */
export function addRow({ times, rows }: WaitingRows, time: number, row: PlainRow): void {
  const last = times.at(-1);
  const at = last === undefined || last <= time ? times.length : split(times, (other) => other <= time);
  times.splice(at, 0, time);
  rows.splice(at, 0, row);
}

/** Rows at `time` and before. */
export function dropUntil({ times, rows }: WaitingRows, time: number): void {
  const gone = split(times, (at) => at <= time);
  times.splice(0, gone);
  rows.splice(0, gone);
}

/** How many of them, which come first, are `before`. */
function split(times: readonly number[], before: (time: number) => boolean): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(times[middle] as number)) low = middle + 1;
    else high = middle;
  }
  return low;
}
