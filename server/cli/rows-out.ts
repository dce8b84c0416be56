import { findOperator, type JobGraph } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';

/** Rows that an operator without side outputs has put out, in all its subtasks. 0: there is no such operator. */
export function rowsOut(graph: JobGraph, cells: readonly (readonly Float64Array[])[], id: string): number {
  const place = findOperator(graph, id);
  if (place === null) return 0;
  let rows = 0;
  for (const task of cells[place.vertex] ?? [])
    rows += operatorCells(task, place.operator)[OperatorCell.RECORDS_OUT] as number;
  return rows;
}
