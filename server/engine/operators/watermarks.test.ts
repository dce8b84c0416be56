import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { OperatorHarness } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { f64, schema } from '../batch/schema.ts';
import { PartitionWriter } from '../exchange/partition-writer.ts';
import { Ring, ringBytes } from '../exchange/ring-layout.ts';
import { RingReader } from '../exchange/ring-reader.ts';
import { RingWriter } from '../exchange/ring-writer.ts';
import { OPERATOR_CELLS } from '../metrics/cells.ts';
import { boundedOutOfOrderness } from '../time/watermark-strategy.ts';
import { MAX_WATERMARK } from './operator.ts';
import { Output } from './output.ts';
import { Splits } from './source.ts';
import { WatermarksOperator } from './watermarks.ts';

const S = schema({ v: f64() });
type Options = Parameters<typeof boundedOutOfOrderness>[1];

const harness = (bound: number, options: Options): OperatorHarness =>
  new OperatorHarness(new WatermarksOperator(boundedOutOfOrderness(bound, options)), { input: S, output: S });

const feed = (h: OperatorHarness, times: (number | null)[], split = -1): OperatorHarness =>
  h.rows(
    times.map(() => ({ v: 0 })),
    { times, split },
  );

/** Watermark in force behind what each harness has put out so far. */
const inForce = new WeakMap<OperatorHarness, string>();

/** What came out since the last call: timestamps of rows with the watermark in force before them, watermarks, statuses. */
function trace(h: OperatorHarness): string[] {
  let current = inForce.get(h) ?? '-';
  const lines = h.emissions().map((e) => {
    if (e.kind === 'row') {
      if (e.watermark !== null && e.watermark !== Number.NEGATIVE_INFINITY) current = `${e.watermark}`;
      return `${e.time}|${current}`;
    }
    if (e.kind === 'watermark') {
      current = `${e.watermark}`;
      return `wm ${e.watermark}`;
    }
    return e.kind === 'idle' ? (e.idle ? 'idle' : 'active') : 'end';
  });
  inForce.set(h, current);
  return lines;
}

