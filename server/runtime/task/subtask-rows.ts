import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import type { SourceOperator } from '#engine/operators/source.ts';

/** How many rows a subtask has seen since its cells were made, over all attempts: what `OperatorCell` counts, at one point of the stream. */
export interface SubtaskRows {
  /** By operator of the chain. */
  readonly in: readonly number[];
  readonly out: readonly number[];
  /** Of each split it reads or has read to the end in this attempt, by the source's own count; null: the source does not count. */
  readonly given: readonly (readonly [split: string, rows: number])[] | null;
}

export function subtaskRows(cells: Float64Array, operators: number, source: SourceOperator | null): SubtaskRows {
  const counts = (cell: number): number[] =>
    Array.from({ length: operators }, (_, o) => operatorCells(cells, o)[cell] as number);
  const given = source?.given ?? null;
  return {
    in: counts(OperatorCell.RECORDS_IN),
    out: counts(OperatorCell.RECORDS_OUT),
    given: given === null ? null : [...given],
  };
}
