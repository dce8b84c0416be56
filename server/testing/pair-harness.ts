/**
 * One operator with two inputs by itself, behind the pair of gates that it has in a task, with one channel each.
 *
 *   const harness = pairHarnessOf(Order, Price, (orders, prices) =>
 *     orders.keyBy('id').connect(prices.keyBy('id')).process('enrich', { output: Offer, create: () => new Enrich() }));
 *   harness.first.rows([{ id: 'a', amount: 2 }], { times: [5] });
 *   harness.second.watermark(10);
 *   harness.take();
 */

import { Dictionary } from '#engine/batch/dictionary.ts';
import type { Fields, Schema } from '#engine/batch/schema.ts';
import type { ChannelWriter } from '#engine/exchange/channel.ts';
import { InputPair } from '#engine/exchange/input-pair.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { LatencyMarker } from '#engine/metrics/latency.ts';
import type { Operator } from '#engine/operators/operator.ts';
import { fromRows } from './collect.ts';
import { fill, type HarnessOptions, OperatorHarness, type PlainRow, type RowOptions } from './harness.ts';

/** One input: what goes in has to be taken at once, so the operator must be ready. */
export class PairSide {
  readonly #channel: ChannelWriter;
  readonly #schema: Schema;
  readonly #dictionary = new Dictionary();

  constructor(channel: ChannelWriter, schema: Schema) {
    this.#channel = channel;
    this.#schema = schema;
  }

  rows(rows: readonly PlainRow[], options: RowOptions = {}): void {
    this.#mayWrite();
    if (rows.length === 0) return;
    const batch = fill(this.#schema, options.dictionary ?? this.#dictionary, rows, options.times ?? []);
    if (options.watermarks !== undefined) batch.watermarks = Float64Array.from(options.watermarks);
    this.#channel.write(batch, null, 0, rows.length, -1);
  }

  watermark(watermark: number): void {
    this.#mayWrite();
    this.#channel.watermark(watermark);
  }

  idle(idle: boolean): void {
    this.#mayWrite();
    this.#channel.idle(idle);
  }

  marker(marker: LatencyMarker): void {
    this.#mayWrite();
    this.#channel.marker(marker);
  }

  /** The maximum watermark, and the end. */
  end(): void {
    this.#mayWrite();
    this.#channel.watermark(Number.POSITIVE_INFINITY);
    this.#channel.end();
  }

  #mayWrite(): void {
    if (!this.#channel.ready()) throw new Error('The operator is not ready: give credits and resume it first.');
  }
}

export class PairHarness extends OperatorHarness {
  readonly first: PairSide;
  readonly second: PairSide;
  readonly #pair: InputPair;

  constructor(operator: Operator, options: HarnessOptions & { readonly second: Schema }) {
    super(operator, options);
    const schemas = [options.input, options.second] as const;
    this.#pair = new InputPair(schemas, [1, 1], this.head);
    const side = (input: 0 | 1): PairSide => {
      const channel = this.#pair.gates[input].addLocal(
        0,
        () => 0,
        () => {},
      );
      return new PairSide(channel, schemas[input]);
    };
    this.first = side(0);
    this.second = side(1);
  }

  /** What a task does when credits come back. */
  override resume(): this {
    super.resume();
    while (this.#pair.poll());
    return this;
  }

  /** The operator, or the pair in front of it, has stopped for want of credits. */
  override get pending(): boolean {
    return super.pending || this.#pair.available;
  }
}

/** The operator with two inputs that `build` adds last. */
export function pairHarnessOf<A extends Fields, B extends Fields>(
  first: Schema<A>,
  second: Schema<B>,
  build: (first: DataStream<A>, second: DataStream<B>) => unknown,
  options: Pick<
    HarnessOptions,
    'clock' | 'subtask' | 'parallelism' | 'maxParallelism' | 'stateBackend' | 'restore'
  > = {},
): PairHarness {
  const env = new StreamExecutionEnvironment({ name: 'harness' });
  build(env.fromSource(fromRows(first, []), 'first'), env.fromSource(fromRows(second, []), 'second'));
  const made = env.jobGraph().vertices.at(-1)?.operators.at(-1);
  const operator = made?.create?.();
  if (made === undefined || operator === undefined) throw new Error('No operator was built.');
  return new PairHarness(operator, {
    ...options,
    input: first,
    second,
    output: made.outputSchema ?? first,
    sides: Object.fromEntries(made.sideOutputs),
  });
}
