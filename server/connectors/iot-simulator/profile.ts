/** What a profile has to offer: readings of given rows, in the order in which they are made. */

import type { Round } from './devices.ts';
import type { Disorder } from './disorder.ts';
import type { Timeline } from './pace.ts';
import type { ReadingRows } from './rows.ts';

export interface Profile {
  /** Of its generator: what is drawn next. Everything else follows from the options, the rows and their times. */
  state: number;
  /** Offers the delays that are in force from now on; true: `values` draws them itself. */
  setDisorder(disorder: Disorder): boolean;
  /**
   * Event time (whole ms, as of arrival unless the profile draws the delays) and values of rows from..to-1, whose devices are set. Row `from` is row `n` of
   * the timeline.
   */
  values(rows: ReadingRows, from: number, to: number, timeline: Timeline, n: number): void;
  /**
   * All columns of rows that nothing special happens to, in one loop: device codes are index + `code`, offsets count from `offset`.
   * False: this profile has no such loop, and nothing was done.
   */
  whole(
    rows: ReadingRows,
    round: Round,
    from: number,
    to: number,
    timeline: Timeline,
    n: number,
    code: number,
    offset: number,
  ): boolean;
}
