/**
 * Rows of two streams in the same windows (Flink's CoGroupedStreams, and JoinedStreams on top of it): the general operator keeps them together,
 * each with the stream it is of, and gives a function those of both sides when a window fires.
 */

import type { Fields, Row } from '../batch/schema.ts';
import type { Collector } from '../operators/process.ts';
import { aggregatingState } from '../state/descriptors.ts';
import type { AggregatingState } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import { CONTENTS, type Collected, inOrder } from './collected.ts';
import type { TimeWindow } from './contents.ts';
import type { WindowFunction } from './window-function.ts';

/** A row of one of two streams, as windows and triggers of one's own see it (Flink's TaggedUnion). */
export type EitherRow<A extends Fields, B extends Fields> =
  | { readonly left: Row<A>; readonly right: null }
  | { readonly left: null; readonly right: Row<B> };

/** What a function may ask about the window whose rows it gets. */
export interface GroupContext {
  readonly key: Key;
  readonly window: TimeWindow;
}

/** Called when a window fires; one of the lists may be empty. Rows are in order of arrival, and not to be changed. */
export type CoGroupFunction<A extends Fields, B extends Fields, Out extends Fields> = (
  left: readonly Row<A>[],
  right: readonly Row<B>[],
  ctx: GroupContext,
  out: Pick<Collector<Out>, 'collect'>,
) => void;

type PlainRow = Record<string, unknown>;
type Arrived = readonly [arrival: number, input: number, row: PlainRow];
type Sides = readonly [lefts: readonly PlainRow[], rights: readonly PlainRow[]];

/** All rows of both; the one element is both lists. */
export function collectSides(): Collected {
  return {
    descriptor: aggregatingState(CONTENTS, inOrder<Arrived>()),
    add: (state, incoming) =>
      (state as AggregatingState<Arrived, readonly Arrived[]>).add([incoming.arrival, incoming.input, incoming.copy()]),
    elements(state) {
      const all = (state as AggregatingState<Arrived, readonly Arrived[]>).get();
      if (all === null) return null;
      const sides: [PlainRow[], PlainRow[]] = [[], []];
      for (const [, input, row] of all) (sides[input] as PlainRow[]).push(row);
      return [sides satisfies Sides];
    },
    peek: () => [],
  };
}

/** As the function of a window. */
export function groupBoth(fn: CoGroupFunction<Fields, Fields, Fields>): WindowFunction<Sides, Fields> {
  return {
    process(key, { window }, [sides], out) {
      const [lefts, rights] = sides as unknown as readonly [Row<Fields>[], Row<Fields>[]];
      fn(lefts, rights, { key, window }, out);
    },
  };
}
