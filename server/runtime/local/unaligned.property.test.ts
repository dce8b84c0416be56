import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { i32, schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink, SinkWriter } from '#engine/io/sink.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { sum } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { fromRows, type TimedRow } from '#testing/collect.ts';
import type { JobSnapshot } from '../job/job-snapshot.ts';
import type { TakenSnapshot } from './local-checkpoints.ts';
import { LocalExecutor } from './local-executor.ts';

const S = schema({ k: string(), v: i32() });
type S = typeof S.fields;
const Tagged = schema({ k: string(), v: i32(), from: string() });

interface Spec {
  readonly left: readonly TimedRow<S>[];
  readonly right: readonly TimedRow<S>[];
  readonly shape: 'windows' | 'inputs';
  readonly source: number;
  readonly main: number;
  readonly sink: number;
  readonly channels: 'direct' | 'ring' | 'mixed';
  readonly alignedTimeoutMs: number;
  readonly boundMs: number;
  readonly seed: number;
}

/** Takes batches while it is open, and hands over what it took with each checkpoint. */
class Gate {
  open = true;
  /** So many batches more, though it is closed. */
  credits = 0;
  readonly committed: string[] = [];

  sink(): Sink {
    return {
      createWriter: ({ schema: of }): SinkWriter => {
        let staged: string[] = [];
        return {
          ready: () => this.open || this.credits > 0,
          write: (batch) => {
            if (!this.open) this.credits--;
            for (let i = 0; i < batch.count; i++) {
              const k = batch.row(i);
              const cells = of.columns.map(({ kind }, c) => {
                const cell = (batch.columns[c] as Int32Array)[k] as number;
                return kind === 'string' ? batch.dictionaries[c]?.get(cell) : cell;
              });
              staged.push(cells.join(' '));
            }
          },
          prepareCommit: () => {
            const all = staged;
            staged = [];
            return all;
          },
          snapshot: () => null,
          close: () => {},
        };
      },
      createCommitter: () => ({
        commit: (rows) => {
          this.committed.push(...(rows as string[]));
          return [];
        },
      }),
    } as Sink;
  }
}

class Job {
  readonly executor: LocalExecutor;
  readonly gate = new Gate();

  constructor(spec: Spec, parallelism: Pick<Spec, 'source' | 'main' | 'sink'>, restored?: JobSnapshot) {
    const { source, main, sink } = parallelism;
    const env = new StreamExecutionEnvironment({ name: 'test', parallelism: main });
    const read = (name: string, rows: readonly TimedRow<S>[]) =>
      env
        .fromSource(fromRows(S, rows, { splits: 3, cut: () => 3, everyMs: 5 }), name)
        .uid(name)
        .setParallelism(source)
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(spec.boundMs, { emit: 'on-event' }))
        .uid(`${name}-watermarks`)
        .setParallelism(source);
    const left = read('left', spec.left);
    if (spec.shape === 'windows') {
      left
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(20))
        .aggregate({ total: sum('v') })
        .uid('windows')
        .sinkTo(this.gate.sink(), 'out')
        .uid('out')
        .setParallelism(sink);
    } else {
      left
        .keyBy('k')
        .connect(read('right', spec.right).keyBy('k'))
        .process('both', {
          output: Tagged,
          create: () => {
            return {
              processElement1: (row, _ctx, out) => out.collect({ k: row.k, v: row.v, from: 'left' }),
              processElement2: (row, _ctx, out) => out.collect({ k: row.k, v: row.v, from: 'right' }),
            };
          },
        })
        .uid('both')
        .sinkTo(this.gate.sink(), 'out')
        .uid('out')
        .setParallelism(sink);
    }
    this.executor = new LocalExecutor(env.jobGraph(), {
      seed: spec.seed,
      channels: spec.channels,
      checkpoints: 'exactly-once',
      ...(restored === undefined ? {} : { restored }),
    });
  }

  async checkpoint(spec: Spec): Promise<TakenSnapshot> {
    this.executor.trigger('checkpoint', spec.alignedTimeoutMs);
    this.executor.settle();
    if (spec.alignedTimeoutMs > 0) this.executor.advance(spec.alignedTimeoutMs);
    // What it holds is committed by the job that goes on from it, and by no other.
    return this.executor.collect();
  }

  async cut(spec: Spec, { openMs, closes, credits, heldMs }: Cut): Promise<TakenSnapshot> {
    this.gate.open = true;
    this.gate.credits = 0;
    this.executor.settle();
    this.executor.advance(openMs);
    if (closes) {
      this.gate.open = false;
      this.gate.credits = credits;
      this.executor.advance(heldMs);
    }
    return this.checkpoint(spec);
  }

  async toEnd(): Promise<void> {
    this.gate.open = true;
    this.executor.settle();
    for (let i = 0; !this.executor.inputEnded; i++) {
      if (i > 5_000) throw new Error('It never ends.');
      this.executor.advance(5);
    }
    await this.executor.checkpoint();
    this.executor.completed();
  }
}

const rows = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat(9)), { minLength: 1, maxLength: 80 })
  .map((list) => list.map(([k, back], i): TimedRow<S> => ({ row: { k, v: i }, time: 100 + 3 * i - back })));
