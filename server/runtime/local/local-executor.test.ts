import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { bytes, f64, i32, nullable, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, lateTag, OutputTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import { OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { count, sum } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink, fromRows, type RowsOptions } from '#testing/collect.ts';
import { LocalExecutor, type LocalOptions } from './local-executor.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const rows = (n: number, keys = 10) =>
  Array.from({ length: n }, (_, i) => ({ row: { k: `k${i % keys}`, v: i }, time: i }));
const modes = ['direct', 'ring', 'mixed'] as const;

interface Job {
  readonly env: StreamExecutionEnvironment;
  readonly stream: DataStream<S>;
}

function job(n: number, parallelism: number, options: RowsOptions = {}, keys = 10): Job {
  const env = new StreamExecutionEnvironment({ name: 'test', parallelism, rollIntervalMs: 1000 });
  return { env, stream: env.fromSource(fromRows(S, rows(n, keys), options), 'rows') };
}

function into(
  stream: { sinkTo(sink: Sink, name: string): { setParallelism(p: number): unknown } },
  parallelism = 1,
): CollectSink {
  const sink = new CollectSink();
  stream.sinkTo(sink as Sink, 'out').setParallelism(parallelism);
  return sink;
}

const run = (env: StreamExecutionEnvironment, options: LocalOptions = {}): LocalExecutor => {
  const executor = new LocalExecutor(env.jobGraph(), options);
  executor.run();
  return executor;
};
const values = (sink: CollectSink): number[] => sink.rows.map((r) => r.row.v as number);
const sorted = (numbers: number[]): number[] => [...numbers].sort((a, b) => a - b);

describe('a whole job in one thread', () => {
  for (const channels of modes) {
    it(`DT1 every row arrives once, whatever the channels (${channels}) and whoever steps first`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const random = new Random(seed);
        const { env, stream } = job(3000, 1 + random.below(3), {
          splits: 1 + random.below(4),
          cut: () => 1 + random.below(700),
        });
        const sink = into(
          stream
            .keyBy('k')
            .map('a', S, (r) => r)
            .setParallelism(1 + random.below(4))
            .rebalance()
            .filter('b', () => true),
          1 + random.below(3),
        );
        run(env, { seed, channels });
        expect(sorted(values(sink))).toEqual(sorted(rows(3000).map((r) => r.row.v)));
        expect(sink.committed.length).toBe(3000);
        expect(sink.closed).toBe(sink.opened);
      }
    });

    it(`EX11 two ways to the same operator of the thread do not run each other over (${channels})`, () => {
      for (let seed = 1; seed <= 6; seed++) {
        const random = new Random(seed);
        const { env, stream } = job(1500, 1, { cut: () => 1 + random.below(2048) });
        // Each row two or three times, and 20 rows out of each: far more than eight slots hold.
        const both = stream
          .filter('left', () => true)
          .union(
            stream.map('right', S, (r) => ({ k: r.k, v: r.v + 0.5 })),
            stream.filter('third', (r) => r.v % 2 === 0),
          );
        const sink = into(
          both
            .flatMap('many', S, (r, out) => {
              for (let i = 0; i < 20; i++) out.collect({ k: r.k, v: r.v });
            })
            .rebalance(),
        );
        run(env, { seed, channels });
        const expected = rows(1500).flatMap(({ row: { v } }) => [v, v + 0.5, ...(v % 2 === 0 ? [v] : [])]);
        expect(sorted(values(sink))).toEqual(sorted(expected.flatMap((v) => Array.from({ length: 20 }, () => v))));
      }
    });

    it(`EX20 rows of a channel keep their order (${channels})`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const { env, stream } = job(5000, 2, { splits: 2, cut: () => 333 });
        const sink = into(
          stream
            .keyBy('k')
            .map('a', S, (r) => r)
            .setParallelism(3),
          1,
        );
        run(env, { seed, channels });
        for (let split = 0; split < 2; split++) {
          for (let key = split; key < 10; key += 2) {
            const ofKey = sink.rows.filter((r) => r.row.k === `k${key}`).map((r) => r.row.v as number);
            expect(ofKey).toEqual(sorted(ofKey));
          }
        }
      }
    });

    it(`PR12 forwarded and made rows mix in front of keyed windows without mixing up keys (${channels})`, () => {
      const { env, stream } = job(4000, 1, { cut: () => 100 });
      const sink = into(
        stream
          // From the 1,000th row on new rows are made: their strings are the operator's own.
          .process('mix', {
            output: S,
            create: () => (row, _ctx, out) => {
              if (row.v >= 1000 && row.v % 3 === 0) out.collect({ k: row.k, v: row.v });
              else out.forward();
            },
          })
          .assignTimestampsAndWatermarks(boundedOutOfOrderness(0, { emit: 'on-event' }))
          .keyBy('k')
          .window(TumblingEventTimeWindows.of(1500))
          .aggregate({ n: count(), s: sum('v') }),
      );
      run(env, { channels });
      const expected = [0, 1500, 3000].flatMap((start) =>
        Array.from({ length: 10 }, (_, key) => {
          const of = rows(4000).filter((r) => r.row.k === `k${key}` && r.time >= start && r.time < start + 1500);
          return {
            k: `k${key}`,
            window_start: start,
            window_end: start + 1500,
            n: of.length,
            s: of.reduce((a, r) => a + r.row.v, 0),
          };
        }),
      );
      expect(sink.rows.map((r) => r.row)).toEqual(expected);
    });

    it(`EX21 payloads and new strings of many rows side by side (${channels})`, () => {
      const P = schema({ s: string(), y: nullable(bytes()), n: i32() });
      const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 1 });
      const input = Array.from({ length: 1200 }, (_, n) => ({
        row: { s: `text-${n % 700}${'x'.repeat(n % 90)}`, y: n % 5 === 0 ? null : new Uint8Array(n % 300).fill(n), n },
        time: null,
      }));
      const sink = new CollectSink();
      env
        .fromSource(fromRows(P, input), 'rows')
        .rebalance()
        .sinkTo(sink as Sink, 'out');
      run(env, { channels });
      expect(sink.rows.map((r) => r.row)).toEqual(input.map((r) => r.row));
    });
  }

  it('DT2 the same seed gives the same run, another seed another order', () => {
    const order = (seed: number): number[] => {
      const { env, stream } = job(2000, 3, { splits: 3, cut: () => 100 });
      const sink = into(stream.rebalance().map('a', S, (r) => r));
      run(env, { seed, channels: 'mixed' });
      return values(sink);
    };
    expect(order(5)).toEqual(order(5));
    expect(order(5)).not.toEqual(order(6));
  });

  it('SP6 readers that ask for splits get them one by one, and more readers than splits end at once', () => {
    const { env, stream } = job(1000, 4, { splits: 3, deal: 'one-by-one', cut: () => 50 });
    const sink = into(stream.map('a', S, (r) => r));
    const executor = run(env);
    expect(sorted(values(sink))).toEqual(rows(1000).map((r) => r.row.v));
    expect(executor.finished).toBe(true);
  });

  it('WM4 watermarks are per split behind stateless operators that make new rows, too', () => {
    // Split 1 is 100 s behind split 0 all the time; nothing may be late.
    const input = Array.from({ length: 2000 }, (_, i) => ({
      row: { k: 'a', v: i },
      time: i % 2 === 0 ? 100_000 + i : i,
    }));
    for (const emit of ['on-event', 50] as const) {
      const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 1 });
      const late = lateTag('late', S);
      const windows = env
        .fromSource(fromRows(S, input, { splits: 2, cut: () => 10 }), 'rows')
        .flatMap('copy', S, (r, out) => out.collect({ k: r.k, v: r.v }))
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(0, { emit }))
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(100))
        .sideOutputLateData(late)
        .aggregate({ n: count() }, 'windows');
      const sink = into(windows);
      const lates = into(windows.sideOutput(late));
      const executor = new LocalExecutor(env.jobGraph());
      executor.run();
      expect(lates.rows).toEqual([]);
      expect(sink.rows.length).toBe(40);
    }
  });

  it('WM4 and they move while the splits are read, not only at the end', () => {
    const seen: number[] = [];
    const { env, stream } = job(1000, 1, { splits: 2, cut: () => 10 });
    into(
      stream
        .map('copy', S, (r) => ({ k: r.k, v: r.v }))
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(0, { emit: 'on-event' }))
        .process('look', { output: S, create: () => (_row, ctx) => void seen.push(ctx.currentWatermark) }),
    );
    run(env);
    expect(seen.at(-1)).toBeGreaterThan(900);
    expect(seen).toEqual(sorted(seen));
  });

  it('W33 windows in processing time are emitted at the end, and before windows behind them are closed', () => {
    const { env, stream } = job(100, 1);
    const first = stream.keyBy('k').window(TumblingProcessingTimeWindows.of(1000)).aggregate({ n: count() });
    const sink = into(
      first
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(1e6))
        .aggregate({ windows: count(), n: sum('n') }),
    );
    run(env);
    expect(sink.rows.map((r) => [r.row.windows, r.row.n])).toEqual(Array.from({ length: 10 }, () => [1, 10]));
  });

  it('W16 processing time is the executor’s clock', () => {
    const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 1 });
    const sink = into(
      env
        .fromSource(fromRows(S, rows(10, 1), { cut: () => 10 }), 'rows')
        .keyBy('k')
        .window(TumblingProcessingTimeWindows.of(100))
        .aggregate({ n: count() }),
    );
    run(env);
    expect(sink.rows.map((r) => [r.row.window_start, r.row.n])).toEqual([[0, 10]]);
  });

  it('MT1 counters: rows in and out per operator, side outputs included, watermarks, phase', () => {
    const bad = new OutputTag('bad', S);
    const { env, stream } = job(1000, 1);
    const checked = stream
      .process('check', {
        output: S,
        sideOutputs: [bad],
        create: () => (row, ctx, out) => {
          if (row.v % 10 === 0) ctx.output(bad, { k: row.k, v: row.v });
          else out.forward();
        },
      })
      .assignTimestampsAndWatermarks(boundedOutOfOrderness(5, { emit: 'on-event' }));
    into(checked.filter('odd', (r) => r.v % 2 === 1));
    const executor = run(env);
    const cells = executor.cells[0]?.[0] as Float64Array;
    const names = executor.graph.vertices[0]?.operators.map((o) => o.name) ?? [];
    const of = (name: string, cell: number): number => operatorCells(cells, names.indexOf(name))[cell] as number;
    expect(names.map((n) => [n, of(n, OperatorCell.RECORDS_IN), of(n, OperatorCell.RECORDS_OUT)])).toEqual([
      ['rows', 1000, 1000],
      ['check', 1000, 1000],
      ['Timestamps/Watermarks', 900, 900],
      ['odd', 900, 500],
      ['out', 500, 0],
    ]);
    expect(of('odd', OperatorCell.INPUT_WATERMARK)).toBe(Number.POSITIVE_INFINITY);
    expect(cells[TaskCell.PHASE]).toBe(2);
  });

  it('MT2 the watermark of an operator can be read while it runs, -Infinity before the first', () => {
    const { env, stream } = job(10, 1);
    into(stream.assignTimestampsAndWatermarks(boundedOutOfOrderness(5, { emit: 1000 })));
    const executor = new LocalExecutor(env.jobGraph());
    expect(operatorCells(executor.cells[0]?.[0] as Float64Array, 1)[OperatorCell.OUTPUT_WATERMARK]).toBe(
      Number.NEGATIVE_INFINITY,
    );
    executor.run();
    expect(operatorCells(executor.cells[0]?.[0] as Float64Array, 1)[OperatorCell.OUTPUT_WATERMARK]).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it('MT2 so can the watermarks of both inputs of an operator that has two', () => {
    const { env, stream } = job(10, 1);
    const endless = fromRows(S, rows(10));
    const waiting = env.fromSource(
      {
        ...endless,
        createEnumerator: (context) => endless.createEnumerator({ ...context, noMoreSplits: () => {} }),
      },
      'waiting',
    );
    const both = stream.connect(waiting.assignTimestampsAndWatermarks(boundedOutOfOrderness(2, { emit: 'on-event' })));
    into(both.process('both', { output: S, create: () => ({ processElement1: () => {}, processElement2: () => {} }) }));
    const executor = new LocalExecutor(env.jobGraph());
    const vertex = executor.graph.vertices.findIndex((v) => v.operators[0]?.name === 'both');
    const watermarks = () => {
      const cells = operatorCells(executor.cells[vertex]?.[0] as Float64Array, 0);
      const { FIRST_WATERMARK, SECOND_WATERMARK, INPUT_WATERMARK } = OperatorCell;
      return [FIRST_WATERMARK, SECOND_WATERMARK, INPUT_WATERMARK].map((cell) => cells[cell]);
    };
    expect(watermarks()).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    executor.settle();
    expect(watermarks()).toEqual([Number.POSITIVE_INFINITY, 6, 6]);
  });

  it('PR13 an error of a user function fails the job', () => {
    const { env, stream } = job(10, 1);
    into(
      stream.map('boom', S, () => {
        throw new Error('no such luck');
      }),
    );
    expect(() => run(env)).toThrow('no such luck');
  });

  it('a job that waits for an answer from outside does not run for ever: it says what to use', () => {
    const env = new StreamExecutionEnvironment({ name: 'slow' });
    const slow: Sink = {
      createWriter: () => ({ write: () => {}, prepareCommit: () => new Promise(() => {}), close: () => {} }),
      createCommitter: () => ({ commit: () => [] }),
    };
    env.fromSource(fromRows(schema({ v: f64() }), [{ row: { v: 1 }, time: 1 }]), 'rows').sinkTo(slow, 'slow');
    expect(() => new LocalExecutor(env.jobGraph()).run()).toThrow(/waits for an answer from outside.*Use runAsync\(\)/);
  });

  it('SK5 sinks commit every roll interval while the job runs', () => {
    const { env, stream } = job(10, 1);
    const sink = into(stream);
    const executor = new LocalExecutor(env.jobGraph());
    executor.settle();
    expect([sink.rows.length, sink.commits]).toEqual([10, 1]);
    expect(executor.finished).toBe(true);
  });
});
