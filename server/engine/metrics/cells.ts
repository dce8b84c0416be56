/**
 * Counters as plain cells in shared memory: the owning thread stores, once per batch; the main thread reads whenever it likes. Nobody sends
 * messages, nobody locks; a reader may see one number newer than another.
 *
 *   one task per subtask of a job vertex:   [ task cells | operator 0 cells | operator 1 cells | … ]
 */

/** Cells of a task, in nanoseconds since its start unless said otherwise; the three shares of `flink-reference` §6.4. */
export const TaskCell = {
  BUSY: 0,
  BACKPRESSURED: 1,
  IDLE: 2,
  /** 1 while the watermark status of the task's input (or source) is idle. */
  IDLE_STATUS: 3,
  /** 0 created, 1 running, 2 finished. */
  PHASE: 4,
  /** Bytes held by keyed state. */
  STATE_BYTES: 5,
} as const;
export const TASK_CELLS = 8;

/** Cells of one operator of a task; Flink's names beside. */
export const OperatorCell = {
  /** numRecordsIn */
  RECORDS_IN: 0,
  /** numRecordsOut, side outputs included */
  RECORDS_OUT: 1,
  /** currentInputWatermark; -Infinity before the first */
  INPUT_WATERMARK: 2,
  /** currentOutputWatermark */
  OUTPUT_WATERMARK: 3,
  /** numLateRecordsDropped: late rows that no side output took */
  LATE_DROPPED: 4,
  /** Distinct strings the operator's dictionaries hold */
  DICTIONARY_ENTRIES: 5,
  /** Entries of keyed state that were dropped because their time to live was over */
  EXPIRED: 6,
  /** 1 while the watermark status of its output is idle */
  OUTPUT_IDLE: 7,
  /** currentInput1Watermark, of operators with two inputs; -Infinity before the first */
  FIRST_WATERMARK: 8,
  /** currentInput2Watermark */
  SECOND_WATERMARK: 9,
  /** Of a source: share of its splits that wait for others in event time (watermark alignment), 0..1 */
  WAITING: 10,
  /**
   * watermarkAlignmentDrift of what makes watermarks: by how much the split furthest ahead is beyond what it may, ms; below 0: it may still go
   * so far. NaN where nothing limits it
   */
  ALIGNMENT_DRIFT: 11,
  /** Bytes of state in memory, an estimate; told in quiet moments, every 100 ms at least */
  STATE_BYTES: 12,
} as const;
export const OPERATOR_CELLS = 16;

/** Cells of one subtask of a vertex with `operators` chained operators. */
export function cellsPerTask(operators: number): number {
  return TASK_CELLS + operators * OPERATOR_CELLS;
}

/** View of one operator's cells inside a task's. */
export function operatorCells(task: Float64Array, operator: number): Float64Array {
  const from = TASK_CELLS + operator * OPERATOR_CELLS;
  return task.subarray(from, from + OPERATOR_CELLS);
}
