import { describe, expect, it } from 'vitest';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import { Operator } from '#engine/operators/operator.ts';
import { OperatorHarness } from './harness.ts';

const S = schema({ v: f64() });

/** Emits each batch as often as it is told, asking or not; may change it afterwards. */
class Careless extends Operator {
  readonly #times: number;
  readonly #spoil: boolean;

  constructor(times: number, spoil: boolean) {
    super();
    this.#times = times;
    this.#spoil = spoil;
  }

  processBatch(batch: RecordBatch): void {
    for (let i = 0; i < this.#times; i++) this.output.emit(batch);
    if (this.#spoil) batch.f64('v')[0] = -1;
  }
}

const harness = (times: number, spoil = false): OperatorHarness =>
  new OperatorHarness(new Careless(times, spoil), { input: S, output: S });

describe('the operator harness', () => {
  it('shows rows, watermarks, status and end in their order', () => {
    expect(
      harness(2)
        .rows([{ v: 1 }], { times: [5] })
        .watermark(4)
        .idle(true)
        .end()
        .take(),
    ).toEqual(['{"v":1} @5', '{"v":1} @5', 'watermark 4', 'idle', 'end']);
  });

  it('complains about an operator that emits without credits', () => {
    expect(() =>
      harness(2)
        .credits(1)
        .rows([{ v: 1 }]),
    ).toThrow('main: a batch was emitted without credits.');
  });

  it('complains about a batch that changes while its consumer is still reading', () => {
    const h = harness(1, true)
      .credits(1)
      .rows([{ v: 1 }]);
    expect(() => h.credits(1)).toThrow('main: a batch was changed while its consumer was still reading it.');
  });

  it('calls nobody who is not ready', () => {
    const h = harness(1).credits(0);
    expect(() => h.rows([{ v: 1 }])).toThrow('not ready');
    expect(() => h.watermark(1)).toThrow('not ready');
  });
});