describe('watermarks after every row', () => {
  it('WM2 each row has the watermark of the rows before it, never one it caused itself (W19’s sequence)', () => {
    const h = harness(5000, { emit: 'on-event' });
    feed(h, [1000, 12000, 9000, 14999, 15000, 9999, 16999, 8000, 17000, 7000, 25001]);
    expect(trace(h)).toEqual([
      '1000|-',
      '12000|-4001',
      '9000|6999',
      '14999|6999',
      '15000|9998',
      '9999|9999',
      '16999|9999',
      '8000|11998',
      '17000|11998',
      '7000|11999',
      '25001|11999',
      'wm 20000',
    ]);
  });

  it('WM2 where the watermark moves only behind the last row no column travels', () => {
    const h = harness(0, { emit: 'on-event' });
    feed(h, [5, 3, 4]);
    expect(h.take()).toEqual(['{"v":0} @5 wm -Infinity', '{"v":0} @3 wm 4', '{"v":0} @4 wm 4', 'watermark 4']);
    feed(h, [2, 3, 10]);
    expect(h.take()).toEqual(['{"v":0} @2', '{"v":0} @3', '{"v":0} @10', 'watermark 9']);
    feed(h, [8]);
    expect(h.take()).toEqual(['{"v":0} @8']);
  });

  it('WM9 rows without timestamp move nothing', () => {
    const h = harness(0, { emit: 'on-event' });
    feed(h, [null, 10, null]);
    expect(trace(h)).toEqual(['null|-', '10|-', 'null|9', 'wm 9']);
  });

  it('WM2 how the input is cut into batches changes nothing, with any number of splits that end at any point', () => {
    const split = fc.array(fc.nat(1000), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(
        fc.array(split, { minLength: 1, maxLength: 3 }),
        fc.nat(50),
        fc.infiniteStream(fc.nat(2)),
        fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
        (splits, bound, order, cuts) => {
          /** The order of rows, split by split; a split ends with its last row. */
          const rows: { split: number; time: number; last: boolean }[] = [];
          const at = splits.map(() => 0);
          while (at.some((a, s) => a < (splits[s] as number[]).length)) {
            let s = (order.next().value as number) % splits.length;
            while ((at[s] as number) >= (splits[s] as number[]).length) s = (s + 1) % splits.length;
            const i = at[s] as number;
            rows.push({
              split: s,
              time: (splits[s] as number[])[i] as number,
              last: i + 1 === (splits[s] as number[]).length,
            });
            at[s] = i + 1;
          }
          const run = (cut: () => number): string[] => {
            const h = harness(bound, { emit: 'on-event' });
            for (const _ of splits) h.splits.add();
            let batch: typeof rows = [];
            const flush = (): void => {
              const [first] = batch;
              if (first === undefined) return;
              feed(
                h,
                batch.map((r) => r.time),
                first.split,
              );
              if (batch.at(-1)?.last) h.splits.finish(first.split);
              batch = [];
            };
            let room = cut();
            for (const r of rows) {
              if (batch.length === room || (batch.length > 0 && batch[0]?.split !== r.split)) {
                flush();
                room = cut();
              }
              batch.push(r);
              if (r.last) flush();
            }
            return trace(h).filter((line) => !line.startsWith('wm'));
          };
          const one = run(() => 1);
          expect(run(() => cuts.next().value as number)).toEqual(one);
          // And each row's watermark is what the rule says.
          const maxima = splits.map(() => Number.NEGATIVE_INFINITY);
          const open = new Set(splits.keys());
          let combined = Number.NEGATIVE_INFINITY;
          const expected = rows.map(({ split: s, time, last }) => {
            if (open.size > 0)
              combined = Math.max(combined, Math.min(...[...open].map((o) => (maxima[o] as number) - bound - 1)));
            const line = `${time}|${combined === Number.NEGATIVE_INFINITY ? '-' : combined}`;
            maxima[s] = Math.max(maxima[s] as number, time);
            combined = Math.max(combined, Math.min(...[...open].map((o) => (maxima[o] as number) - bound - 1)));
            if (last) open.delete(s);
            return line;
          });
          expect(one).toEqual(expected);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('periodic watermarks', () => {
  it('WM3 come every interval, and only if they have advanced', () => {
    const h = harness(10, { emit: 200 });
    feed(h, [100, 90]);
    expect(trace(h)).toEqual(['100|-', '90|-']);
    h.advance(199);
    expect(trace(h)).toEqual([]);
    h.advance(1);
    expect(trace(h)).toEqual(['wm 89']);
    h.advance(400);
    expect(trace(h)).toEqual([]);
    feed(h, [101]);
    h.advance(200);
    expect(trace(h)).toEqual(['101|89', 'wm 90']);
  });

  it('WM7 the last watermark comes through at once, whatever the interval', () => {
    const h = harness(10, { emit: 200 });
    feed(h, [100]).watermark(MAX_WATERMARK);
    expect(trace(h)).toEqual(['100|-', 'wm Infinity']);
  });
});

describe('watermarks per split', () => {
  it('WM4 the slowest split decides, one without rows holds back, a finished one does not', () => {
    const h = harness(0, { emit: 'on-event' });
    const [a, b] = [h.splits.add(), h.splits.add()];
    feed(h, [100], a);
    expect(trace(h)).toEqual(['100|-']);
    feed(h, [50], b);
    expect(trace(h)).toEqual(['50|-', 'wm 49']);
    feed(h, [200], a);
    expect(trace(h)).toEqual(['200|49']);
    h.splits.finish(b);
    feed(h, [150], a);
    expect(trace(h)).toEqual(['150|199', 'wm 199']);
  });

  it('WM4 a split that comes later holds back, but nothing goes backwards', () => {
    const h = harness(0, { emit: 'on-event' });
    const a = h.splits.add();
    feed(h, [100], a);
    const b = h.splits.add();
    feed(h, [200], a);
    feed(h, [10, 300], b);
    expect(trace(h)).toEqual(['100|-', 'wm 99', '200|99', '10|99', '300|99', 'wm 199']);
  });

  it('WM6 watermarks and statuses from upstream end here, the last one does not', () => {
    const h = harness(0, { emit: 'on-event' });
    h.watermark(1000).idle(true);
    feed(h, [5]);
    h.watermark(MAX_WATERMARK).watermark(MAX_WATERMARK);
    expect(trace(h)).toEqual(['5|-', 'wm 4', 'wm Infinity']);
  });
});

describe('idle splits', () => {
  it('WM5 one that has had no row for the timeout holds back no more, and counts again with its next row', () => {
    const h = harness(0, { emit: 200, idleTimeoutMs: 1000 });
    const [a, b] = [h.splits.add(), h.splits.add()];
    feed(h, [10], b);
    for (let i = 1; i <= 8; i++) feed(h, [100 + i], a).advance(200);
    expect(trace(h).filter((l) => l.startsWith('wm'))).toEqual(['wm 9', 'wm 107']);
    feed(h, [50], b);
    feed(h, [300], a);
    h.advance(200);
    expect(trace(h).filter((l) => l.startsWith('wm'))).toEqual([]);
    feed(h, [400], b);
    h.advance(200);
    expect(trace(h).filter((l) => l.startsWith('wm'))).toEqual(['wm 299']);
  });

  it('WM5 when all are idle the stream is; a row makes it active first', () => {
    const h = harness(0, { emit: 'on-event', idleTimeoutMs: 1000 });
    const a = h.splits.add();
    feed(h, [10], a);
    h.advance(1600);
    expect(trace(h)).toEqual(['10|-', 'wm 9', 'idle']);
    h.advance(5000);
    expect(trace(h)).toEqual([]);
    feed(h, [20], a);
    expect(trace(h)).toEqual(['active', '20|9', 'wm 19']);
  });

  it('WM5 a source task without any split is idle after the timeout too', () => {
    const h = harness(0, { emit: 200, idleTimeoutMs: 1000 });
    h.advance(1600);
    expect(trace(h)).toEqual(['idle']);
    const a = h.splits.add();
    feed(h, [10], a);
    h.advance(200);
    expect(trace(h)).toEqual(['active', '10|-', 'wm 9']);
  });

  it('WM5 time in which the task was held up does not count', () => {
    const h = harness(0, { emit: 200, idleTimeoutMs: 1000 });
    const [a, b] = [h.splits.add(), h.splits.add()];
    feed(h, [10], a);
    feed(h, [10], b);
    h.advance(400);
    feed(h, [20], a);
    trace(h);
    // No credits for a minute: no timer runs, and nobody could have read the splits.
    h.credits(0);
    h.advance(60_000);
    h.credits(Number.POSITIVE_INFINITY);
    h.advance(400);
    expect(trace(h)).toEqual([]);
    h.advance(1000);
    expect(trace(h)).toEqual(['wm 19', 'idle']);
  });

  it('WM5 time in which the task was held up while its splits waited for others counts once', () => {
    const strategy = boundedOutOfOrderness(0, { emit: 200, idleTimeoutMs: 1000 }).withWatermarkAlignment('g', 100);
    const h = new OperatorHarness(new WatermarksOperator(strategy), { input: S, output: S });
    const { active, limits } = h.splits;
    const compare = (allowed: number): void => {
      limits.allow('g', allowed);
      limits.update(active, h.clock.now());
    };
    const ahead = h.splits.add();
    feed(h, [5000], ahead);
    h.advance(400);
    expect(trace(h)).toEqual(['5000|-', 'wm 4999']);
    // It waits, as the source does, and for most of that time its task has no credits either.
    compare(1000);
    expect([limits.held, [...limits.paused]]).toEqual([true, [ahead]]);
    h.advance(1000).credits(0).advance(60_000).credits(Number.POSITIVE_INFINITY).advance(1000);
    compare(9000);
    expect([limits.held, [...limits.paused]]).toEqual([false, []]);
    h.advance(800);
    expect(trace(h)).toEqual([]);
    h.advance(400);
    expect(trace(h)).toEqual(['idle']);
  });

  it('WM5 while one split waits for others, a silent one goes idle', () => {
    const strategy = boundedOutOfOrderness(0, { emit: 200, idleTimeoutMs: 1000 }).withWatermarkAlignment('g', 100);
    const h = new OperatorHarness(new WatermarksOperator(strategy), { input: S, output: S });
    const [ahead, silent] = [h.splits.add(), h.splits.add()];
    feed(h, [5000], ahead);
    feed(h, [10], silent);
    h.splits.limits.update(h.splits.active, h.clock.now());
    expect([h.splits.limits.held, [...h.splits.limits.paused]]).toEqual([false, [ahead]]);
    h.advance(2000);
    // What held it back does no more; the other one would be idle as well, had it not waited.
    expect(trace(h)).toEqual(['5000|-', '10|-', 'wm 9', 'wm 4999']);
    h.splits.limits.update(h.splits.active, h.clock.now());
    expect([...h.splits.limits.paused]).toEqual([]);
    h.advance(1400);
    expect(trace(h)).toEqual(['idle']);
  });

  it('WM5 without a timeout a silent split holds back for ever', () => {
    const h = harness(0, { emit: 200 });
    const [a] = [h.splits.add(), h.splits.add()];
    feed(h, [10], a);
    h.advance(1e6);
    expect(trace(h)).toEqual(['10|-']);
  });
});

describe('without credits', () => {
  it('WM8 a change of status that takes the last credit of a ring leaves the watermark for later', () => {
    // The last free slot of a ring: a status is published at once, so that nothing is left for a watermark.
    const memory = new SharedArrayBuffer(ringBytes(S));
    const writer = new RingWriter(new Ring(memory, S), S, () => {});
    const reader = new RingReader(new Ring(memory, S), S, new Dictionary(), () => {});
    const target = new PartitionWriter({ kind: 'forward' }, [writer], {
      schema: S,
      maxParallelism: 1,
      subtask: 0,
      keyKind: null,
    });
    const clock = new ManualClock();
    const cells = new Float64Array(OPERATOR_CELLS);
    const output = new Output([target], cells);
    const splits = new Splits();
    splits.add();
    const operator = new WatermarksOperator(boundedOutOfOrderness(0, { emit: 200, idleTimeoutMs: 200 }));
    operator.open({
      subtask: 0,
      parallelism: 1,
      maxParallelism: 128,
      name: 'test',
      stateBackend: () => {
        throw new Error('No state here.');
      },
      clock,
      inputSchema: S,
      secondSchema: null,
      cells,
      output,
      sideOutput: () => output,
      splits,
      own: () => {},
      report: () => {},
      checkpointing: false,
      fail: () => {},
      wake: () => {},
    });
    for (let t = 200; t <= 1000; t += 200) operator.onTimer(t);
    while (writer.ready()) {
      writer.watermark(operator.nextTimer++);
      writer.flush();
    }
    reader.take();
    reader.release();
    expect(output.ready()).toBe(true);
    operator.processWatermark(MAX_WATERMARK);
    expect(operator.pending).toBe(true);
    const rest: unknown[] = [];
    const drain = (): void => {
      for (let a = reader.take(); a !== null; a = reader.take()) {
        rest.push(a.idle ?? a.watermarkAfter);
        reader.release();
      }
    };
    drain();
    operator.resume();
    target.flush();
    drain();
    expect([operator.pending, ...rest.slice(-2)]).toEqual([false, false, Number.POSITIVE_INFINITY]);
  });

  it('WM8 a watermark waits for credits behind its batch, and comes once', () => {
    const h = harness(0, { emit: 'on-event' });
    h.credits(1);
    feed(h, [1, 7]);
    expect(h.pending).toBe(true);
    expect(h.take().length).toBe(2);
    h.resume();
    expect(h.take()).toEqual([]);
    h.credits(1).resume();
    expect([h.take(), h.pending]).toEqual([['watermark 6'], false]);
  });
});
