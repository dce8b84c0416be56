/**
 * Interval join (Flink's IntervalJoinOperator): each row of the first stream meets the rows of the second one with the same key whose
 * timestamps are within bounds around its own.
 *
 *   first                 t                         between(-2, +1): partners of t are t-2 .. t+1
 *   second     . . [ t-2 ... t+1 ] . .
 *
 * Both streams' rows wait until the watermark says that no partner can come any more: per key and stream a list by timestamp, those of one
 * instant in order of arrival. A row finds its partners by bisection, and what has waited long enough lies in front.
 */

import { WeirError } from '#base/errors.ts';
import type { Cursor } from '../batch/cursor.ts';
import type { Fields, Row } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { valueState } from '../state/descriptors.ts';
import type { ValueState } from '../state/keyed-state.ts';
import type { FunctionCall } from './function-call.ts';
import type { FunctionOpenContext, OperatorFunction } from './function-operator.ts';
import type { Collector, OutputTag } from './process.ts';
import { addRow, dropUntil, firstFrom, type WaitingRows } from './waiting-rows.ts';

/** What a join function may ask about a pair of rows. */
export interface JoinContext {
  readonly leftTimestamp: number;
  readonly rightTimestamp: number;
  /** The larger of the two: that of the results. */
  readonly timestamp: number;
  output<F extends Fields>(tag: OutputTag<F>, row: Row<F>): void;
}

/** Called once per pair. Rows are not to be changed, and valid only during the call. */
export type ProcessJoinFunction<A extends Fields, B extends Fields, Out extends Fields> = (
  left: Row<A>,
  right: Row<B>,
  ctx: JoinContext,
  out: Pick<Collector<Out>, 'collect'>,
) => void;

export interface IntervalJoinSettings {
  readonly name: string;
  /** Bounds of `right - left`, ms, both inclusive. */
  readonly lowerMs: number;
  readonly upperMs: number;
  /** Where rows go that came too late; null: they are dropped and counted. */
  readonly lateLeft: OutputTag | null;
  readonly lateRight: OutputTag | null;
  readonly fn: ProcessJoinFunction<Fields, Fields, Fields>;
}

type PlainRow = Record<string, unknown>;

interface Side {
  readonly left: boolean;
  readonly own: ValueState<WaitingRows>;
  readonly others: ValueState<WaitingRows>;
  /** Bounds of `other - own`. */
  readonly lower: number;
  readonly upper: number;
  readonly late: OutputTag | null;
}

export class IntervalJoinFunction implements OperatorFunction {
  readonly #settings: IntervalJoinSettings;
  #cells!: Float64Array;
  #left!: Side;
  #right!: Side;

  constructor(settings: IntervalJoinSettings) {
    this.#settings = settings;
  }

  open(ctx: FunctionOpenContext): void {
    const { lowerMs, upperMs, lateLeft, lateRight } = this.#settings;
    const lefts = ctx.getState(valueState<WaitingRows>('left'));
    const rights = ctx.getState(valueState<WaitingRows>('right'));
    this.#cells = ctx.cells;
    this.#left = { left: true, own: lefts, others: rights, lower: lowerMs, upper: upperMs, late: lateLeft };
    this.#right = { left: false, own: rights, others: lefts, lower: 0 - upperMs, upper: 0 - lowerMs, late: lateRight };
  }

  processElement1(row: Cursor, call: FunctionCall): void {
    this.#join(row, call, this.#left);
  }

  processElement2(row: Cursor, call: FunctionCall): void {
    this.#join(row, call, this.#right);
  }

  /** There is a timer for the first row of each stream to go. */
  onTimer(_time: number, call: FunctionCall): void {
    for (const side of [this.#left, this.#right]) {
      const waiting = side.own.value();
      if (waiting === null) continue;
      dropUntil(waiting, side.upper > 0 ? call.currentWatermark - side.upper : call.currentWatermark);
      const [first] = waiting.times;
      side.own.update(first === undefined ? null : waiting);
      if (first !== undefined) this.#goesAt(first, side, call);
    }
  }

  #join(row: Cursor, call: FunctionCall, side: Side): void {
    const { timestamp } = call;
    if (timestamp === null) {
      throw new WeirError('JOIN_TIMESTAMP', `${this.#settings.name}: interval joins need rows with timestamps.`);
    }
    // As in Flink, a row at the watermark itself is not late.
    if (timestamp < call.currentWatermark) {
      if (side.late === null) {
        this.#cells[OperatorCell.LATE_DROPPED] = (this.#cells[OperatorCell.LATE_DROPPED] as number) + 1;
      } else {
        call.output(side.late, row as unknown as Row<Fields>);
      }
      return;
    }
    const kept = row.$copy();
    const waiting = side.own.value() ?? { times: [], rows: [] };
    addRow(waiting, timestamp, kept);
    side.own.update(waiting);
    if (waiting.rows[0] === kept) this.#goesAt(timestamp, side, call);
    const others = side.others.value();
    if (others === null) return;
    const { times, rows } = others;
    for (let i = firstFrom(others, timestamp + side.lower); i < times.length; i++) {
      const at = times[i] as number;
      if (at > timestamp + side.upper) break;
      const partner = rows[i] as PlainRow;
      if (side.left) this.#emit(kept, partner, timestamp, at, call);
      else this.#emit(partner, kept, at, timestamp, call);
    }
  }

  /** When the last partner of a row can have come. */
  #goesAt(timestamp: number, { upper }: Side, { timerService }: FunctionCall): void {
    timerService.registerEventTimeTimer(upper > 0 ? timestamp + upper : timestamp);
  }

  #emit(left: PlainRow, right: PlainRow, leftTimestamp: number, rightTimestamp: number, call: FunctionCall): void {
    const timestamp = Math.max(leftTimestamp, rightTimestamp);
    this.#settings.fn(
      left as unknown as Row<Fields>,
      right as unknown as Row<Fields>,
      { leftTimestamp, rightTimestamp, timestamp, output: (tag, row) => call.outputAt(tag, row, timestamp) },
      { collect: (row) => call.collectAt(row, timestamp) },
    );
  }
}
