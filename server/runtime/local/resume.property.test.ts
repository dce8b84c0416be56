import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { i32, schema, string } from '#engine/batch/schema.ts';
import { lateTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import { boundedOutOfOrderness, forGenerator, type WatermarkStrategy } from '#engine/time/watermark-strategy.ts';
import { sum } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { EventTimeSessionWindows } from '#engine/window/session-windows.ts';
import { EventTimeTrigger } from '#engine/window/triggers.ts';
import { CollectSink, fromRows, type TimedRow } from '#testing/collect.ts';
import type { JobSnapshot } from '../job/job-snapshot.ts';
import { LocalExecutor } from './local-executor.ts';

const S = schema({ k: string(), v: i32() });
type S = typeof S.fields;
const late = lateTag('late', S);

type Windows = 'tumbling' | 'sessions' | 'general';

interface Spec {
  readonly rows: readonly TimedRow<S>[];
  readonly splits: number;
  readonly deal: 'together' | 'one-by-one';
  readonly boundMs: number;
  readonly latenessMs: number;
  readonly windows: Windows;
  readonly custom: boolean;
  readonly channels: 'direct' | 'ring' | 'mixed';
  readonly seed: number;
}

/** Its largest timestamp is all it knows. */
function custom(boundMs: number): WatermarkStrategy {
  return forGenerator(
    () => {
      let largest = Number.NEGATIVE_INFINITY;
      return {
        onEvent: (_row, timestamp) => {
          largest = Math.max(largest, timestamp);
        },
        onPeriodicEmit: (output) => {
          if (largest > Number.NEGATIVE_INFINITY) output.emitWatermark(largest - boundMs - 1);
        },
        snapshot: () => largest,
        restore: (state) => {
          largest = state as number;
        },
      };
    },
    { emit: 'on-event' },
  );
}

class Job {
  readonly executor: LocalExecutor;
  readonly #sinks = { result: new CollectSink(), late: new CollectSink() };

  constructor(spec: Spec, source: number, windows: number, restored?: JobSnapshot) {
    const env = new StreamExecutionEnvironment({ name: 'test', parallelism: windows });
    const strategy = spec.custom ? custom(spec.boundMs) : boundedOutOfOrderness(spec.boundMs, { emit: 'on-event' });
    const keyed = env
      .fromSource(fromRows(S, spec.rows, { splits: spec.splits, deal: spec.deal, cut: () => 2, everyMs: 10 }), 'rows')
      .uid('rows')
      .setParallelism(source)
      .assignTimestampsAndWatermarks(strategy)
      .uid('watermarks')
      .setParallelism(source)
      .keyBy('k');
    const windowed = (
      spec.windows === 'sessions'
        ? keyed.window(EventTimeSessionWindows.withGap(10))
        : spec.windows === 'general'
          ? keyed.window(TumblingEventTimeWindows.of(20)).trigger(EventTimeTrigger.create())
          : keyed.window(TumblingEventTimeWindows.of(20))
    )
      .allowedLateness(spec.latenessMs)
      .sideOutputLateData(late)
      .aggregate({ total: sum('v') });
    const results = windowed.uid('windows');
    results.sinkTo(this.#sinks.result as Sink, 'results').uid('results');
    results
      .sideOutput(late)
      .sinkTo(this.#sinks.late as Sink, 'late')
      .uid('late');
    this.executor = new LocalExecutor(env.jobGraph(), {
      seed: spec.seed,
      channels: spec.channels,
      checkpoints: 'exactly-once',
      ...(restored === undefined ? {} : { restored }),
    });
  }

  /** Lets the sources read so many batches each, then takes a checkpoint. */
  async upTo(batches: number): Promise<JobSnapshot> {
    this.executor.settle();
    if (batches > 0) this.executor.advance(10 * (batches - 1));
    return this.executor.checkpoint();
  }

  async toEnd(): Promise<void> {
    this.executor.settle();
    for (let i = 0; !this.executor.inputEnded; i++) {
      if (i > 10_000) throw new Error('It never ends.');
      this.executor.advance(10);
    }
  }

  /** Results and late rows by key, in their order. */
  get output(): Map<string, string[]> {
    const output = new Map<string, string[]>();
    for (const [name, sink] of Object.entries(this.#sinks)) {
      for (const { row, time } of sink.rows) {
        const key = `${name} ${row.k}`;
        output.set(key, [...(output.get(key) ?? []), JSON.stringify([row, time])]);
      }
    }
    return output;
  }
}

function together(outputs: readonly Map<string, string[]>[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const output of outputs) for (const [key, lines] of output) all[key] = [...(all[key] ?? []), ...lines];
  return Object.fromEntries(Object.entries(all).sort());
}

const rows = (spread: number) =>
  fc
    .array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(spread)), { minLength: 1, maxLength: 60 })
    .map((list) => list.map(([k, back], i): TimedRow<S> => ({ row: { k, v: i }, time: 100 + 3 * i - back })));
const spec = (spread: number, boundMs: fc.Arbitrary<number>) =>
  fc.record({
    rows: rows(spread),
    splits: fc.integer({ min: 1, max: 3 }),
    deal: fc.constantFrom('together', 'one-by-one') as fc.Arbitrary<Spec['deal']>,
    boundMs,
    latenessMs: fc.constantFrom(0, 15),
    windows: fc.constantFrom('tumbling', 'sessions', 'general') as fc.Arbitrary<Windows>,
    custom: fc.boolean(),
    channels: fc.constantFrom('direct', 'ring', 'mixed') as fc.Arbitrary<Spec['channels']>,
    seed: fc.nat(1000),
  });
const cuts = fc.array(fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), {
  minLength: 1,
  maxLength: 3,
});

async function resumed(
  what: Spec,
  legs: readonly (readonly [batches: number, source: number, windows: number])[],
): Promise<Record<string, string[]>> {
  const outputs: Map<string, string[]>[] = [];
  let snapshot: JobSnapshot | undefined;
  for (const [batches, source, windows] of legs) {
    const job = new Job(what, source, windows, snapshot);
    snapshot = await job.upTo(batches);
    outputs.push(job.output);
    job.executor.close();
  }
  const [, source, windows] = legs.at(-1) as readonly [number, number, number];
  const job = new Job(what, source, windows, snapshot);
  await job.toEnd();
  outputs.push(job.output);
  return together(outputs);
}

async function straight(what: Spec): Promise<Record<string, string[]>> {
  const job = new Job(what, 1, 2);
  await job.toEnd();
  return together([job.output]);
}

describe('jobs that go on from a checkpoint', () => {
  it('SR1 give the windows, firings and late rows of an undisturbed run, in order, cut anywhere, again and again, at any parallelism behind the source', async () => {
    await fc.assert(
      fc.asyncProperty(spec(60, fc.constantFrom(0, 5, 30)), cuts, async (what, legs) => {
        const one = legs.map(([batches, , windows]) => [batches, 1, windows] as const);
        expect(await resumed(what, one)).toEqual(await straight(what));
      }),
      { numRuns: 150 },
    );
  });

  it('SR1 so at any parallelism of the source where nothing is late', async () => {
    await fc.assert(
      fc.asyncProperty(spec(60, fc.constant(10_000)), cuts, async (what, legs) => {
        const bySort = (output: Record<string, string[]>) =>
          Object.fromEntries(Object.entries(output).map(([key, lines]) => [key, lines.toSorted()]));
        expect(bySort(await resumed(what, legs))).toEqual(bySort(await straight(what)));
      }),
      { numRuns: 100 },
    );
  });

  it('SR10 what had ended ends again at once, and gives nothing more', async () => {
    const what: Spec = {
      rows: Array.from({ length: 20 }, (_, i) => ({ row: { k: 'a', v: i }, time: 5 * i })),
      splits: 2,
      deal: 'together',
      boundMs: 0,
      latenessMs: 0,
      windows: 'tumbling',
      custom: false,
      channels: 'ring',
      seed: 1,
    };
    const first = new Job(what, 2, 2);
    await first.toEnd();
    const snapshot = await first.executor.checkpoint();
    for (const [source, windows] of [
      [2, 2],
      [3, 1],
    ] as const) {
      const second = new Job(what, source, windows, snapshot);
      second.executor.settle();
      expect([second.executor.inputEnded, second.output.size]).toEqual([true, 0]);
    }
    const stopped = new Job(what, 2, 2);
    await stopped.upTo(2);
    stopped.executor.stop();
    stopped.executor.settle();
    const behind = await stopped.executor.checkpoint();
    const third = new Job(what, 2, 2, behind);
    third.executor.settle();
    expect([third.executor.inputEnded, third.output.size]).toEqual([true, 0]);
  });
});
