import type { Mark } from '../charts/marks.ts';

export interface LaneItem {
  mark: Mark;
  /** Percent of the lane. */
  left: number;
  width: number;
  /** Bands that run at the same time stand below each other. */
  row: number;
  /** Lines only: no room for the label on the right of the line, so it stands on the left. */
  flipped: boolean;
  /** Further marks that would overlap this one and are counted here instead. */
  others: number;
}

/** A line's label takes about this much of the lane; a second line within it joins the first. */
const LINE_WIDTH = 7;
/** From here on labels stand on the left of their line. */
const FLIP = 85;
/** A band takes at least this much, so that it can be clicked. */
const LEAST_BAND = 3.5;
export const ROWS = 3;

/** Places marks between `from` and `to` so that none covers another; what finds no room is counted by its neighbour. */
export function layLane(marks: readonly Mark[], from: number, to: number): LaneItem[] {
  const span = Math.max(1, to - from);
  const percent = (time: number): number => Math.min(100, Math.max(0, ((time - from) / span) * 100));
  const rows: Occupied[][] = [[]];
  const items: LaneItem[] = [];
  let line: LaneItem | null = null;
  for (const mark of marks) {
    if (mark.type === 'band') continue;
    const left = percent(mark.at);
    const flipped = left > FLIP;
    // A label on the left must not cover one that stands on the right of an earlier line.
    const needed = flipped && line?.flipped === false ? 2 * LINE_WIDTH : LINE_WIDTH;
    if (line && left - line.left < needed) {
      line.others++;
      continue;
    }
    line = { mark, left, width: LINE_WIDTH, row: 0, flipped, others: 0 };
    items.push(line);
    rows[0]?.push({ item: line, from: flipped ? left - LINE_WIDTH : left, to: flipped ? left : left + LINE_WIDTH });
  }
  for (const mark of marks) {
    if (mark.type === 'line') continue;
    const left = Math.min(percent(mark.from), 100 - LEAST_BAND);
    const width = Math.max(LEAST_BAND, percent(mark.to ?? to) - left);
    let row = 0;
    while (row < ROWS && covering(rows[row] ?? [], left, left + width)) row++;
    const last = covering(rows[ROWS - 1] ?? [], left, left + width);
    if (row === ROWS && last) {
      last.item.others++;
      continue;
    }
    const item: LaneItem = { mark, left, width, row, flipped: false, others: 0 };
    items.push(item);
    rows[row] ??= [];
    rows[row]?.push({ item, from: left, to: left + width });
  }
  return items;
}

interface Occupied {
  item: LaneItem;
  from: number;
  to: number;
}

function covering(row: readonly Occupied[], from: number, to: number): Occupied | undefined {
  return row.find((other) => other.from < to && from < other.to);
}
