import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { BACKENDS } from '#testing/backends.ts';
import type { OperatorHarness, PlainRow } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, nullable, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import type { WindowedStream } from '../graph/windowed-stream.ts';
import type { StateBackendFactory } from '../state/keyed-state.ts';
import { avg, count, max, min, sum } from './aggregates.ts';
import {
  CumulativeEventTimeWindows,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
} from './assigners.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';
import { EventTimeTrigger, ProcessingTimeTrigger } from './triggers.ts';

const S = schema({ k: string(), v: f64(), n: nullable(f64()) });
type S = typeof S.fields;
const Text = schema({ text: string() });
const late = lateTag('late', S);

const assigners = {
  tumbling: TumblingEventTimeWindows.of(10, 3),
  sliding: SlidingEventTimeWindows.of(12, 5, -1),
  gaps: SlidingEventTimeWindows.of(4, 7),
  cumulative: CumulativeEventTimeWindows.of(15, 5),
  session: EventTimeSessionWindows.withGap(6),
  tumblingNow: TumblingProcessingTimeWindows.of(10),
  sessionNow: ProcessingTimeSessionWindows.withGap(6),
};

const kinds = {
  aggregate: (w: WindowedStream<S, 'k'>) =>
    w.aggregate({ n: count(), s: sum('v'), lo: min('n'), hi: max('n'), mean: avg('n') }),
  // Whole numbers, so that it does not matter in which order slices are put together.
  reduce: (w: WindowedStream<S, 'k'>) =>
    w.reduce((a, b) => ({ k: a.k, v: a.v + b.v, n: a.n === null || b.n === null ? null : Math.max(a.n, b.n) })),
  process: (w: WindowedStream<S, 'k'>) =>
    w.process(Text, (key, window, rows, out) =>
      out.collect({ text: `${key} ${window.start}-${window.end} ${rows.map((r) => `${r.v}/${r.n}`).join()}` }),
    ),
};

interface Case {
  readonly assigner: keyof typeof assigners;
  readonly kind: keyof typeof kinds;
  readonly lateness: number;
  readonly seed: number;
  readonly n: number;
}

/**
 * The same rows in the same batches, at the same time, with restores in between or without. `backend`: runs in the general operator with state
 * on this one; null: in the operator made for such windows.
 */
async function run(
  c: Case,
  backend: StateBackendFactory | null,
): Promise<{ readonly main: Map<unknown, string[]>; readonly late: string[] }> {
  const random = new Random(c.seed);
  const windows = assigners[c.assigner];
  let clock = 1000;
  const build = async (before: OperatorHarness | null): Promise<OperatorHarness> => {
    const restore = before === null ? null : [await before.snapshotLater()];
    const h = harnessOf(
      S,
      (rows) => {
        const stream = rows.keyBy('k').window(windows).allowedLateness(c.lateness).sideOutputLateData(late);
        const own = windows.time === 'event' ? EventTimeTrigger.create() : ProcessingTimeTrigger.create();
        return kinds[c.kind](backend === null ? stream : stream.trigger(own));
      },
      {
        ...(backend === null ? {} : { stateBackend: backend }),
        ...(restore === null ? {} : { restore }),
      },
    );
    return h;
  };
  const out: { main: PlainRow[]; late: PlainRow[] } = { main: [], late: [] };
  const collect = (h: OperatorHarness): void => {
    for (const e of h.emissions()) {
      if (e.kind === 'row') out[e.output === 'main' ? 'main' : 'late'].push({ ...e.row, at: e.time });
    }
  };
  let h = await build(null);
  h.advance(clock);
  let highest = 0;
  for (let rows = 0; rows < c.n; ) {
    const size = 1 + random.below(8);
    rows += size;
    const made = Array.from({ length: size }, () => {
      const watermark = highest - 5;
      const time = Math.max(0, highest + random.below(9) - (random.below(3) === 0 ? random.below(40) : 0));
      highest = Math.max(highest, time);
      const n = random.below(3) === 0 ? null : random.below(50);
      return { row: { k: `k${random.below(3)}`, v: random.below(100), n }, time, watermark };
    });
    if (random.below(3) === 0) h.credits(1);
    h.rows(
      made.map((m) => m.row),
      { times: made.map((m) => m.time), watermarks: made.map((m) => m.watermark) },
    );
    h.drip();
    h.credits(Number.POSITIVE_INFINITY);
    if (random.below(2) === 0) h.watermark(highest - 5);
    const pause = random.below(8);
    h.advance(pause);
    clock += pause;
    if (random.below(4) === 0) {
      h.watermark(highest - 5);
      collect(h);
      const next = await build(h);
      next.clock.set(clock);
      h = next.advance(0);
    }
  }
  h.watermark(Number.POSITIVE_INFINITY);
  collect(h);
  // One late row makes all its sliding windows fire: the newest first here, as Flink does, the oldest first there.
  const keyOf = (row: PlainRow): unknown => `${row.k ?? String(row.text).split(' ')[0]} ${row.at}`;
  const main = new Map<unknown, string[]>();
  for (const row of out.main) main.set(keyOf(row), [...(main.get(keyOf(row)) ?? []), JSON.stringify(row)]);
  return { main: new Map([...main].sort()), late: out.late.map((row) => JSON.stringify(row)) };
}

describe('the general operator and those made for usual windows', () => {
  it('GW15 give the same results, firings and late rows per key and window end, in order', async () => {
    const shape = fc.record({
      assigner: fc.constantFrom(...(Object.keys(assigners) as (keyof typeof assigners)[])),
      kind: fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[])),
      lateness: fc.constantFrom(0, 0, 1, 7, 1000),
      seed: fc.integer({ min: 1, max: 2 ** 31 }),
      n: fc.integer({ min: 0, max: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async (c) => {
        const usual = await run(c, null);
        for (const [, backend] of BACKENDS) expect(await run(c, backend)).toEqual(usual);
      }),
      { numRuns: 2000 },
    );
  });
});
