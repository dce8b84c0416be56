/**
 * Functions with two inputs whose rows differ (`flink-reference` §2.2): one method for each, and what both share: state and timers of the
 * key where both streams are keyed, nothing but the function's own fields where they are not.
 *
 *   class Enrich implements KeyedCoProcessFunction<Order, Price, Offer> {
 *     open(ctx) { this.price = ctx.getState(valueState<number>('price')); }
 *     processElement1(order, ctx, out) { … this.price.value() … }
 *     processElement2(price) { this.price.update(price.amount); }
 *   }
 *
 * The watermark is the lower one of the two inputs. Rows of one input keep their order; between the inputs there is none.
 */

import type { Fields, Row } from '../batch/schema.ts';
import type { KeyedContext, KeyedOpenContext, OnTimerContext } from './keyed-process.ts';
import type { Collector, ProcessContext } from './process.ts';

export interface CoProcessFunction<A extends Fields, B extends Fields, Out extends Fields> {
  /** Called once per row of the first input; `row` is valid only during the call. */
  processElement1(row: Row<A>, ctx: ProcessContext, out: Collector<Out>): void;
  /** The same for the second input. */
  processElement2(row: Row<B>, ctx: ProcessContext, out: Collector<Out>): void;
  close?(): void;
}

export interface KeyedCoProcessFunction<A extends Fields, B extends Fields, Out extends Fields> {
  open?(ctx: KeyedOpenContext): void;
  /** Called once per row of the first input; `row` is valid only during the call. */
  processElement1(row: Row<A>, ctx: KeyedContext, out: Collector<Out>): void;
  /** The same for the second input. */
  processElement2(row: Row<B>, ctx: KeyedContext, out: Collector<Out>): void;
  /** A timer of `ctx.currentKey` has come; there is no current row. */
  onTimer?(time: number, ctx: OnTimerContext, out: Collector<Out>): void;
  close?(): void;
}
