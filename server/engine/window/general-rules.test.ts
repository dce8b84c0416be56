import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { HarnessOptions } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { feed, take } from '#testing/value-script.ts';
import { BATCH_ROWS } from '../batch/record-batch.ts';
import { f64, i32, type Row, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { CachedBackend } from '../state/cached-backend.ts';
import { sum } from './aggregates.ts';
import { GlobalWindows } from './assign.ts';
import { TumblingEventTimeWindows } from './assigners.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';
import { CountTrigger, EventTimeTrigger, PurgingTrigger } from './triggers.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const late = lateTag('late', S);
const tumbling = TumblingEventTimeWindows.of(10);

describe('the general operator, Weir’s own rules', () => {
  it('GW14 contents that nothing would clean up go when their time to live is over, and are counted', () => {
    const clock = new ManualClock(1000);
    const h = harnessOf(
      S,
      (rows) =>
        rows
          .keyBy('k')
          .window(GlobalWindows.create())
          .trigger(PurgingTrigger.of(CountTrigger.of(3)))
          .contentsTimeToLive(100)
          .aggregate({ s: sum('v') }),
      { clock },
    );
    feed(h, 'a:1@0 a:1@0').advance(99);
    feed(h, 'b:1@0 a:1@0');
    expect(take(h)).toBe('a:3@Infinity');
    feed(h, 'a:5@0 a:5@0').advance(100);
    // Three rows again, not one more to two that are gone.
    feed(h, 'a:1@0 a:1@0');
    expect(take(h)).toBe('');
    feed(h, 'a:1@0');
    expect(take(h)).toBe('a:3@Infinity');
    expect([h.cells[OperatorCell.EXPIRED]]).toEqual([2]);
  });

  it('GW14 a session whose time stands still goes too: a new row begins another one', () => {
    const clock = new ManualClock(0);
    const h = harnessOf(
      S,
      (rows) =>
        rows
          .keyBy('k')
          .window(EventTimeSessionWindows.withGap(10))
          .contentsTimeToLive(1000)
          .aggregate({ s: sum('v') }),
      { clock },
    );
    feed(h, 'a:1@0 b:2@0').advance(600);
    feed(h, 'a:4@5').advance(600);
    expect(h.cells[OperatorCell.EXPIRED]).toBe(1);
    feed(h, 'a:8@7 b:16@5').watermark(MAX_WATERMARK);
    expect(take(h).split(' ').sort()).toEqual(['a:13[0,17)', 'b:16[5,15)']);
    feed(h, 'a:8@7').advance(5000);
    expect([h.cells[OperatorCell.EXPIRED], h.snapshot().keyed.length]).toEqual([1, 0]);
  });

  it('W25 timers run before the row whose watermark has passed them, inside a batch too', () => {
    const make = () =>
      harnessOf(S, (rows) =>
        rows
          .keyBy('k')
          .window(tumbling)
          .trigger(EventTimeTrigger.create())
          .allowedLateness(5)
          .sideOutputLateData(late)
          .aggregate({ s: sum('v') }),
      );
    const h = make();
    const [script, watermarks] = ['a@1 a@12 a@2 a@3 a@4', [-1, 5, 9, 13, 14]];
    feed(h, script, { watermarks }).watermark(MAX_WATERMARK);
    expect(take(h)).toBe('a:1[0,10) a:2[0,10) a:3[0,10) late:a@4,14,10 a:1[10,20)');
  });

  it('W26 a row without timestamp is an error in event time; EX15 so is a null key', () => {
    const make = () =>
      harnessOf(S, (rows) =>
        rows
          .keyBy('k')
          .window(tumbling)
          .trigger(EventTimeTrigger.create())
          .aggregate({ s: sum('v') }),
      );
    expect(() => make().rows([{ k: 'a', v: 1 }])).toThrow('A row without event timestamp');
    const h = make();
    const batch = h.batch([{ k: 'a', v: 1 }], { times: [1] });
    batch.codes('k')[0] = -1;
    expect(() => h.feed(batch)).toThrow('null key');
  });

  it('W27 firing 10,000 windows, and a batch of firings, go on with one credit at a time, each result once', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(tumbling)
        .trigger(EventTimeTrigger.create())
        .allowedLateness(1000)
        .aggregate({ s: sum('v') }),
    );
    for (let from = 0; from < 5 * BATCH_ROWS; from += BATCH_ROWS) {
      const rows = Array.from({ length: BATCH_ROWS }, (_, i) => ({ k: `k${from + i}`, v: 1 }));
      h.rows(rows, { times: rows.map(() => 5) });
    }
    h.credits(1).watermark(9);
    expect(h.drip()).toBeGreaterThanOrEqual(5);
    const results = h.emissions().filter((e) => e.kind === 'row');
    expect([results.length, new Set(results.map((e) => e.row.k)).size]).toEqual([5 * BATCH_ROWS, 5 * BATCH_ROWS]);
    const again = Array.from({ length: BATCH_ROWS }, () => ({ k: 'k1', v: 1 }));
    h.credits(1).rows(again, { times: again.map(() => 5) });
    h.drip();
    expect(h.emissions().flatMap((e) => (e.kind === 'row' ? [e.row.s] : []))).toEqual(again.map((_, i) => i + 2));
  });

  it('W29 whole numbers as keys come back as numbers, and move by their key group', () => {
    const Numbers = schema({ id: i32(), v: f64() });
    const make = (options: Pick<HarnessOptions, 'restore' | 'subtask' | 'parallelism'> = {}) =>
      harnessOf(
        Numbers,
        (rows) =>
          rows
            .keyBy('id')
            .countWindow(2)
            .aggregate({ s: sum('v') }),
        options,
      );
    const first = make();
    const ids = Array.from({ length: 40 }, (_, i) => i * 7 - 100);
    first.rows(ids.map((id) => ({ id, v: id })));
    const parts = [0, 1, 2].map((subtask) => make({ restore: [first.snapshot()], subtask, parallelism: 3 }));
    const whole = make({ restore: parts.map((part) => part.snapshot()) });
    whole.rows(ids.map((id) => ({ id, v: 1000 })));
    expect(whole.emissions().map((e) => (e.kind === 'row' ? e.row : e))).toEqual(
      ids.map((id) => ({ id, s: id + 1000 })),
    );
  });

  it('GW16 waits for state that is being loaded, before rows and before timers, and goes on where it was', () => {
    const store = new MemoryStore(new Random(7));
    const make = (options: Pick<HarnessOptions, 'stateBackend'>) =>
      harnessOf(
        S,
        (rows) =>
          rows
            .keyBy('k')
            .window(EventTimeSessionWindows.withGap(10))
            .trigger(EventTimeTrigger.create())
            .allowedLateness(20)
            .aggregate({ s: sum('v') }),
        options,
      );
    const [loading, heap] = [
      make({ stateBackend: (options) => new CachedBackend({ ...options, store, bufferBytes: 0, cacheBytes: 1000 }) }),
      make({}),
    ];
    let waits = 0;
    const random = new Random(1);
    for (let round = 0; round < 60; round++) {
      const rows = Array.from({ length: 20 }, () => `k${random.below(40)}:1@${round * 5 + random.below(30)}`).join(' ');
      for (const h of [loading, heap]) {
        for (const step of [() => feed(h, rows), () => h.watermark(round * 5)]) {
          // Some writes are done by then: what they wrote has to be read again.
          while (random.below(4) > 0 && store.answer());
          step();
          for (; h.pending; waits++) {
            if (!store.answer()) throw new Error('Nothing is being loaded.');
            h.resume();
          }
        }
      }
    }
    expect(waits).toBeGreaterThan(50);
    const results = take(heap).split(' ').sort();
    expect(results.length).toBeGreaterThan(100);
    expect(take(loading).split(' ').sort()).toEqual(results);
  });

  it('W30 nothing is left of windows that are gone', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .trigger(EventTimeTrigger.create())
        .aggregate({ s: sum('v') }),
    );
    const bytes: number[] = [];
    for (let round = 0; round < 20; round++) {
      feed(h, Array.from({ length: 100 }, (_, i) => `k${i}@${round * 1000 + i}`).join(' '));
      h.watermark(round * 1000 + 500);
      bytes.push(h.stateBytes);
    }
    expect(h.snapshot().keyed.length).toBe(0);
    expect(bytes.at(-1)).toBe(bytes[0]);
    // A session that grows has the timers of its end only.
    feed(h, Array.from({ length: 1000 }, (_, i) => `a@${100_000 + i}`).join(' '));
    expect(h.snapshot().keyed.map(([, bytes]) => bytes.length < 250)).toEqual([true]);
  });

  it('W33 windows in processing time that are open at the end of the input are emitted', () => {
    const h = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(ProcessingTimeSessionWindows.withDynamicGap((row: Row<S>) => row.v))
        .aggregate({ s: sum('v') }),
    );
    feed(h, 'a:100@1 b:7@1').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('b:7[0,7) a:100[0,100)');
  });
});
