import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { f64, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { Poll, type Source, type Split } from '#engine/io/source.ts';
import { type Histogram, middleOf } from '#engine/metrics/histogram.ts';
import type { LatencyTracking } from '#engine/metrics/latency.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { count } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { type LabelledLatency, labelledLatencies } from '../metrics/latencies.ts';
import { LocalExecutor, type LocalOptions } from './local-executor.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const KEYS = 8;
const MS = 1000;

/** At every `everyMs` of processing time a batch of `perTick` rows whose timestamps are that time, until `untilMs`. */
/** A split that gives rows at instants from `next` on. */
interface Ticks extends Split {
  readonly next: number;
}

function ticking(everyMs: number, untilMs: number, perTick = KEYS): Source<S, Ticks> {
  return {
    schema: S,
    bounded: true,
    createEnumerator: (context) => ({
      start: () => {
        for (let i = 0; i < context.parallelism; i++) context.assign(i, { id: `ticks-${i}`, next: 0 });
      },
      onSplitRequest: () => {},
      snapshot: () => 'dealt',
      close: () => {},
    }),
    createReader: ({ clock, dictionary }) => {
      let id = '';
      let next = 0;
      return {
        addSplit: (split) => {
          ({ id, next } = split);
        },
        noMoreSplits: () => {},
        get wakeAt() {
          return next;
        },
        poll: (batch: RecordBatch) => {
          if (next > untilMs) return Poll.END;
          if (clock.now() < next) return Poll.WAIT;
          for (let k = 0; k < perTick; k++) {
            batch.codes('k')[k] = dictionary.codeOf(`k${k % KEYS}`);
            batch.f64('v')[k] = k;
            batch.time[k] = next;
          }
          batch.size = perTick;
          batch.split = 0;
          next += everyMs;
          return Poll.MORE;
        },
        snapshot: () => [{ id, next }],
        close: () => {},
      };
    },
  };
}

interface Job {
  readonly env: StreamExecutionEnvironment;
  readonly stream: DataStream<S>;
}

function job(source: Source<S>, latencyTracking?: LatencyTracking, parallelism = 1): Job {
  const env = new StreamExecutionEnvironment({
    name: 'test',
    parallelism,
    ...(latencyTracking === undefined ? {} : { latencyTracking }),
  });
  return { env, stream: env.fromSource(source, 'ticks') };
}

const every = (intervalMs: number, granularity: LatencyTracking['granularity'] = 'operator'): LatencyTracking => ({
  intervalMs,
  granularity,
});

function run(env: StreamExecutionEnvironment, options: LocalOptions = {}): LabelledLatency[] {
  const executor = new LocalExecutor(env.jobGraph(), options);
  executor.run();
  return labelledLatencies(executor.graph, executor.latencies);
}

const of = (all: readonly LabelledLatency[], name: string, kind: 'markers' | 'results'): LabelledLatency[] =>
  all.filter((l) => l.name === name && l.kind === kind);
const counts = (all: readonly { histogram: Histogram }[]): number[] => all.map((l) => l.histogram.count);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe('latency markers in a job', () => {
  it('LM1 every source subtask emits one at once and then every interval, until it ends', () => {
    const { env, stream } = job(ticking(10, 1000), every(100), 2);
    stream.filter('all', () => true).sinkTo(new CollectSink(), 'out');
    const all = run(env);
    // At 0, 100, … 1000.
    expect(counts(of(all, 'all', 'markers'))).toEqual([11, 11]);
    expect(counts(of(all, 'out', 'markers'))).toEqual([11, 11]);
    // The source itself records none.
    expect(of(all, 'ticks', 'markers')).toEqual([]);
  });

  it('LM1 a source that has nothing to read emits them too, and one that never had a split', () => {
    const { env, stream } = job(ticking(1000, 1000), every(100));
    stream.sinkTo(new CollectSink(), 'out');
    expect(counts(of(run(env), 'out', 'markers'))).toEqual([11]);
    const empty = job(fromRows(S, [], { splits: 0 }), every(100));
    empty.stream.sinkTo(new CollectSink(), 'out');
    expect(counts(of(run(empty.env), 'out', 'markers'))).toEqual([1]);
  });

  for (const channels of ['direct', 'ring', 'mixed'] as const) {
    it(`LM4 at an exchange each goes to one channel, so that none is doubled, and a run repeats (${channels})`, () => {
      const once = (): number[] => {
        const { env, stream } = job(ticking(10, 5000), every(50), 2);
        stream
          .keyBy('k')
          .map('same', S, (r) => r)
          .setParallelism(3)
          .rebalance()
          .sinkTo(new CollectSink(), 'out');
        const all = run(env, { seed: 7, channels });
        const same = counts(of(all, 'same', 'markers'));
        expect(sum(same)).toBe(2 * 101);
        for (const one of same) expect(one).toBeGreaterThan(20);
        expect(sum(counts(of(all, 'out', 'markers')))).toBe(2 * 101);
        return same;
      };
      expect(once()).toEqual(once());
    });
  }

  it('LM5 goes past user functions, windows and filters, and down every branch of a chain', () => {
    const { env, stream } = job(ticking(10, 1000), every(100));
    let calls = 0;
    const none = stream.filter('none', () => {
      calls++;
      return false;
    });
    none.sinkTo(new CollectSink(), 'left');
    none
      .assignTimestampsAndWatermarks(boundedOutOfOrderness(0))
      .keyBy('k')
      .window(TumblingEventTimeWindows.of(100))
      .aggregate({ n: count() }, 'windows')
      .sinkTo(new CollectSink(), 'right');
    const all = run(env);
    expect(calls).toBe(101 * KEYS);
    for (const name of ['none', 'left', 'windows', 'right']) expect(counts(of(all, name, 'markers'))).toEqual([11]);
  });

  it('LM6 an operator subtask tells apart nothing, source operators, or source subtasks', () => {
    const measure = (granularity: LatencyTracking['granularity']) => {
      const { env, stream } = job(ticking(10, 1000), every(100, granularity), 2);
      const other = env.fromSource(ticking(10, 500), 'others');
      stream
        .union(other)
        .keyBy('k')
        .filter('all', () => true)
        .sinkTo(new CollectSink(), 'out');
      return of(run(env), 'out', 'markers').map(({ subtask, source, sourceSubtask, histogram }) => ({
        label: `${subtask} ${source?.name ?? '*'} ${sourceSubtask ?? '*'}`,
        count: histogram.count,
      }));
    };
    const single = measure('single');
    expect(single.map((m) => m.label)).toEqual(['0 * *', '1 * *']);
    expect(sum(single.map((m) => m.count))).toBe(2 * 11 + 2 * 6);
    const operator = measure('operator');
    expect(operator.map((m) => m.label)).toEqual(['0 ticks *', '0 others *', '1 ticks *', '1 others *']);
    const from = (name: string): number => sum(operator.filter((m) => m.label.includes(name)).map((m) => m.count));
    expect([from('ticks'), from('others')]).toEqual([22, 12]);
    const subtask = measure('subtask');
    expect(subtask.map((m) => m.label)).toEqual(
      [0, 1].flatMap((s) => ['ticks 0', 'ticks 1', 'others 0', 'others 1'].map((source) => `${s} ${source}`)),
    );
    for (const [source, wanted] of [
      ['ticks 0', 11],
      ['ticks 1', 11],
      ['others 0', 6],
      ['others 1', 6],
    ] as const) {
      expect(sum(subtask.filter((m) => m.label.endsWith(source)).map((m) => m.count))).toBe(wanted);
    }
  });

  it('LM7 measures the time from mark to arrival, queueing included, by the clock', () => {
    const clock = new ManualClock();
    const still = job(ticking(10, 1000), every(100), 2);
    still.stream.rebalance().sinkTo(new CollectSink(), 'out');
    for (const { histogram } of of(run(still.env, { clock, channels: 'ring' }), 'out', 'markers')) {
      expect(histogram.quantile(1)).toBe(0);
    }
    // A row costs 3 ms: markers wait behind those written before them.
    const slowClock = new ManualClock();
    const { env, stream } = job(ticking(100, 1000, 10), every(100));
    stream
      .rebalance()
      .map('slow', S, (row) => {
        slowClock.advance(3);
        return row;
      })
      .sinkTo(new CollectSink(), 'out');
    const [out] = of(run(env, { clock: slowClock, channels: 'ring', seed: 3 }), 'out', 'markers') as [LabelledLatency];
    expect(out.histogram.quantile(1)).toBeGreaterThan(29 * MS);
    expect(out.histogram.quantile(0)).toBeLessThan(2000 * MS);
  });

  it('LM8 without an interval there are none, and no memory for them', () => {
    const { env, stream } = job(ticking(10, 1000));
    stream.filter('all', () => true).sinkTo(new CollectSink(), 'out');
    expect(run(env).map((l) => `${l.name} ${l.kind}`)).toEqual(['out results']);
  });

  it('LM9 settings that cannot work are refused by name', () => {
    const of = (latencyTracking: LatencyTracking) => () =>
      new StreamExecutionEnvironment({ name: 'test', latencyTracking });
    expect(of(every(-1))).toThrow('latencyTracking.intervalMs');
    expect(of(every(0.5))).toThrow('latencyTracking.intervalMs');
    expect(of(every(1, 'vertex' as 'single'))).toThrow('latencyTracking.granularity');
    expect(of(every(0, 'single'))).not.toThrow();
  });
});

describe('emit latency of a job', () => {
  const windows = (
    stream: DataStream<S>,
    options: { boundMs: number; emit: 'on-event' | number; latenessMs?: number; idleTimeoutMs?: number },
  ) =>
    stream
      .assignTimestampsAndWatermarks(
        boundedOutOfOrderness(options.boundMs, { emit: options.emit, idleTimeoutMs: options.idleTimeoutMs ?? null }),
      )
      .keyBy('k')
      .window(TumblingEventTimeWindows.of(100))
      .allowedLateness(options.latenessMs ?? 0)
      .aggregate({ n: count() }, 'windows');
  const only = (all: readonly LabelledLatency[], name = 'out'): Histogram =>
    (of(all, name, 'results')[0] as LabelledLatency).histogram;

  it('EL1 every row that a sink is handed counts once, results and side outputs alike, whatever the channels', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = new Random(seed);
      const sink = new CollectSink();
      const rows = Array.from({ length: 3000 }, (_, i) => ({ row: { k: `k${i % 10}`, v: i }, time: i }));
      const { env, stream } = job(fromRows(S, rows, { splits: 2, cut: () => 1 + random.below(300) }), undefined, 2);
      windows(stream, { boundMs: 5, emit: 'on-event' }).sinkTo(sink, 'out');
      const all = run(env, { seed, channels: 'mixed' });
      expect(sink.rows.length).toBeGreaterThan(100);
      expect(sum(counts(of(all, 'out', 'results')))).toBe(sink.rows.length);
    }
  });

  it('EL2 counts from the event that let the watermark pass, not from those in the window: waiting for the bound is not in it', () => {
    const { env, stream } = job(ticking(10, 2000));
    windows(stream, { boundMs: 400, emit: 'on-event' }).sinkTo(new CollectSink(), 'out');
    const histogram = only(run(env));
    expect(histogram.count).toBe(KEYS * 21);
    expect(histogram.quantile(1)).toBe(0);
  });

  it('EL2 what a row costs on its way is in it', () => {
    const clock = new ManualClock();
    const { env, stream } = job(ticking(100, 2000, 10));
    const slow = stream.map('slow', S, (row) => {
      clock.advance(2);
      return row;
    });
    windows(slow, { boundMs: 50, emit: 'on-event' }).sinkTo(new CollectSink(), 'out');
    const histogram = only(run(env, { clock }));
    // Ten rows in the batch that lets a window go; the last windows come with the end of the input.
    expect(Math.abs(histogram.quantile(0.5) - 20 * MS)).toBeLessThan(0.2 * MS);
    expect(histogram.quantile(1)).toBeLessThan(20.2 * MS);
  });

  it('EL3 with periodic watermarks the wait for the next one is in it', () => {
    const { env, stream } = job(ticking(70, 2000));
    windows(stream, { boundMs: 0, emit: 200 }).sinkTo(new CollectSink(), 'out');
    const histogram = only(run(env));
    expect(histogram.count).toBeGreaterThan(KEYS * 10);
    // The first event since the watermark before: at most one interval ago.
    expect(histogram.quantile(1)).toBeLessThanOrEqual(201 * MS);
    expect(histogram.quantile(0.5)).toBeGreaterThan(100 * MS);
  });

  it('EL3 a timer counts from when it was due: windows in processing time come at once', () => {
    const clock = new ManualClock();
    const { env, stream } = job(ticking(10, 1000));
    let held = 0;
    stream
      .map('busy', S, (row) => {
        // Once, the thread is held up for 30 ms.
        if (clock.now() === 190 && held++ === 0) clock.advance(30);
        return row;
      })
      .keyBy('k')
      .window(TumblingProcessingTimeWindows.of(100))
      .aggregate({ n: count() }, 'windows')
      .sinkTo(new CollectSink(), 'out');
    const histogram = only(run(env, { clock }));
    expect(histogram.count).toBeGreaterThanOrEqual(KEYS * 10);
    expect(histogram.quantile(0.5)).toBe(0);
    expect(histogram.quantile(1)).toBeGreaterThan(15 * MS);
    expect(histogram.quantile(1)).toBeLessThan(31 * MS);
  });

  it('EL4 a late update counts from the late row itself', () => {
    const clock = new ManualClock();
    const rows = [
      { row: { k: 'a', v: 1 }, time: 10 },
      { row: { k: 'a', v: 2 }, time: 150 },
      { row: { k: 'a', v: 3 }, time: 20 },
    ];
    const { env, stream } = job(fromRows(S, rows, { cut: () => 1 }));
    const paced = stream.map('paced', S, (row) => {
      clock.advance(row.v);
      return row;
    });
    const sink = new CollectSink();
    windows(paced, { boundMs: 0, emit: 'on-event', latenessMs: 500 }).sinkTo(sink, 'out');
    const histogram = only(run(env, { clock }));
    // The window fires with row 2, again for row 3; the second window fires with the end.
    expect(sink.rows.map((r) => r.row.n)).toEqual([1, 2, 1]);
    expect(histogram.count).toBe(3);
    for (const ms of [0, 2, 3]) {
      expect(histogram.cells.some((n, i) => n === 1 && Math.abs(middleOf(i) - ms * MS) <= ms * 10)).toBe(true);
    }
  });
});