const spec: fc.Arbitrary<Spec> = fc.record({
  left: rows,
  right: rows,
  shape: fc.constantFrom('windows', 'inputs') as fc.Arbitrary<Spec['shape']>,
  source: fc.integer({ min: 1, max: 3 }),
  main: fc.integer({ min: 1, max: 3 }),
  sink: fc.integer({ min: 1, max: 2 }),
  channels: fc.constantFrom('direct', 'ring', 'mixed') as fc.Arbitrary<Spec['channels']>,
  alignedTimeoutMs: fc.constantFrom(0, 7),
  boundMs: fc.constant(100_000),
  seed: fc.nat(1000),
});
/** After so many ms the sink closes, lets so many batches through, and after so many more ms there is a checkpoint; or it stays open. */
interface Cut {
  readonly openMs: number;
  readonly closes: boolean;
  readonly credits: number;
  readonly heldMs: number;
}
const cut: fc.Arbitrary<Cut> = fc.record({
  openMs: fc.nat(60),
  closes: fc.constantFrom(true, true, false),
  credits: fc.nat(4),
  heldMs: fc.nat(200),
});
/** Behind the last checkpoint of each leg there is a failure. */
const legs = fc.array(fc.array(cut, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 });

const list = Array.from(
  { length: 80 },
  (_, i): TimedRow<S> => ({ row: { k: 'abcde'[i % 5] as string, v: i }, time: i }),
);
/** One that overtakes rows, and behind it one that comes in order. */
const FIRST: [Spec, Cut[][]] = [
  {
    left: list,
    right: list,
    shape: 'inputs',
    source: 2,
    main: 2,
    sink: 2,
    channels: 'ring',
    alignedTimeoutMs: 7,
    boundMs: 100_000,
    seed: 1,
  },
  [
    [
      { openMs: 10, closes: true, credits: 0, heldMs: 50 },
      { openMs: 0, closes: false, credits: 0, heldMs: 0 },
    ],
  ],
];

describe('checkpoints whose barriers overtake rows, under a sink that takes nothing', () => {
  it('UA1 complete, and the job goes on from them without a row lost or doubled: two inputs, rings and local channels, again and again, also where one comes in order behind them (UA10)', async () => {
    let overtaken = 0;
    await fc.assert(
      fc.asyncProperty(spec, legs, async (what, cuts) => {
        const undisturbed = new Job(what, what);
        await undisturbed.toEnd();
        const committed: string[] = [];
        let snapshot: JobSnapshot | undefined;
        for (const leg of cuts) {
          const job = new Job(what, what, snapshot);
          for (const [c, one] of leg.entries()) {
            if (c > 0) job.executor.completed();
            snapshot = await job.cut(what, one);
          }
          committed.push(...job.gate.committed);
          job.executor.close();
          for (const parts of (snapshot as JobSnapshot).operators.values())
            for (const { operator } of parts) if (operator.held ?? operator['in-flight']) overtaken++;
        }
        const last = new Job(what, what, snapshot);
        await last.toEnd();
        committed.push(...last.gate.committed);
        expect(committed.toSorted()).toEqual(undisturbed.gate.committed.toSorted());
      }),
      { numRuns: 150, examples: [FIRST] },
    );
    expect(overtaken).toBeGreaterThan(100);
  });

  it('UA5 so at another parallelism of sources and of the keyed task, leg by leg, where rows may go anywhere', async () => {
    let moved = 0;
    // The keyed task has one or two subtasks more than before, modulo three.
    const size = fc.record({ source: fc.integer({ min: 1, max: 3 }), more: fc.integer({ min: 1, max: 2 }) });
    const early = cut.map((one) => ({ ...one, closes: true, openMs: one.openMs >> 2, heldMs: one.heldMs >> 3 }));
    const legsOf = fc.array(fc.record({ cuts: fc.array(early, { minLength: 1, maxLength: 2 }), size }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(spec, legsOf, size, async (drawn, legs, end) => {
        // More sinks than anything before them: what leads there is dealt in turn, and nothing is chained anew.
        const what = { ...drawn, left: list, right: list, sink: 4 };
        const undisturbed = new Job(what, what);
        await undisturbed.toEnd();
        const committed: string[] = [];
        let snapshot: TakenSnapshot | undefined;
        let main = what.main;
        const begin = ({ source, more }: { readonly source: number; readonly more: number }): Job => {
          main = ((main - 1 + more) % 3) + 1;
          if ((snapshot?.persistedBytes ?? 0) > 0) moved++;
          return new Job(what, { source, main, sink: 4 }, snapshot);
        };
        for (const { cuts, size: now } of legs) {
          const job = begin(now);
          for (const [c, one] of cuts.entries()) {
            if (c > 0) job.executor.completed();
            snapshot = await job.cut(what, one);
          }
          committed.push(...job.gate.committed);
          job.executor.close();
        }
        const last = begin(end);
        await last.toEnd();
        committed.push(...last.gate.committed);
        expect(committed.toSorted()).toEqual(undisturbed.gate.committed.toSorted());
      }),
      { numRuns: 100 },
    );
    expect(moved).toBeGreaterThan(30);
  });
});
