import { describe, expect, it } from 'vitest';
import { CollectSink } from '#testing/collect.ts';
import { OperatorHarness } from '#testing/harness.ts';
import { f64, schema } from '../batch/schema.ts';
import type { Sink } from '../io/sink.ts';
import { SinkOperator } from './sink.ts';

const S = schema({ v: f64() });
const harness = (sink: Sink): OperatorHarness =>
  new OperatorHarness(new SinkOperator(sink, 1000), { input: S, output: S });
const values = (rows: CollectSink['rows']): unknown[] => rows.map((r) => r.row.v);

describe('the sink operator', () => {
  it('SK1 hands rows over at once, and commits what was staged every roll interval', () => {
    const sink = new CollectSink();
    const h = harness(sink as Sink);
    h.rows([{ v: 1 }]).advance(999);
    expect([values(sink.rows), values(sink.committed)]).toEqual([[1], []]);
    h.advance(1);
    expect(values(sink.committed)).toEqual([1]);
    h.rows([{ v: 2 }]).advance(1000);
    expect([values(sink.committed), sink.commits]).toEqual([[1, 2], 2]);
  });

  it('SK2 commits nothing where nothing is staged', () => {
    const sink = new CollectSink();
    harness(sink as Sink).advance(5000);
    expect(sink.commits).toBe(0);
  });

  it('SK3 the rest is committed at the end of the input, and what comes after a failure never', () => {
    const sink = new CollectSink();
    const h = harness(sink as Sink);
    h.rows([{ v: 1 }]).end();
    expect(values(sink.committed)).toEqual([1]);
    const failed = new CollectSink();
    const operator = new SinkOperator(failed as Sink, 1000);
    new OperatorHarness(operator, { input: S, output: S }).rows([{ v: 1 }]);
    operator.close();
    expect([failed.committed, failed.closed]).toEqual([[], 1]);
  });

  it('SK4 a sink without committer has no timer; it is told of quiet moments, and answers questions', () => {
    let quiet = 0;
    const operator = new SinkOperator(
      {
        createWriter: () => ({
          write() {},
          idle: () => quiet++,
          inspect: (q) => `${q}!`,
          prepareCommit: () => [],
          close() {},
        }),
        createCommitter: () => null,
      },
      1000,
    );
    const h = new OperatorHarness(operator, { input: S, output: S });
    expect(operator.nextTimer).toBe(Number.POSITIVE_INFINITY);
    operator.onQuiet();
    expect([quiet, operator.inspect('what')]).toEqual([1, 'what!']);
    h.end();
    expect(quiet).toBe(2);
  });
});
